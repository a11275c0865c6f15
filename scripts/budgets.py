"""Budgets and scale, measured: every verb and regime at 5 s and at 20 s, and families at the limits.

    python scripts/budgets.py              # prints both tables, in Markdown
    python scripts/budgets.py budgets 5    # one of them, one budget
    python scripts/budgets.py scale

Run it on a machine that does nothing else. Each line is a process of its own; a budget holds where the
process takes no longer than 1.5 times what was asked for and 2 s. The exit status is 1 where one does
not. "CPU" is the processor time of all its threads: on a machine that others use it says what the
time on an idle one would be.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ALLOWED = 1.5, 2.0
"""A verb may take this multiple of its budget, and so many seconds more."""

LONGEST = 600.0
"""Seconds after which a process is ended."""


# --- families ---------------------------------------------------------------------------------


def scalar_family(path: Path, k: int) -> Path:
    """k tasks of one state and one input."""
    rng = np.random.default_rng(0)
    lines = ["benign = 1", "[defaults]", "Q = 1", "R = 1"]
    pairs = zip(0.9 + 0.05 * rng.random(k), 0.5 + 0.1 * rng.random(k), strict=True)
    lines += [f"[[tasks]]\nA={a:.4f}\nB={b:.4f}" for a, b in pairs]
    path.write_text("\n".join(lines) + "\n")
    return path


def family(path: Path, n: int, m: int, k: int) -> Path:
    """k tasks of n states and m inputs, near one another."""
    rng = np.random.default_rng(0)
    A, B = rng.normal(size=(n, n)), rng.normal(size=(n, m))
    A *= 0.9 / np.abs(np.linalg.eigvals(A)).max()
    lines = ["benign = 1", "[defaults]", f"Q = {rows(np.eye(n), 0)}", f"R = {rows(np.eye(m), 0)}"]
    for _ in range(k):
        near = (X + 0.01 * rng.normal(size=X.shape) for X in (A, B))
        entries = (f"{name}={rows(X)}" for name, X in zip("AB", near, strict=True))
        lines.append("\n".join(["[[tasks]]", *entries]))
    path.write_text("\n".join(lines) + "\n")
    return path


def rows(X: np.ndarray, digits: int = 3) -> str:
    """A matrix as TOML has it."""
    return "[" + ",".join("[" + ",".join(f"{x:.{digits}f}" for x in row) + "]" for row in X) + "]"


# --- one process ------------------------------------------------------------------------------


def run(*arguments: str, limit: float = LONGEST) -> tuple[float, float, int, float, str]:
    """Seconds, of the processor too, exit status (124 where it was ended), peak MB, words."""
    with tempfile.TemporaryFile("w+") as told, tempfile.TemporaryFile("w+") as errors:
        began = time.perf_counter()
        command = [sys.executable, "-m", "benign.cli", *arguments]
        process = subprocess.Popen(command, stdout=told, stderr=errors, cwd=tempfile.gettempdir())
        status, usage = None, None
        while status is None and time.perf_counter() - began < limit:
            pid, code, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                status = os.waitstatus_to_exitcode(code)
            else:
                time.sleep(0.02)
        if status is None:
            process.kill()
            _, _, usage = os.wait4(process.pid, 0)
            status = 124
        seconds = time.perf_counter() - began
        told.seek(0)
        errors.seek(0)
        assert usage is not None
        busy, peak = usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024
        return seconds, busy, status, peak, first_words(told.read(), errors.read())


def first_words(told: str, errors: str) -> str:
    """What was said: the verdict's word, or the error."""
    for line in told.splitlines():
        head = line.strip().split(":")[0]
        if head in ("PROVED", "REFUTED", "UNDECIDED", "OBSERVED", "proved", "observed"):
            return head.lower()
    for line in errors.splitlines():
        if line.startswith("benign: error:") and "budget" not in errors:
            return line.removeprefix("benign: error: ")[:60]
    return "too little time" if "budget" in errors else "done"


# --- the tables -------------------------------------------------------------------------------


