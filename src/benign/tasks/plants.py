"""The plants that come with the library: named linear systems of the literature, with their sources.

`data/plants.json` holds what the sources print, byte for byte. What a task needs besides is added here
by stated rules, and every record says what was added:

- a plant in continuous time is sampled by zero-order hold, ten times within the time constant of its
  fastest mode: dt = 1/(10 max |λ|), rounded to one digit, λ the modes of A and those of the loop that
  the continuous optimum closes (a chain of integrators has no time scale of its own);
- prices the source does not print are identities; so is S0 throughout;
- a cross term 2 s'S a in the stage cost is removed by a change of input, a = v − R⁻¹S's:
  A ← A − BR⁻¹S', Q ← Q − SR⁻¹S'; a gain W of v is then the gain W + R⁻¹S' of a;
- where rounding has left Q with a negative eigenvalue, RIDGE max |Q| is added to its diagonal;
  where it has left crumbs of a Q that the cross term cancels, they are swept away.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from scipy.linalg import solve_continuous_are

from benign.errors import FileFormatError, ProblemError
from benign.exact.numbers import exact
from benign.exact.problem import Family, Matrix, Plant, Task, make_family
from benign.tasks.sampling import zero_order_hold
from benign.tasks.wellposed import definite, require_stabilisable, symmetrised

SAMPLES = 10
"""Samples within the time constant of the fastest mode."""

RIDGE = Fraction(1, 10**9)
"""What is added to the diagonal of a Q that rounding has made indefinite, relative to max |Q|."""

CRUMB = Fraction(1, 10**12)
"""What is left of an entry of Q by cancellation is zero below this multiple of max |Q|."""

PERTURBATION = 0.02
"""Largest relative change of an entry of A or B in a sibling."""


@dataclass(frozen=True)
class Record:
    """A plant as its source prints it, in exact numbers.

    Attributes:
        name: in the file.  source: where the numbers were printed.  note: remarks of the file.
        A: (n, n).  B: (n, m).  Q: (n, n) or None.  R: (m, m) or None.
        S: (n, m) cross term 2 s'S a of the stage cost, or None.
        continuous: whether A and B are those of dx/dt = A x + B u.
    """

    name: str
    source: str
    note: str
    A: Matrix
    B: Matrix
    Q: Matrix | None
    R: Matrix | None
    S: Matrix | None
    continuous: bool

    @property
    def n(self) -> int:
        """Number of states."""
        return len(self.A)

    @property
    def m(self) -> int:
        """Number of inputs."""
        return len(self.B[0])


@dataclass(frozen=True)
class Prepared:
    """A plant that can be a task.

    Attributes:
        plant: the exact LQR problem.
        dt: the sampling time, in seconds, of a plant that was continuous; else None.
        added: what is not the source's, a phrase each.
    """

    plant: Plant
    dt: Fraction | None
    added: tuple[str, ...]


@cache
def records() -> tuple[Record, ...]:
    """Every plant of `data/plants.json`, in its order."""
    text = files("benign").joinpath("data", "plants.json").read_text(encoding="utf-8")
    return tuple(_record(entry) for entry in json.loads(text, parse_float=Decimal))


def record(name: str) -> Record:
    """The plant of that name.

    Raises:
        FileFormatError: there is none.
    """
    for one in records():
        if one.name == name:
            return one
    raise FileFormatError(f"no plant is called {name!r}; `benign.tasks.plants.records()` lists them")


def _record(entry: dict[str, Any]) -> Record:
    def matrix(key: str) -> Matrix | None:
        rows = entry.get(key)
        return None if rows is None else tuple(tuple(exact(x) for x in row) for row in rows)

    A, B = matrix("A"), matrix("B")
    assert A is not None
    assert B is not None
    S = matrix("S")
    if S is not None and not any(x for row in S for x in row):
        S = None
    return Record(
        entry["name"], entry["source"], entry["note"], A, B, matrix("Q"), matrix("R"), S,
        entry["time"] == "continuous",
    )  # fmt: skip


# --- from a record to a task -----------------------------------------------------------------


def prepare(record: Record, dt: Fraction | None = None) -> Prepared:
    """The task of a plant, by the rules above.

    Args:
        record: the plant.
        dt: the sampling time of a continuous plant, in seconds; that of the rule by default.

    Raises:
        ProblemError: Q or R is not a price (indefinite beyond rounding), or no gain stabilises.
    """
    added: list[str] = []
    A, B, Q, R = record.A, record.B, record.Q, record.R
    if Q is None or R is None:
        added.append("Q = I, R = I")
        Q, R = _identity(record.n), _identity(record.m)
    if record.continuous:
        dt = _sampling_time(A, B, Q, R, record.S) if dt is None else dt
        A, B = zero_order_hold(A, B, dt)
        added.append(f"zero-order hold, dt = {float(dt):g} s")
    else:
        dt = None
    R = _checked(record.name, "R", R)
    if record.S is not None:
        A, Q = _without_cross_term(A, B, Q, R, record.S)
        added.append("a = v − R⁻¹S's")
    Q, ridge = _semidefinite(record.name, Q)
    if ridge:
        added.append(f"Q + {ridge:.1e} I")
    try:
        require_stabilisable(A, B, Fraction(1))
    except ProblemError as error:
        raise ProblemError(f"`{record.name}`: {error}") from error
    return Prepared(Plant(A, B, Q, R, _identity(record.n)), dt, tuple(added))


def siblings(record: Record, count: int, *, seed: int = 0, size: float = PERTURBATION) -> list[Record]:
    """Plants like this one: every non-zero entry of A and B is multiplied by 1 + size·u.

    u is uniform in [−1, 1], independent, the factor rounded to six digits; zeros stay zeros, so
    that what does not act on a state still does not. A continuous plant is changed before it is
    sampled. Prices are those of the record. The same seed gives the same siblings.
    """
    rng = np.random.default_rng([seed, zlib.crc32(record.name.encode())])

    def changed(M: Matrix) -> Matrix:
        factors = 1 + size * rng.uniform(-1, 1, (len(M), len(M[0])))
        return tuple(
            tuple(x * Fraction(f"{f:.6f}") for x, f in zip(row, row_f, strict=True))
            for row, row_f in zip(M, factors.tolist(), strict=True)
        )

    return [
        replace(record, name=f"{record.name}, sibling {i}", A=changed(record.A), B=changed(record.B))
        for i in range(1, count + 1)
    ]


def family_of(records: Sequence[Record]) -> tuple[Family, tuple[Prepared, ...]]:
    """The family of these plants, all sampled at the time that suits the first of them.

    Raises:
        ProblemError: as `prepare`.
    """
    first = prepare(records[0])
    rest = [prepare(one, first.dt) for one in records[1:]]
    prepared = (first, *rest)
    tasks = [Task(one.name, done.plant) for one, done in zip(records, prepared, strict=True)]
    return make_family(tasks), prepared


# --- the rules -------------------------------------------------------------------------------


def _sampling_time(A: Matrix, B: Matrix, Q: Matrix, R: Matrix, S: Matrix | None) -> Fraction:
    """1/(SAMPLES max |λ|), rounded to one digit, over the modes of A and of its optimal loop."""
    a, b, q, r = (np.array(M, dtype=float) for M in (A, B, Q, R))
    s = np.zeros(b.shape) if S is None else np.array(S, dtype=float)
    modes = [np.linalg.eigvals(a)]
    try:
        P = solve_continuous_are(a, b, q, r, s=s)
    except (np.linalg.LinAlgError, ValueError):
        pass  # no such optimum: the modes of A are all there is to go by
    else:
        modes.append(np.linalg.eigvals(a - b @ np.linalg.solve(r, b.T @ P + s.T)))
    fastest = float(np.max(np.abs(np.concatenate(modes))))
    return Fraction(f"{1 / (SAMPLES * fastest):.0e}") if fastest > 0 else Fraction(1, SAMPLES)


def _identity(n: int) -> Matrix:
    return tuple(tuple(Fraction(int(i == j)) for j in range(n)) for i in range(n))


def _checked(name: str, key: str, M: Matrix) -> Matrix:
    try:
        M = symmetrised(M)
        if definite(M, strict=key == "R") is not M:
            raise ProblemError("must be positive semidefinite; it is not, by a rounding")
    except ProblemError as error:
        raise ProblemError(f"`{name}`: `{key}` {error}") from error
    return M


def _semidefinite(name: str, Q: Matrix) -> tuple[Matrix, float]:
    """Q ⪰ 0, with a ridge of rounding size where it needs one, and the ridge."""
    try:
        return _checked(name, "Q", Q), 0.0
    except ProblemError:
        largest = max(abs(x) for row in Q for x in row)
        ridge = Fraction(f"{float(RIDGE * largest):.1e}")
        raised = tuple(
            tuple(x + ridge * (i == j) for j, x in enumerate(row)) for i, row in enumerate(Q)
        )
        return _checked(name, "Q", raised), float(ridge)


def _without_cross_term(A: Matrix, B: Matrix, Q: Matrix, R: Matrix, S: Matrix) -> tuple[Matrix, Matrix]:
    """A − BR⁻¹S' and Q − SR⁻¹S', exactly, then rounded to float64."""
    K = _solved(R, tuple(zip(*S, strict=True)))  # R⁻¹S', (m, n)

    def less(M: Matrix, N: Matrix) -> Matrix:
        return tuple(
            tuple(
                x - sum((a * K[k][j] for k, a in enumerate(row_n)), Fraction(0))
                for j, x in enumerate(row)
            )
            for row, row_n in zip(M, N, strict=True)
        )

    def rounded(M: Matrix, crumb: Fraction) -> Matrix:
        return tuple(tuple(Fraction(float(x)) * (abs(x) > crumb) for x in row) for row in M)

    crumb = CRUMB * max(abs(x) for row in Q for x in row)
    return rounded(less(A, B), Fraction(0)), rounded(symmetrised(less(Q, S)), crumb)


def _solved(R: Matrix, right: Matrix) -> Matrix:
    """R⁻¹ right, by elimination in fractions; R ≻ 0 needs no pivoting."""
    m = len(R)
    rows = [[*R[i], *right[i]] for i in range(m)]
    for i in range(m):
        rows[i] = [x / rows[i][i] for x in rows[i]]
        for k in range(m):
            if k != i and rows[k][i]:
                rows[k] = [x - rows[k][i] * y for x, y in zip(rows[k], rows[i], strict=True)]
    return tuple(tuple(row[m:]) for row in rows)
