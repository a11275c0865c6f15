"""What is compiled is kept for the next process: where, by whom, and that nothing fails without."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benign import caching
from test_cli_options import run

SMALL = ("train", "paper-figure-1", "--eta", "0.05", "--steps", "3")

COUNT = """
import sys
from benign.caching import keep_xla
keep_xla()  # as the command does, and before JAX is here to be listened to
import jax._src.monitoring as monitoring

counted = []
monitoring.register_event_listener(lambda name, **_: counted.append(name))
sys.argv = ["benign", *{arguments!r}]
from benign.cli import main
try:
    main()
finally:
    asked = counted.count("/jax/compilation_cache/compile_requests_use_cache")
    print("COUNTED", asked, counted.count("/jax/compilation_cache/cache_hits"))
"""


def counted(cache: Path, *arguments: str) -> tuple[int, int]:
    """Programs that XLA was asked for while a cache was on, and those that lay in it."""
    code = COUNT.format(arguments=arguments)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False,
        env={**os.environ, "BENIGN_CACHE": str(cache)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    asked, found = done.stdout.rpartition("COUNTED")[2].split()
    return int(asked), int(found)


def test_a_second_run_compiles_nothing(tmp_path):
    asked, found = counted(tmp_path, *SMALL)
    assert asked > 3
    assert found < asked
    assert list((tmp_path / "xla").iterdir())
    again, found = counted(tmp_path, *SMALL)
    assert again == found > 3


def test_without_a_cache_nothing_is_kept(tmp_path):
    """Neither code of XLA's nor the kernels'; and none is used."""
    done = run(*SMALL, "--no-cache", BENIGN_CACHE=tmp_path / "cache", HOME=tmp_path)
    assert done.returncode == 0, done.stderr
    assert not list(tmp_path.iterdir())
    done = run(*SMALL, BENIGN_CACHE="", HOME=tmp_path)
    assert done.returncode == 0, done.stderr
    assert not list(tmp_path.iterdir())


def test_the_users_directory_is_the_default(tmp_path):
    clean = {"HOME": tmp_path, "XDG_CACHE_HOME": tmp_path / "own"}
    environment = {k: v for k, v in os.environ.items() if k != "BENIGN_CACHE"}
    done = subprocess.run(
        [sys.executable, "-m", "benign.cli", *SMALL], capture_output=True, text=True, check=False,
        env={**environment, **{k: str(v) for k, v in clean.items()}},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "own" / "benign" / "xla").iterdir())


@pytest.mark.parametrize("given", ["--cache", "BENIGN_CACHE"])
def test_a_file_in_the_way_is_no_failure(tmp_path, given):
    blocked = tmp_path / "file"
    blocked.write_text("in the way", encoding="utf-8")
    more, environment = ((given, blocked), {}) if given == "--cache" else ((), {given: str(blocked)})
    done = run(*SMALL, *more, **environment)
    assert done.returncode == 0, done.stderr
    assert "Error" not in done.stderr
    assert "Warning" not in done.stderr
    assert ("no compiled code can be kept" in done.stderr) == (given == "--cache")
    assert blocked.read_text(encoding="utf-8") == "in the way"


@pytest.mark.skipif(os.getuid() == 0, reason="nothing is forbidden to root")
def test_a_directory_that_cannot_be_written_is_not_used(tmp_path):
    tmp_path.chmod(0o500)
    assert not caching.is_usable(tmp_path)
    tmp_path.chmod(0o700)


def test_a_strangers_directory_is_not_used(tmp_path, monkeypatch):
    assert caching.is_usable(tmp_path / "new")
    monkeypatch.setattr(os, "getuid", lambda: tmp_path.stat().st_uid + 1)
    if tmp_path.stat().st_uid == 0:  # root's is everybody's
        os.chown(tmp_path, 4711, -1)
    assert not caching.is_usable(tmp_path)
    assert not caching.is_usable(tmp_path / "new")


def test_the_library_leaves_jax_as_it_is():
    code = (
        "import benign, jax\nbefore = dict(jax.config.values)\n"
        "benign.train('paper-figure-1', eta=0.05, steps=2)\n"
        "assert dict(jax.config.values) == before\n"
        "assert jax.config.jax_compilation_cache_dir is None"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_directory_of_ones_own_choice_for_jax_is_respected(tmp_path):
    own = tmp_path / "mine"
    done = run(*SMALL, BENIGN_CACHE=tmp_path / "ours", JAX_COMPILATION_CACHE_DIR=own)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "ours" / "xla").exists()


def test_a_damaged_program_is_made_again(tmp_path):
    first = run(*SMALL, BENIGN_CACHE=tmp_path)
    for path in (tmp_path / "xla").iterdir():
        path.write_bytes(path.read_bytes()[:40])
    again = run(*SMALL, BENIGN_CACHE=tmp_path)
    assert again.returncode == 0, again.stderr
    assert again.stdout == first.stdout
    assert "Warning" not in again.stderr
