"""A jury for certificates: whether a claim is certainly false, found out by other means than a proof.

It shares no code with the library. It reads the document itself, computes costs by their formulas in
100 digits (`jury_line`, one state and one input) or by doubling (`jury_gains`), searches on dense
grids, and says why a claim is false; an empty answer means only that nothing speaks against it. What
is a claim here: the sentence, every number of the document that belongs to it, and that the problem
is one. The cover or the tree is not: it is the proof.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from mpmath import MPContext

Document = dict[str, Any]

MP = MPContext()
MP.dps = 100


def mpf(x: Fraction | float) -> Any:
    """In 100 digits."""
    return MP.mpf(x) if isinstance(x, float) else MP.mpf(x.numerator) / x.denominator


class NoClaimError(Exception):
    """The document says nothing that could be true: a number or the problem is none."""


# --- reading ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Numbers:
    """The exact numbers of one LQR problem; `S` holds the noise as well."""

    A: list[list[Fraction]]
    B: list[list[Fraction]]
    Q: list[list[Fraction]]
    R: list[list[Fraction]]
    S: list[list[Fraction]]
    discount: Fraction


@dataclass(frozen=True)
class Question:
    """The problem of a document: per task its weight and the costs f and g; the step."""

    weights: list[Fraction]
    f: list[Numbers]
    g: list[Numbers]
    kind: str
    eta: Fraction
    shots: int

    @property
    def shape(self) -> tuple[int, int]:
        """(n, m)."""
        return len(self.f[0].A), len(self.f[0].B[0])

    @property
    def is_one_task(self) -> bool:
        """Whether all tasks are one."""
        return all(x == self.f[0] for x in self.f) and all(x == self.g[0] for x in self.g)


def text_number(value: Any) -> Fraction:
    """A number that is written as text."""
    if not isinstance(value, str) or len(value) > 10_000:
        raise NoClaimError(f"{str(value)[:40]!r} is no number")
    try:
        top, bar, bottom = value.partition("/")
        found = Fraction(Decimal(top.strip())) / (Fraction(Decimal(bottom.strip())) if bar else 1)
        float(found)
    except (ArithmeticError, ValueError) as error:
        raise NoClaimError(f"{value[:40]!r} is no number") from error
    return found


def number(value: Any) -> Fraction | float:
    """A JSON number, exact; ±∞ as a float."""
    if value in ("inf", "-inf"):
        return float(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise NoClaimError(f"{str(value)[:40]!r} is no number")
    if isinstance(value, float) and not math.isfinite(value):
        raise NoClaimError(f"{value!r} is no number of JSON")
    return Fraction(value)


def pair(value: Any) -> tuple[Any, Any]:
    """Two bounds in order."""
    if not isinstance(value, list) or len(value) != 2:
        raise NoClaimError(f"{str(value)[:40]!r} is no pair")
    lo, hi = number(value[0]), number(value[1])
    if not lo <= hi:
        raise NoClaimError(f"the bounds {value!r} are reversed")
    return lo, hi


def question(document: Any) -> Question:
    """The problem of a document, exact: R ≻ 0, Q, S0 and noise ⪰ 0, weights that sum to one."""
    try:
        tasks, step = document["tasks"], document["step"]
        weights = [text_number(task["weight"]) for task in tasks]
        f = [_numbers(task["cost"]) for task in tasks]
        g = [
            x if task.get("adaptation") is None else _numbers(task["adaptation"])
            for x, task in zip(f, tasks, strict=True)
        ]
        made = Question(weights, f, g, step["kind"], text_number(step["eta"]), step["shots"])
        names = [task["name"] for task in tasks]
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise NoClaimError(f"the problem is malformed: {error!r}") from error
    if (
        not tasks
        or sum(weights) != 1
        or min(weights) <= 0
        or not all(isinstance(x, str) for x in names)
    ):
        raise NoClaimError("the weights are not positive, or do not sum to one")
    if made.kind not in ("gradient", "normalized") or made.eta <= 0:
        raise NoClaimError("no such step")
    if isinstance(made.shots, bool) or not isinstance(made.shots, int) or made.shots < 1:
        raise NoClaimError(f"{made.shots!r} shots")
    shapes = {(len(x.A), len(x.B[0])) for x in (*f, *g)}
    if len(shapes) != 1:
        raise NoClaimError("tasks of several shapes")
    return made


def _numbers(entry: Any) -> Numbers:
    A, B, Q, R, S = (_matrix(entry[key]) for key in ("A", "B", "Q", "R", "S0"))
    n, m = len(A), len(B[0])
    discount = text_number(entry.get("discount", "1"))
    if not 0 < discount <= 1:
        raise NoClaimError(f"discount {discount}")
    shapes = ((A, n, n), (B, n, m), (Q, n, n), (R, m, m), (S, n, n))
    noise = _matrix(entry["noise"]) if "noise" in entry else None
    if noise is not None:
        if discount == 1:
            raise NoClaimError("noise without a discount")
        shapes = (*shapes, (noise, n, n))
    if any(len(M) != rows or {len(row) for row in M} != {columns} for M, rows, columns in shapes):
        raise NoClaimError("a matrix has the wrong shape")
    for M, strict in ((Q, False), (R, True), (S, False), *([(noise, False)] if noise else [])):
        if not _is_semidefinite(M, strict=strict):
            raise NoClaimError("a matrix is not semidefinite, or R not definite")
    if noise is not None:
        factor = discount / (1 - discount)
        S = [
            [x + factor * y for x, y in zip(*rows, strict=True)] for rows in zip(S, noise, strict=True)
        ]
    return Numbers(A, B, Q, R, S, discount)


def _matrix(value: Any) -> list[list[Fraction]]:
    if not isinstance(value, list) or not value or not all(isinstance(r, list) and r for r in value):
        raise NoClaimError(f"{str(value)[:40]!r} is no matrix")
    return [[text_number(x) for x in row] for row in value]


def _is_semidefinite(M: list[list[Fraction]], *, strict: bool) -> bool:
    """By exact elimination, a row at a time: pivots ≥ 0, and a zero pivot only in a row of zeros."""
    M = [list(row) for row in M]
    n = len(M)
    if any(M[i][j] != M[j][i] for i in range(n) for j in range(i)):
        return False
    for k in range(n):
        pivot = M[k][k]
        if pivot < 0 or (pivot == 0 and (strict or any(M[k][k:]))):
            return False
        for i in range(k + 1, n):
            if pivot:
                factor = M[i][k] / pivot
                M[i] = [x - factor * y for x, y in zip(M[i], M[k], strict=True)]
    return True


# --- the verdict ------------------------------------------------------------------------------------

Judge = Callable[[Document, Question], str]

JUDGES: dict[str, Judge] = {}
"""By claim: why it is false, or nothing. A claim without a judge cannot be forged in the tests."""


def judge(*claims: str) -> Callable[[Judge], Judge]:
    """Enter a function as the judge of some claims."""

    def enter(function: Judge) -> Judge:
        JUDGES.update(dict.fromkeys(claims, function))
        return function

    return enter


def falsehood(document: Document) -> str:
    """Why the claim of a document is certainly false; empty if nothing speaks against it."""
    import jury_gains  # noqa: F401 - they enter their judges
    import jury_line  # noqa: F401
    import jury_pairs  # noqa: F401
    import jury_radius  # noqa: F401

    try:
        claim = document["claim"]
        if not isinstance(claim, str) or claim not in JUDGES:
            raise NoClaimError(f"there is no claim {str(claim)[:40]!r}")
        return JUDGES[claim](document, question(document["problem"]))
    except NoClaimError as error:
        return str(error)
    except KeyError as error:
        return f"{error} is missing"
    except (TypeError, ValueError, IndexError) as error:
        # Entries of another kind than a claim has: nothing that may be accepted, whatever it says.
        return f"malformed: {error}"


def only(entry: Any, keys: set[str]) -> None:
    """Nothing is said beside what is judged.

    Raises:
        NoClaimError: another key.
    """
    if not isinstance(entry, dict) or set(entry) - keys:
        raise NoClaimError("something is said that nothing proves")


def verdict_on(document: Document, values: list[Any], complete: bool) -> str:
    """Why minimum, ε or status are false, given the values of all local minima that were found.

    A found minimum is one; that there is no other (`complete`) is as good as the search.
    """
    lo, hi = map(mpf, pair(document["minimum"]))
    least, most = min(values), max(values)
    if lo > least:
        return f"minimum: h is {float(least)!r} somewhere, below {float(lo)!r}"
    if complete and hi < least:
        return f"minimum: no value is as low as {float(hi)!r}"
    # Two roots are known to 75 digits: a gap of less is none.
    gap = most - least if most - least > abs(least) * MP.mpf(10) ** -60 else MP.mpf(0)
    lo, hi = map(mpf, pair(document["epsilon"]))
    if hi < gap:
        return f"epsilon: it is {float(gap)!r} at least"
    if complete and lo > gap:
        return f"epsilon: it is {float(gap)!r}"
    asked, status = mpf(text_number(document["asked"])), document["status"]
    if status not in ("proved", "refuted", "undecided") or asked < 0:
        raise NoClaimError(f"status {status!r} of {asked}")
    if status == "proved" and gap > asked:
        return f"status: epsilon is {float(gap)!r}, more than {float(asked)!r}"
    if complete and status == "refuted" and gap <= asked:
        return f"status: epsilon is {float(gap)!r}, not more than {float(asked)!r}"
    return ""
