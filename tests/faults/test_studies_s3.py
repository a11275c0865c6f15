"""A store on S3: a real server on loopback, which pauses, or begins anew with nothing."""

import os
import signal
import socket
import subprocess
import sys
import time

import pytest
from tests.studies.study_cases import assert_equal, small

from benign.errors import OutputError
from benign.studies import store as stores
from benign.studies.run import run_study

pytest.importorskip("s3fs", reason="the extra s3")
pytest.importorskip("moto.server", reason="moto[server]")

# Sessions of aiohttp that s3fs leaves to the end of the process.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def serving(port):
    """moto's server, once it answers."""
    process = subprocess.Popen(
        [sys.executable, "-c", "from moto.server import main; main()", "-H", "127.0.0.1",
         "-p", str(port)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)) == 0:
                return process
        time.sleep(0.1)
    raise AssertionError("no server")


def bucket(port):
    import s3fs

    s3fs.S3FileSystem(endpoint_url=f"http://127.0.0.1:{port}", skip_instance_cache=True).mkdir(
        "studies"
    )


@pytest.fixture
def server(monkeypatch):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    process = [serving(port)]
    bucket(port)
    yield port, process
    process[0].kill()
    process[0].wait()


ADDRESS = "s3://studies/one"


def test_a_study_on_s3_is_that_on_a_disk(server, tmp_path):
    study = small()
    assert run_study(study, ADDRESS, budget=4).done <= 240
    assert run_study(study, ADDRESS).done == 240
    run_study(study, tmp_path / "a")
    assert_equal(ADDRESS, tmp_path / "a")
    assert float(stores.Store(ADDRESS).dataset().epsilon.sel(eta=0.02, tasks=2, seed=3)) >= 0


def test_a_server_that_pauses_is_waited_for(server, tmp_path):
    _, process = server
    study, seen = small(), []

    def pausing(done, most):
        seen.append(done)
        if len(seen) == 4:
            process[0].send_signal(signal.SIGSTOP)
            subprocess.Popen(["sh", "-c", f"sleep 2; kill -CONT {process[0].pid}"])

    assert run_study(study, ADDRESS, progress=pausing).done == 240
    run_study(study, tmp_path / "a")
    assert_equal(ADDRESS, tmp_path / "a")


def test_a_server_that_begins_anew_with_nothing_is_told_and_the_study_goes_on(
    server, tmp_path, monkeypatch
):
    """What it had is lost; what came after it was back counts only where it is whole."""
    port, process = server
    monkeypatch.setattr(stores, "PATIENCE", 3.0)
    study, seen = small(), []

    def killing(done, most):
        seen.append(done)
        if len(seen) == 4:
            process[0].kill()
            process[0].wait()

    with pytest.raises(OutputError, match=r"s3://studies/one: .*the same command goes on"):
        run_study(study, ADDRESS, progress=killing)
    process[0] = serving(port)
    bucket(port)
    assert run_study(study, ADDRESS).done == 240
    # And one that lost some chunks of a batch that says it is done:
    import s3fs

    there = s3fs.S3FileSystem(endpoint_url=os.environ["AWS_ENDPOINT_URL"], skip_instance_cache=True)
    there.rm("studies/one/epsilon/c/1/0/2")
    assert run_study(study, ADDRESS).done == 240
    run_study(study, tmp_path / "a")
    assert_equal(ADDRESS, tmp_path / "a")
