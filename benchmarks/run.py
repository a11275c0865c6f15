"""Times the proofs and their peers in one process and writes a table (Markdown and JSON).

Run it with `make bench`. Every figure is a median; a peer's column is a ratio to our time for the same
problem in the same run. What the peers give is less: SymPy's real roots are exact but know nothing of
the domain, of several shots or of hundreds of tasks; SciPy's multistart proves nothing.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path

import numpy as np
import sympy
from rich.console import Console
from scipy.optimize import minimize_scalar

from benign.certificates.check import check
from benign.landscape.analyze import analyze
from benign.rigorous import rational
from benign.rigorous.problem import Plant, Problem, Task, make_family, make_step
from benign.rigorous.scalar import GradientObjective
from benign.tasks.files import bundled_path, load

HERE = Path(__file__).parent
RESULTS = HERE / "results"
progress = Console(stderr=True)


def median(run: Callable[[], object], repeat: int, warm: int = 1) -> float:
    """Median seconds of a call, after warming up."""
    for _ in range(warm):
        run()
    seconds = []
    for _ in range(repeat):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def paper(name: str, eta: str, shots: int = 1, kind: str = "gradient") -> Problem:
    """A family of the paper."""
    return Problem(load(bundled_path(f"paper-figure-{name}")).family, make_step(kind, eta, shots))


def random_family(k: int, eta: str, seed: int = 0) -> Problem:
    """k tasks drawn around the paper's: a near 1, q and r log-uniform in 1 … 5."""
    rng = np.random.default_rng(seed)

    def one(x: float) -> tuple[tuple[Fraction, ...], ...]:
        return ((Fraction(x),),)

    tasks = []
    for i in range(k):
        a, q, r = rng.uniform(0.9, 1.1), *np.exp(rng.uniform(0, np.log(5), 2))
        tasks.append(Task(f"task {i}", Plant(one(a), one(1.0), one(q), one(r), one(1.0))))
    return Problem(make_family(tasks), make_step("gradient", eta))


def multistart(problem: Problem, starts: int = 1000) -> list[float]:
    """Minima that SciPy's bounded scalar minimiser finds from as many small brackets."""
    objective = GradientObjective(problem)
    plants = [task.f for task in problem.tasks]
    a, b, q, r, s = (
        np.array([float(getattr(p, key)[0][0]) for p in plants]) for key in ("A", "B", "Q", "R", "S0")
    )
    weights, eta = np.array([float(w) for w in problem.weights]), float(problem.step.eta)

    def h(w: float) -> float:
        x = np.full_like(a, w)
        for _ in range(problem.step.shots):
            c = a - b * x
            room = 1 - c * c
            if (room <= 0).any():
                return np.inf
            x = x - eta * s * (2 * r * x * room - 2 * b * c * (q + r * x * x)) / room**2
        c = a - b * x
        room = 1 - c * c
        return np.inf if (room <= 0).any() else float(weights @ (s * (q + r * x * x) / room))

    left, right = objective.g.rims
    edges = np.linspace(left.hi.max(), right.lo.min(), starts + 1)
    found = []
    with np.errstate(all="ignore"):
        for lo, hi in zip(edges, edges[1:], strict=False):
            result = minimize_scalar(h, bounds=(lo, hi), method="bounded")
            if np.isfinite(result.fun) and lo + 1e-5 < result.x < hi - 1e-5:
                found.append(float(result.x))
    return found


def sympy_roots(problem: Problem) -> int:
    """Real roots of the numerator of h' by SymPy's exact isolation."""
    coefficients = [int(c) for c in rational.slope(problem).numerator.numer().coeffs()]
    x = sympy.Symbol("x")
    return len(sympy.Poly(coefficients[::-1], x).intervals(inf=0, sup=2))


def sympy_nroots(problem: Problem) -> int:
    """All roots of the numerator of h' by SymPy's `nroots`."""
    coefficients = [int(c) for c in rational.slope(problem).numerator.numer().coeffs()]
    x = sympy.Symbol("x")
    return len(sympy.Poly(coefficients[::-1], x).nroots(n=15, maxsteps=500))


