"""README's Python and the verbs at the oldest and the newest versions of the dependencies allowed.

    python scripts/versions.py [lowest-direct|highest …]

Each is a fresh environment with the wheel and nothing else, made by uv: the oldest on the interpreter
that runs this, the newest on the newest Python found (or NEWEST_PYTHON). What constraints.txt pins does
not hold here; that is the point.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NEWEST = 14
"""Python 3.NEWEST is looked for first."""

VERBS = (
    ["analyze", "cruise-control", "--eta", "0.05", "--out", "out/analyze"],
    ["check", "out/analyze/certificate.json"],
    ["train", "four-masses", "--steps", "5", "--out", "out/train"],
    ["recommend", "paper-figure-2", "--budget", "120s"],
    ["analyze", "boeing-747", "--budget", "120s"],
)


def run(*command, cwd):
    """Run it; end with what it wrote if it fails."""
    done = subprocess.run([*map(str, command)], cwd=cwd, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}: {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done.stdout


def newest_python():
    """NEWEST_PYTHON, or the newest interpreter that starts."""
    if "NEWEST_PYTHON" in os.environ:
        return os.environ["NEWEST_PYTHON"]
    for minor in range(NEWEST, 10, -1):
        found = shutil.which(f"python3.{minor}")
        if found and subprocess.run([found, "--version"], capture_output=True).returncode == 0:
            return found
    return sys.executable


def steps_of_readme():
    """README's Python, as one program."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return "\n".join(re.findall(r"```python\n(.*?)```", text, re.S))


def try_versions(resolution, python, folder):
    """A fresh environment, README and the verbs in it."""
    folder.mkdir()
    uv, bin = (sys.executable, "-m", "uv"), folder / "venv" / "bin"
    run(*uv, "venv", "--quiet", "--python", python, folder / "venv", cwd=folder)
    into = ("--python", bin / "python", "--resolution", resolution)
    run(*uv, "pip", "install", "--quiet", *into, ROOT, cwd=folder)
    (folder / "readme.py").write_text(steps_of_readme(), encoding="utf-8")
    run(bin / "python", "readme.py", cwd=folder)
    for verb in VERBS:
        run(bin / "benign", *verb, cwd=folder)
    version = run(bin / "python", "--version", cwd=folder).strip()
    listed = run(*uv, "pip", "freeze", "--python", bin / "python", cwd=folder)
    main = [x for x in listed.split() if x.startswith(("jax=", "numpy=", "equinox=", "scipy="))]
    print(f"{resolution}: {version}, {', '.join(main)}: README and {len(VERBS)} verbs run")


if __name__ == "__main__":
    asked = sys.argv[1:] or ["lowest-direct", "highest"]
    with tempfile.TemporaryDirectory() as folder:
        for resolution in asked:
            python = sys.executable if resolution == "lowest-direct" else newest_python()
            try_versions(resolution, python, Path(folder) / resolution)