def regimes(where: Path) -> list[tuple[str, list[str], str]]:
    """(what, the command without its budget, the option that gives it)."""
    many = str(scalar_family(where / "s10000.toml", 10_000))
    eight = str(family(where / "n8.toml", 8, 2, 5))
    thirty = str(family(where / "n30.toml", 30, 2, 3))
    hundred = str(family(where / "n100.toml", 100, 1, 1))
    planes = str(family(where / "n4x5000.toml", 4, 1, 5000))
    small, out = ["--eta", "0.0001"], str(where / "out")
    table = [
        ("analyze, one parameter", ["analyze", "cruise-control", "--eta", "0.05"]),
        ("analyze, 500 shots", ["analyze", "cruise-control", "--shots", "500"]),
        ("analyze, 100,000 shots", ["analyze", "cruise-control", "--shots", "100000"]),
        ("analyze, normalised, 500 shots",
         ["analyze", "cruise-control", "--shots", "500", "--step", "normalized"]),
        ("analyze, 10,000 scalar tasks", ["analyze", many, "--eta", "0.05"]),
        ("analyze, one parameter, searched", ["analyze", "cruise-control", "--proof", "off"]),
        ("analyze, two parameters", ["analyze", "four-masses", "--eta", "0.01"]),
        ("analyze, two parameters, saved",
         ["analyze", "four-masses", "--eta", "0.01", "--out", out]),
        ("analyze, two parameters, proof required",
         ["analyze", "four-masses", "--eta", "0.01", "--proof", "required"]),
        ("analyze, 5,000 tasks of n = 4", ["analyze", planes, *small]),
        ("analyze, three step sizes", ["analyze", "four-masses", "--eta", "0.01,0.005,0.002"]),
        ("analyze, eight parameters", ["analyze", "boeing-747-ten", *small]),
        ("analyze, n = 8", ["analyze", eight, *small]),
        ("analyze, n = 30", ["analyze", thirty, *small]),
        ("analyze, n = 100", ["analyze", hundred, *small]),
        ("recommend, one parameter", ["recommend", "paper-figure-2", "--eta", "0.05"]),
        ("recommend, two parameters", ["recommend", "four-masses", "--eta", "0.01"]),
        ("recommend, eight parameters", ["recommend", "boeing-747-ten", *small]),
        ("bifurcate, one shot", ["bifurcate", "paper-figure-3b"]),
        ("bifurcate, 100 shots", ["bifurcate", "paper-figure-3b", "--shots", "100"]),
        ("train, one parameter",
         ["train", "cruise-control", "--steps", "10000000", "--beta", "1e-9", "--tolerance", "0"]),
        ("train, eight parameters",
         ["train", "boeing-747-ten", *small, "--steps", "10000000", "--beta", "1e-12"]),
    ]  # fmt: skip
    return [
        (what, command, "--seconds" if command[0] == "train" else "--budget") for what, command in table
    ]


def budgets(which: list[float]) -> bool:
    """Print the table; whether all held."""
    held = True
    print("| verb and regime | asked, s | took, s | CPU, s | exit | answer | peak, MB |")
    print("|-|-|-|-|-|-|-|")
    with tempfile.TemporaryDirectory() as folder:
        for what, command, option in regimes(Path(folder)):
            for asked in which:
                most = ALLOWED[0] * asked + ALLOWED[1]
                took, busy, status, peak, said = run(*command, option, f"{asked:g}s", limit=4 * most)
                mark = "" if took <= most else " **late**"
                held &= took <= most
                row = f"| {what} | {asked:g} | {took:.1f}{mark} | {busy:.1f} | {status} | {said} "
                print(f"{row}| {peak:.0f} |", flush=True)
    return held


def scale() -> bool:
    """Print the table of families at the limits: all of them end, or are refused."""
    print("| family | command | took, s | CPU, s | exit | answer | peak, MB |")
    print("|-|-|-|-|-|-|-|")
    fine = True
    with tempfile.TemporaryDirectory() as folder:
        where = Path(folder)
        line = str(scalar_family(where / "scalar.toml", 100_000))
        planes = str(family(where / "planes.toml", 4, 1, 20_000))
        large = str(family(where / "large.toml", 200, 1, 1))
        cases = [
            ("100,000 tasks of n = 1", ["analyze", line, "--eta", "0.05"]),
            ("100,000 tasks of n = 1", ["analyze", line, "--eta", "0.05", "--budget", "60s"]),
            ("100,000 tasks of n = 1, normalised",
             ["analyze", line, "--eta", "0.05", "--step", "normalized"]),
            ("20,000 tasks of n = 4", ["analyze", planes, "--eta", "0.0001", "--budget", "60s"]),
            ("20,000 tasks of n = 4, proof required",
             ["analyze", planes, "--eta", "0.0001", "--proof", "required", "--budget", "60s"]),
            ("20,000 tasks of n = 4", ["train", planes, "--eta", "0.0001", "--steps", "20"]),
            ("one task of n = 200", ["analyze", large, "--eta", "0.00001", "--budget", "60s"]),
            ("four tasks of n = 1, 50 shots",
             ["analyze", "cruise-control", "--eta", "0.05", "--shots", "50"]),
            ("four tasks of n = 2, 50 shots",
             ["analyze", "four-masses", "--eta", "0.001", "--shots", "50", "--budget", "60s"]),
        ]  # fmt: skip
        for what, command in cases:
            took, busy, status, peak, said = run(*command)
            fine &= status in (0, 2, 3)
            words = " ".join(word for word in command if not word.startswith("/"))
            row = f"| {what} | {words} | {took:.1f} | {busy:.1f} | {status} | {said} | {peak:.0f} |"
            print(row, flush=True)
    return fine


if __name__ == "__main__":
    what = sys.argv[1] if len(sys.argv) > 1 else "all"
    asked = [float(x) for x in sys.argv[2:]] or [5.0, 20.0]
    done = [budgets(asked)] if what in ("all", "budgets") else []
    done += [scale()] if what in ("all", "scale") else []
    sys.exit(0 if all(done) else 1)