def process(*arguments: str) -> float:
    """Median seconds of a whole process."""
    command = [str(Path(sys.executable).parent / "benign"), *arguments]
    return median(lambda: subprocess.run(command, check=True, capture_output=True), repeat=5)


def proofs() -> list[dict[str, object]]:
    """Times of complete proofs, the widths they reach, and the peers on the same problem."""
    cases = [
        ("Figure 3b, 2 tasks, η = 0.05", paper("3b", "0.05"), 1.0, True),
        ("Figure 3c, 5 tasks, η = 0.05", paper("3c", "0.05"), 1.0, True),
        ("Figure 3d, 11 tasks, η = 0.05", paper("3d", "0.05"), 0.040, True),
        ("Figure 3d, 11 tasks, 3 shots", paper("3d", "0.05", 3), 0.100, False),
        ("Figure 3d, 11 tasks, normalised", paper("3d", "0.1", 1, "normalized"), 1.0, False),
        ("random, 100 tasks", random_family(100, "0.05"), 1.0, False),
        ("random, 1,000 tasks", random_family(1000, "0.05"), 0.300, False),
        ("random, 10,000 tasks", random_family(10_000, "0.05"), 3.0, False),
    ]
    rows: list[dict[str, object]] = []
    for name, problem, target, algebraic in cases:
        progress.print(f"  {name} …")
        large = len(problem.tasks) > 500
        landscape = analyze(problem)
        ours = median(lambda p=problem: analyze(p), repeat=5 if large else 15)
        row: dict[str, object] = {
            "case": name,
            "seconds": ours,
            "target": target,
            "boxes": landscape.facts["boxes"],
            "widest W": max(p.W.width / abs(p.W.mid) for p in landscape.minimizers),
            "widest h": max(p.value.width / p.value.mid for p in landscape.minimizers),
        }
        if len(problem.tasks) <= 1000:
            row["check"] = median(lambda c=landscape.certificate: check(c), repeat=3, warm=0)
        if algebraic:
            row["SymPy intervals"] = median(lambda p=problem: sympy_roots(p), 1, warm=0) / ours
            if len(problem.tasks) <= 5:
                row["SymPy nroots"] = median(lambda p=problem: sympy_nroots(p), 1, warm=0) / ours
        if problem.step.kind == "gradient" and len(problem.tasks) <= 1000:
            row["SciPy multistart"] = median(lambda p=problem: multistart(p), 1, warm=0) / ours
        rows.append(row)
    return rows


def commands() -> list[dict[str, object]]:
    """Whole processes."""
    progress.print("  whole processes …")
    out = str(RESULTS / "scratch")
    return [
        {"case": "benign --help", "seconds": process("--help"), "target": 0.3},
        {
            "case": "benign analyze paper-figure-3d --eta 0.05 --out DIR",
            "seconds": process("analyze", "paper-figure-3d", "--eta", "0.05", "--out", out),
            "target": 1.5,
        },
    ]


def table(rows: list[dict[str, object]]) -> str:
    """Rows as a Markdown table."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    lines = ["| " + " | ".join(columns) + " |", "|" + "-|" * len(columns)]
    for row in rows:
        cells = []
        for column in columns:
            value = row.get(column, "")
            cells.append(f"{value:.3g}" if isinstance(value, float) else str(value))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Measure, print and write the tables."""
    RESULTS.mkdir(exist_ok=True)
    proved, processes = proofs(), commands()
    machine = {
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        **{name: version(name) for name in ("numpy", "python-flint", "scipy", "sympy")},
    }
    text = "\n\n".join(
        [
            "# Complete proofs of scalar families",
            "Seconds are medians, warm, certificate included. `target` is the time aimed at. "
            "The peers' columns are multiples of our time on the same problem.",
            table(proved),
            "# Whole processes",
            table(processes),
            "Machine: " + ", ".join(f"{key} {value}" for key, value in machine.items()),
        ]
    )
    (RESULTS / "scalar.md").write_text(text + "\n", encoding="utf-8")
    document = {"machine": machine, "proofs": proved, "processes": processes}
    (RESULTS / "scalar.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
