"""Complete proofs of scalar families, and what the peers take for less.

SymPy's real roots are exact but know nothing of the domain, of several shots or of hundreds of tasks;
SciPy's multistart proves nothing.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from fractions import Fraction
from pathlib import Path

import numpy as np
import sympy
from scipy.optimize import minimize_scalar

from benchmarks.progress import say
from benchmarks.report import Section
from benchmarks.timing import median
from benign.certificates.check import check
from benign.exact import algebra as rational
from benign.exact.problem import Plant, Problem, Task, make_family, make_step
from benign.floats.scalar import GradientObjective
from benign.prove.line.enumeration import analyze
from benign.tasks.files import bundled_path, load


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


CASES = (
    ("Figure 3b, 2 tasks, η = 0.05", lambda: paper("3b", "0.05"), 1.0, True),
    ("Figure 3c, 5 tasks, η = 0.05", lambda: paper("3c", "0.05"), 1.0, True),
    ("Figure 3d, 11 tasks, η = 0.05", lambda: paper("3d", "0.05"), 0.040, True),
    ("Figure 3d, 11 tasks, 3 shots", lambda: paper("3d", "0.05", 3), 0.100, False),
    ("Figure 3d, 11 tasks, normalised", lambda: paper("3d", "0.1", 1, "normalized"), 1.0, False),
    ("random, 100 tasks", lambda: random_family(100, "0.05"), 1.0, False),
    ("random, 1,000 tasks", lambda: random_family(1000, "0.05"), 0.300, False),
    ("random, 10,000 tasks", lambda: random_family(10_000, "0.05"), 3.0, False),
)
"""Name, problem, seconds aimed at, whether SymPy can take its numerator."""


def proofs(section: Section, cases=CASES) -> None:
    """Times of complete proofs, the widths they reach, and the peers on the same problem."""
    for name, make, target, algebraic in cases:
        say(name)
        problem = make()
        k = len(problem.tasks)
        landscape = analyze(problem)
        ours = median(lambda p=problem: analyze(p), repeat=5 if k > 500 else 15)
        section.add(name, "ours, s", ours, target, at_most=True)
        section.add(name, "boxes", landscape.facts["boxes"])
        section.add(name, "widest W", max(p.at.width / abs(p.at.mid) for p in landscape.minima))
        section.add(name, "widest h", max(p.value.width / p.value.mid for p in landscape.minima))
        if k <= 1000:
            check_time = median(lambda c=landscape.certificate: check(c), repeat=3, warm=0)
            section.add(name, "check, s", check_time)
        if algebraic:
            roots = median(lambda p=problem: sympy_roots(p), 1, warm=0)
            section.add(name, "SymPy intervals", roots / ours)
            if k <= 5:
                section.add(
                    name, "SymPy nroots", median(lambda p=problem: sympy_nroots(p), 1, warm=0) / ours
                )
        if problem.step.kind == "gradient" and k <= 1000:
            starts = median(lambda p=problem: multistart(p), 1, warm=0)
            section.add(name, "SciPy multistart", starts / ours)


def commands(section: Section) -> None:
    """Whole processes."""
    say("whole processes")
    section.add("`benign --help`", "ours, s", process("--help"), 0.3, at_most=True)
    with tempfile.TemporaryDirectory() as out:
        analysed = process("analyze", "paper-figure-3d", "--eta", "0.05", "--out", out)
    section.add(
        "`benign analyze paper-figure-3d --eta 0.05 --out DIR`", "ours, s", analysed, 1.5, at_most=True
    )


def run() -> Section:
    """Proofs, then whole processes."""
    section = Section(
        "Complete proofs of scalar families",
        "Seconds are medians, warm, certificate included; the peers are multiples of our time on the "
        "same problem and do less: SymPy's roots know nothing of the domain, SciPy proves nothing.",
    )
    proofs(section)
    commands(section)
    return section
