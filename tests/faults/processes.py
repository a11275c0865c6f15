"""The command as a process with limits of its own and no rights but those of an ordinary user."""

import json
import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree

LIMITED = """
import ctypes, json, os, resource, sys
limits = json.loads(sys.argv[1])
if os.geteuid() == 0:  # as an ordinary user: permissions count (CAP_DAC_*, CAP_FOWNER)
    for capability in (1, 2, 3):
        ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)
for name, most in limits.items():
    resource.setrlimit(getattr(resource, name), (most, most))
os.execv(sys.executable, [sys.executable, "-m", "benign.cli", *sys.argv[2:]])
"""


HEARD = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""
"""A test run in the background ignores Ctrl-C, and its children would."""


@contextmanager
def a_place():
    """A directory that goes again."""
    folder = Path(tempfile.mkdtemp(prefix="benign-faults-"))
    try:
        yield folder
    finally:
        rmtree(folder, ignore_errors=True)


def run(*arguments, cwd, largest_file=None, memory=None, timeout=120, stdout=None, **environment):
    """Status, stdout and stderr of `benign …` in a directory, for whose temporary files it is, too."""
    limits = {"RLIMIT_FSIZE": largest_file, "RLIMIT_AS": memory}
    limits = {name: most for name, most in limits.items() if most is not None}
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, json.dumps(limits), *map(str, arguments)],
        stdout=stdout or subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
        cwd=cwd, timeout=timeout, check=False,
        env={**os.environ, "COLUMNS": "100", "TMPDIR": str(cwd), **environment},
    )  # fmt: skip
    told = "" if done.stdout is None else done.stdout.decode(errors="replace")
    return done.returncode, told, done.stderr.decode(errors="replace")
