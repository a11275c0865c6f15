"""Studies, disturbed: processes that are killed, disks that are full, two runs, a scheduler that goes.

Each ends whole or with a clear word, goes on, and holds the same values as an undisturbed run.
"""

import os
import signal
import subprocess
import sys
import time

import pytest
from tests.faults.processes import HEARD, a_place, run
from tests.studies.study_cases import assert_equal

from benign.studies.definition import study_of
from benign.studies.run import run_study
from benign.studies.store import Store

STUDY = """
format = "benign-study-1"
name = "disturbed"
[axes]
eta = [0.02, 0.05]
seed = 300
[fixed]
proof = 0.01
[measure]
chunk = 20
starts = 8
"""


@pytest.fixture(scope="module")
def undisturbed():
    import tomllib

    with a_place() as folder:
        run_study(study_of(tomllib.loads(STUDY)), folder / "whole")
        yield folder / "whole"


@pytest.fixture
def folder():
    with a_place() as place:
        (place / "study.toml").write_text(STUDY)
        yield place


def begun(folder, *more, program=("-m", "benign.cli", "study", "run", "study.toml", "--out", "store")):
    """The command in a process group of its own, once some batches are there."""
    return subprocess.Popen(
        [sys.executable, "-c", HEARD, *program, *more], cwd=folder, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def await_batches(folder, process, count=3):
    until = time.monotonic() + 60
    place = folder / "store" / "status" / "c"
    while time.monotonic() < until:
        if place.exists() and sum(len(files) for _, _, files in os.walk(place)) >= count:
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    raise AssertionError("no batch came")


def missing(folder):
    return int(Store(folder / "store").counts()[0])


def test_a_killed_client_goes_on_where_it_was(folder, undisturbed):
    process = begun(folder)
    await_batches(folder, process)
    process.kill()
    process.communicate()
    left = missing(folder)
    assert left > 0
    status, told, said = run("study", "run", "study.toml", "--out", "store", cwd=folder)
    assert (status, said) == (0, ""), said
    assert "600 of 600 cells are done" in told
    assert_equal(folder / "store", undisturbed)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_keeps_what_is_done(folder, undisturbed, number):
    process = begun(folder)
    await_batches(folder, process)
    process.send_signal(number)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 128 + number
    assert said.strip().startswith("benign: interrupted; the cells that are done are in store")
    assert len(said.strip().splitlines()) == 1
    assert 0 < missing(folder) < 600
    assert run("study", "run", "study.toml", "--out", "store", cwd=folder)[0] == 0
    assert_equal(folder / "store", undisturbed)


def test_a_full_disk_is_a_sentence_and_no_failure_of_a_cell(folder, undisturbed):
    """No file may grow beyond what the coordinates take: chunks cannot be written."""
    status, _, said = run("study", "run", "study.toml", "--out", "store", cwd=folder)
    assert status == 0, said
    largest = max(
        p.stat().st_size for p in (folder / "store" / "epsilon" / "c").rglob("*") if p.is_file()
    )
    small = max(p.stat().st_size for p in (folder / "store").rglob("zarr.json"))
    document = STUDY.replace("seed = 300", "seed = 6000").replace("chunk = 20", "chunk = 3000")
    (folder / "large.toml").write_text(document)
    limit = max(small, 6000) + 200
    assert limit > largest
    status, told, said = run(
        "study", "run", "large.toml", "--out", "full", cwd=folder, largest_file=limit
    )
    assert status == 2, told + said
    assert said.count("\n") == 1
    assert "cannot be" in said
    assert "the same command goes on" in said
    assert run("study", "status", "full", cwd=folder)[1].count("failed") == 0


def test_two_runs_on_one_store(folder, undisturbed):
    both = [begun(folder), begun(folder)]
    for process in both:
        out, said = process.communicate(timeout=120)
        assert process.returncode == 0, said
        assert "600 of 600" in out
    assert_equal(folder / "store", undisturbed)


# --- clusters --------------------------------------------------------------------------------


def children(pid):
    """Processes below a process, all generations."""
    import psutil

    return psutil.Process(pid).children(recursive=True)


def test_a_killed_worker_is_replaced(folder, undisturbed):
    process = begun(folder, "--workers", "2")
    await_batches(folder, process)
    workers = [p for p in children(process.pid) if "spawn_main" in " ".join(p.cmdline())]
    assert workers
    workers[0].kill()
    out, said = process.communicate(timeout=120)
    assert process.returncode == 0, out + said
    assert "600 of 600" in out
    assert_equal(folder / "store", undisturbed)


def test_a_killed_client_of_workers_leaves_no_process_and_a_store_to_go_on_with(folder, undisturbed):
    process = begun(folder, "--workers", "2")
    await_batches(folder, process)
    workers = children(process.pid)
    process.kill()
    process.communicate()
    until = time.monotonic() + 30
    while any(p.is_running() and p.status() != "zombie" for p in workers) and time.monotonic() < until:
        time.sleep(0.1)
    assert not [p for p in workers if p.is_running() and p.status() != "zombie"]
    assert run("study", "run", "study.toml", "--out", "store", cwd=folder)[0] == 0
    assert_equal(folder / "store", undisturbed)


def test_an_interrupt_of_workers_is_one_sentence(folder, undisturbed):
    process = begun(folder, "--workers", "2")
    await_batches(folder, process)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all of the group
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130, said
    assert said.strip().startswith("benign: interrupted; the cells that are done are in store")
    assert len(said.strip().splitlines()) == 1
    assert run("study", "run", "study.toml", "--out", "store", cwd=folder)[0] == 0
    assert_equal(folder / "store", undisturbed)


def test_a_killed_scheduler_is_told_and_the_study_goes_on_without_it(folder, undisturbed):
    address = folder / "scheduler.json"
    common = {"cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    dask = [sys.executable, "-m", "dask"]
    scheduler = subprocess.Popen(
        [*dask, "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file",
         str(address)], **common)  # fmt: skip
    worker = None
    try:
        until = time.monotonic() + 60
        while not address.exists() and time.monotonic() < until:
            time.sleep(0.1)
        worker = subprocess.Popen(
            [*dask, "worker", "--no-dashboard", "--nthreads", "1", "--no-nanny", "--scheduler-file",
             str(address), "--death-timeout", "20"], **common)  # fmt: skip
        import json

        where = json.loads(address.read_text())["address"]
        process = begun(folder, "--scheduler", where)
        await_batches(folder, process)
        scheduler.kill()
        _, said = process.communicate(timeout=120)
        assert process.returncode == 2, said
        assert "went away; what is done is kept" in said
        assert len(said.strip().splitlines()) == 1, said
    finally:
        for one in (worker, scheduler):
            if one is not None:
                one.kill()
                one.wait()
    assert missing(folder) > 0
    assert run("study", "run", "study.toml", "--out", "store", cwd=folder)[0] == 0
    assert_equal(folder / "store", undisturbed)


def test_no_scheduler_is_a_sentence(folder):
    status, _, said = run(
        "study", "run", "study.toml", "--out", "store", "--scheduler", "tcp://127.0.0.1:9", cwd=folder
    )
    assert status == 2
    assert said.startswith("benign: error: scheduler: no cluster answers at tcp://127.0.0.1:9")
    assert len(said.strip().splitlines()) == 1
