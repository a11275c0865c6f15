"""SIGINT and SIGTERM at any moment: one sentence, a status, no crash, and nothing lost.

A run that is interrupted, maybe again and again, and then goes on has the result of one that was not.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest
from processes import HEARD, a_place

VERBS = {
    "analyze": ["analyze", "cruise-control", "--out", "out"],
    "search": ["analyze", "boeing-747-ten", "--proof", "off", "--starts", "512"],
    "proof": ["analyze", "four-masses", "--eta", "0.002", "--out", "out"],
    "train": ["train", "boeing-747-ten", "--steps", "1500", "--tolerance", "0", "--out", "out"],
    "adapt": ["adapt", "run", "cruise-control", "--shots", "3"],
    "bifurcate": ["bifurcate", "paper-figure-3b", "--eta", "0.005:0.12:60", "--out", "out"],
    "recommend": ["recommend", "paper-figure-2", "--eta", "0.05", "--starts", "8", "--out", "out"],
    "certify": ["certify", "paper-figure-1", "0.6180339887", "--eta", "0.05"],
    "reproduce": ["reproduce", "--figure", "3b", "--out", "out"],
}

LONGEST = {"search": 6.0, "proof": 25.0, "train": 5.0}
"""Seconds within which a signal comes; three by default."""


def heard(process):
    """Wait until the command hears signals: one that is still an interpreter starting ends by them."""
    status, bit = f"/proc/{process.pid}/status", 1 << (signal.SIGTERM - 1)
    while process.poll() is None and os.path.exists("/proc/self/status"):
        with open(status, encoding="ascii") as file:
            caught = next(line for line in file if line.startswith("SigCgt")).split()[1]
        if int(caught, 16) & bit:
            return
        time.sleep(0.005)


def started(*arguments, cwd):
    return subprocess.Popen(
        [sys.executable, "-c", HEARD, "-m", "benign.cli", *arguments],
        cwd=cwd, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(cwd)},
    )  # fmt: skip


def whole(*arguments, cwd):
    """Run it to its end."""
    process = started(*arguments, cwd=cwd)
    _, told = process.communicate(timeout=600)
    assert process.returncode == 0, told


def interrupted(number, seconds, *arguments, cwd):
    """Whether the signal came before the end; what is said then is looked at."""
    process = started(*arguments, cwd=cwd)
    heard(process)
    time.sleep(seconds)
    process.send_signal(number)
    _, told = process.communicate(timeout=120)
    if process.returncode == 0:
        return False
    assert process.returncode == 128 + number, told
    assert told.count("benign: interrupted; ") == 1, told
    assert "Traceback" not in told
    assert not [p for p in cwd.rglob("*.json") if not _is_json(p)]
    return True


def _is_json(path):
    try:
        json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return False
    return True


def prepared(verb, folder):
    """What the verb needs in its directory, and its arguments."""
    if verb == "adapt":
        whole("train", "cruise-control", "--eta", "0.05", "--steps", "20", "--out", "run", cwd=folder)
    return VERBS[verb]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("seconds", [0.3, 1.5])
def test_an_interrupt_is_one_sentence(number, seconds):
    with a_place() as folder:
        assert interrupted(number, seconds, *VERBS["search"], cwd=folder)


def test_a_signal_to_a_command_that_is_done_changes_nothing():
    with a_place() as folder:
        process = subprocess.Popen(
            [sys.executable, "-c", LATE], cwd=folder, text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        told, errors = process.communicate(timeout=60)
        assert (process.returncode, errors) == (0, "")
        assert "paper-figure-3b" in told


LATE = """
import atexit, os, signal, sys
atexit.register(lambda: [os.kill(os.getpid(), number) for number in (signal.SIGTERM, signal.SIGINT)])
sys.argv = ["benign", "examples"]
from benign.cli import main
main()
"""
"""A command that is sent both signals while its interpreter shuts down."""


@pytest.mark.slow
@pytest.mark.parametrize("verb", VERBS)
def test_interrupts_at_twenty_moments(verb):
    rng = random.Random(verb)
    with a_place() as folder:
        arguments = prepared(verb, folder)
        hit = 0
        for i in range(20):
            number = (signal.SIGINT, signal.SIGTERM)[i % 2]
            again = ["--force"] if verb == "train" else []
            seconds = rng.uniform(0.2, LONGEST.get(verb, 3.0))
            hit += interrupted(number, seconds, *arguments, *again, cwd=folder)
        assert hit >= 5


def timeless(document):
    """A document without what a clock says."""
    if isinstance(document, list):
        return [timeless(x) for x in document]
    if isinstance(document, dict):
        return {k: timeless(x) for k, x in document.items() if k not in ("facts", "seconds")}
    return document


def results(folder):
    """The documents of a directory, but for what a clock says."""
    found = {}
    for path in sorted((folder / "out").rglob("*.json")):
        document = timeless(json.loads(path.read_text(encoding="utf-8")))
        if path.name != "manifest.json":
            found[path.name] = document
    return found


def resumed(verb, moments, more=()):
    """What interrupted runs that went on have, and what one that was not interrupted has."""
    with a_place() as folder, a_place() as other:
        whole(*VERBS[verb], cwd=other)
        hit = 0
        for i, seconds in enumerate(moments):
            hit += interrupted(signal.SIGINT, seconds, *VERBS[verb], *(more if i else ()), cwd=folder)
        whole(*VERBS[verb], *(more if hit else ()), cwd=folder)
        assert hit
        return results(folder), results(other)


def test_a_diagram_goes_on():
    one, other = resumed("bifurcate", [2.0, 3.0])
    assert one == other
    assert "bifurcation.json" in one


@pytest.mark.slow
def test_a_recommendation_goes_on():
    one, other = resumed("recommend", [5.0, 6.0])
    assert one == other


@pytest.mark.slow
def test_a_run_goes_on():
    one, other = resumed("train", [6.0, 9.0], ["--resume"])
    assert one["training.json"]["W"] == other["training.json"]["W"]


@pytest.mark.slow
def test_a_proof_goes_on():
    one, other = resumed("proof", [12.0, 15.0])
    assert one["landscape.json"]["minimizers"] == other["landscape.json"]["minimizers"]
    assert one["certificate.json"]["tree"] == other["certificate.json"]["tree"]
