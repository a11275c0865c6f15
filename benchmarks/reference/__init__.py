"""Compiles and loads `lqr.cpp`; without a compiler there is no reference and the tables say so."""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import numpy as np

from benchmarks.problems import Bench

SOURCE = Path(__file__).with_name("lqr.cpp")
FLAGS = ("-O3", "-march=native", "-std=c++17", "-shared", "-fPIC")

DOUBLES = ctypes.POINTER(ctypes.c_double)
INTEGERS = ctypes.POINTER(ctypes.c_int64)


def compiler() -> str | None:
    """The C++ compiler: $CXX, or g++."""
    return shutil.which(os.environ.get("CXX") or "g++")


@cache
def compiler_version() -> str:
    """The first line of what the compiler says of itself."""
    command = compiler()
    if command is None:
        return "none"
    out = subprocess.run([command, "--version"], check=True, capture_output=True, text=True).stdout
    return out.splitlines()[0]


@cache
def library() -> ctypes.CDLL:
    """The compiled reference; compiled once for each source and compiler.

    Raises:
        RuntimeError: there is no C++ compiler.
    """
    command = compiler()
    if command is None:
        raise RuntimeError("no C++ compiler: install g++ or set CXX")
    key = hashlib.sha256(SOURCE.read_bytes() + compiler_version().encode()).hexdigest()[:16]
    folder = SOURCE.parent / "build"
    target = folder / f"lqr-{key}.so"
    if not target.exists():
        folder.mkdir(exist_ok=True)
        # Under another name first: of two processes that compile at once neither loads half a file.
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            made = Path(scratch) / "lqr.so"
            subprocess.run([command, *FLAGS, str(SOURCE), "-o", str(made)], check=True)
            made.replace(target)
    loaded = ctypes.CDLL(str(target))
    loaded.peak_flops.restype = ctypes.c_double
    loaded.peak_quotients.restype = ctypes.c_double
    return loaded


def _pointer(array: np.ndarray):
    return array.ctypes.data_as(INTEGERS if array.dtype == np.int64 else DOUBLES)


def _call(name: str, bench: Bench, *more: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    fields = [
        np.ascontiguousarray(x, float)
        for x in (bench.A, bench.B, bench.Q, bench.R, bench.S0, bench.weights)
    ]
    gains = np.ascontiguousarray(bench.gains, float)
    values, gradients = np.empty(len(gains)), np.empty_like(gains)
    missing = getattr(library(), name)(
        ctypes.c_int(bench.n),
        ctypes.c_int(bench.m),
        ctypes.c_int64(bench.k),
        *map(_pointer, fields),
        ctypes.c_double(bench.eta),
        ctypes.c_int64(len(gains)),
        *map(_pointer, (gains, values, gradients, *more)),
    )
    if missing:
        raise ValueError(f"lqr.cpp was not compiled for (n, m) = {bench.size}; add it to SIZES there")
    return values, gradients


def value_and_gradient(bench: Bench) -> tuple[np.ndarray, np.ndarray]:
    """h and its gradient at every start, +∞ and zeros where infeasible."""
    return _call("value_and_gradient", bench)


def count(bench: Bench) -> dict[str, float]:
    """Floating-point operations for each start and task of the reference's arithmetic, counted."""
    counts = np.zeros(3, np.int64)
    _call("count_operations", bench, counts)
    additions, products, quotients = (float(c) / bench.work for c in counts)
    return {"flops": additions + products, "quotients": quotients}


@cache
def peaks() -> dict[str, float]:
    """What one core can do: fused multiply-adds (two operations each) and quotients a second."""
    sink = np.array([0.999999, 1e-9, 0.0])
    flops = max(library().peak_flops(ctypes.c_int64(4_000_000), _pointer(sink)) for _ in range(9))
    quotients = max(library().peak_quotients(ctypes.c_int64(500_000), _pointer(sink)) for _ in range(9))
    return {"flops": flops, "quotients": quotients}


def least_seconds(bench: Bench) -> float:
    """Seconds per start and task below which this core cannot do the counted operations.

    Multiply-adds and quotients run in different units, so the slower of the two is the limit.
    """
    counts, best = count(bench.first(64)), peaks()
    return max(counts[unit] / best[unit] for unit in best)
