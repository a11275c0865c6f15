"""Proving again that h is finite at no gain, or exceeds a level at every gain.

W has to stabilise the adaptation plant g of every task, and so have the gains it is adapted to, up to
F_τ(W), for f. The proofs that are known, by their kind:

`farkas`
    One input, any step. Each plant gives n + 1 inequalities G W + h > 0 that its stabilising gains
    meet (`benign.exact.simplex`); weights y ≥ 0, y ≠ 0, with y'G = 0 and y'h ≤ 0 show that no gain
    meets all of them: y'(G W + h) would be positive and is y'h. All in integers and fractions.
`rims`
    One state, one input: one plant's stabilising gains lie right of another's. The rims are exact
    numbers x ± √y.
`cover`
    One state, one input, gradient step: a cover of the line whose tags (`benign.exact.cover`) leave
    nothing of the domain.
`pieces`
    One state, one input, normalised step: the pieces (`benign.exact.pieces`) are derived anew, and
    there is none.
`tree`
    Two to four parameters, gradient step: boxes (`benign.certificates.infeasible_tree`). Such a proof
    may be of a finite level, and of a box.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from flint import fmpq, fmpq_mat, fmpz

from benign.balls.scalar import BallObjective
from benign.certificates.claim import Claim, Cost, Document, Progress
from benign.certificates.covered import cover_cost, prove_cover
from benign.certificates.gains import require_well_posed
from benign.certificates.infeasible_tree import TREE, prove_tree, tree_cost
from benign.certificates.pieced import piece_cost
from benign.certificates.reading import Refused, number
from benign.exact.cover import runs
from benign.exact.pieces import pieces
from benign.exact.plants import scalar_plants
from benign.exact.problem import Problem
from benign.exact.rounding import at_least, at_most
from benign.exact.simplex import stability_rows
from benign.exact.surd import stabilising_set

INFEASIBLE = "no feasible gain"

FIELDS = frozenset({"level", "proof"})
"""What a document of this claim holds: c, infinite for "no gain is feasible", and the proof."""

MAX_WEIGHT_DIGITS = 1_000_000
"""Longest weight that is read."""

FEW_NAMES = 4
"""Names of tasks that a sentence spells out."""


def prove_infeasible(document: Document, problem: Problem, progress: Progress | None = None) -> str:
    """Prove the claim again; the statement proved.

    Raises:
        Refused: the document does not prove what it claims; the message says where.
    """
    level = number(document["level"], "level")
    if not level > 0:
        raise Refused("level: must be positive")
    proof = _proof(document)
    kind = proof["kind"]
    if kind == TREE:
        return prove_tree(proof, problem, level, progress)
    if level != math.inf:
        raise Refused(f"level: a proof by {kind} is of an infinite one")
    return f"no gain is feasible: {_KINDS[kind][1](proof, problem)}"


def _proof(document: Document) -> dict[str, Any]:
    proof = document.get("proof")
    kind = proof.get("kind") if isinstance(proof, dict) else None
    if not isinstance(proof, dict) or not isinstance(kind, str) or kind not in _KINDS:
        raise Refused(f"proof: expected one of the kinds {', '.join(_KINDS)}")
    if set(proof) != {"kind", *_KINDS[kind][0]}:
        raise Refused(f"proof: a key is missing or unknown for {kind}")
    return proof


# --- linear inequalities -----------------------------------------------------------------------


def _prove_farkas(proof: dict[str, Any], problem: Problem) -> str:
    """Σ y (g, h) = (0, −t) with t ≥ 0 over rows (g, h) of g'W + h > 0."""
    n = problem.family.n
    if problem.family.m != 1:
        raise Refused("proof: the inequalities are linear for one input only")
    require_well_posed(problem)
    weights = _weights(proof["weights"], len(problem.tasks), n + 1)
    total = fmpq_mat(1, n + 1)
    for task in sorted({task for task, _ in weights}):
        rows = stability_rows(problem.tasks[task].g)
        y = fmpq_mat([[fmpq(weights.get((task, row), fmpz(0))) for row in range(n + 1)]])
        total += y * rows
    *slopes, constant = total.entries()
    if any(slope != 0 for slope in slopes):
        raise Refused("proof.weights: the gain does not cancel from the sum of the inequalities")
    if not constant <= 0:
        raise Refused("proof.weights: the sum of the inequalities is no contradiction")
    names = [problem.tasks[task].name for task in sorted({task for task, _ in weights})]
    if len(names) == 1:
        return f"none stabilises the adaptation plant of {listed_names(names)}"
    return f"none stabilises the adaptation plants of {listed_names(names)}"


def _weights(value: Any, tasks: int, rows: int) -> dict[tuple[int, int], fmpz]:
    """The positive weights, by task and inequality."""
    if not isinstance(value, list) or not value or len(value) > tasks * rows:
        raise Refused("proof.weights: expected a list of [task, inequality, weight]")
    found: dict[tuple[int, int], fmpz] = {}
    for i, entry in enumerate(value):
        place = f"proof.weights[{i}]"
        if not isinstance(entry, list) or len(entry) != 3:
            raise Refused(f"{place}: expected [task, inequality, weight]")
        task, row, text = entry
        key = (_index(task, tasks, place), _index(row, rows, place))
        if key in found:
            raise Refused(f"{place}: this inequality has a weight already")
        found[key] = _whole(text, place)
    return found


def _index(value: Any, count: int, place: str) -> int:
    if type(value) is not int or not 0 <= value < count:
        raise Refused(f"{place}: expected a whole number from 0 to {count - 1}")
    return value


def _whole(text: Any, place: str) -> fmpz:
    """A positive whole number of any length."""
    if not isinstance(text, str) or not text.isascii() or not text.isdigit():
        raise Refused(f"{place}: expected a positive whole number, as a string")
    if len(text) > MAX_WEIGHT_DIGITS:
        raise Refused(f"{place}: more than {MAX_WEIGHT_DIGITS} digits")
    found = fmpz(text)
    if not found > 0:
        raise Refused(f"{place}: must be positive")
    return found


def _farkas_cost(proof: dict[str, Any], problem: Problem) -> Cost:
    """n + 1 rows a task, whose numbers grow to n times the digits of the problem's, and the sum."""
    n, k = problem.family.n, len(problem.tasks)
    weights = proof["weights"]
    entries = weights if isinstance(weights, list) else []
    texts = [e[2] for e in entries if isinstance(e, list) and len(e) == 3 and isinstance(e[2], str)]
    digits = sum(map(len, texts))
    size = n * (problem.digits + 20)
    seconds = k * 2e-9 * n**4 * size + 2e-8 * (n + 1) * (digits + len(texts) * size)
    return Cost(seconds, megabytes=1e-6 * (n + 1) ** 2 * size + 1e-5 * digits)


# --- one state, one input ----------------------------------------------------------------------


def _prove_rims(proof: dict[str, Any], problem: Problem) -> str:
    _, g = scalar_plants(problem)
    pair = proof["tasks"]
    if not isinstance(pair, list) or len(pair) != 2:
        raise Refused("proof.tasks: expected the numbers of two tasks")
    right, left = (_index(i, len(g), "proof.tasks") for i in pair)
    first, last = stabilising_set(g[right]), stabilising_set(g[left])
    if first is None or last is None or not first[0] >= last[1]:
        raise Refused("proof.tasks: some gain stabilises the adaptation plants of both")
    return rims_apart(problem, right, left)


def rims_apart(problem: Problem, right: int, left: int) -> str:
    """How the stabilising gains of two tasks lie: those of the first right of those of the second."""
    _, g = scalar_plants(problem)
    first, last = stabilising_set(g[right]), stabilising_set(g[left])
    assert first is not None
    assert last is not None
    names = [listed_names([problem.tasks[i].name]) for i in (right, left)]
    for digits in (6, 17):
        low = at_least(first[0].bounds[0], digits)
        high = at_most(last[1].bounds[1], digits)
        if Decimal(low) >= Decimal(high):
            needs = f"{names[0]} needs W > {low}, {names[1]} needs W < {high}"
            return f"no gain stabilises every task: {needs}"
    # The rims are one number, or two that floats do not tell apart.
    return (
        f"no gain stabilises every task: {names[0]} needs W > x, {names[1]} needs W < y, "
        f"and y ≤ x lie both in [{low}, {high}]"
    )


def _prove_cover(proof: dict[str, Any], problem: Problem) -> str:
    if problem.step.kind != "gradient":
        raise Refused("proof: a cover is for the gradient step")
    scalar_plants(problem)
    joined = runs(prove_cover(proof, problem, BallObjective(problem)))
    if any(run.tag != "O" for run in joined):
        raise Refused("proof.cover: its tags leave gains at which h may be finite")
    return thrown_out(problem)


def _prove_pieces(proof: dict[str, Any], problem: Problem) -> str:
    if problem.step.kind != "normalized":
        raise Refused("proof: pieces are those of the normalised step")
    if pieces(problem)[1]:
        raise Refused("proof: there is a gain at which h is finite")
    return thrown_out(problem)


THROWN_OUT = "every gain that stabilises the tasks is thrown out by the adaptation step"

DIRECTED = f"{THROWN_OUT}, where it has a direction"
"""For the normalised step, which has none at a gain where the gradient of a task vanishes."""


def thrown_out(problem: Problem) -> str:
    """That the adaptation step leaves no gain."""
    return THROWN_OUT if problem.step.kind == "gradient" else DIRECTED


# --- the claim ---------------------------------------------------------------------------------


def listed_names(names: Sequence[str]) -> str:
    """Names of tasks in a sentence, the first of many; control characters are escaped."""
    quoted = [f"`{repr(name)[1:-1]}`" for name in names[:FEW_NAMES]]
    more = len(names) - FEW_NAMES
    if more > 0:
        return f"{', '.join(quoted)} and {more} more"
    return " and ".join([", ".join(quoted[:-1]), quoted[-1]] if len(quoted) > 1 else quoted)


_Prove = Callable[[dict[str, Any], Problem], str]
_KINDS: dict[str, tuple[frozenset[str], _Prove]] = {
    "farkas": (frozenset({"weights"}), _prove_farkas),
    "rims": (frozenset({"tasks"}), _prove_rims),
    "cover": (frozenset({"cover"}), _prove_cover),
    "pieces": (frozenset(), _prove_pieces),
    TREE: (frozenset({"frame", "bounded", "tree", "witnesses"}), lambda *_: ""),
}
"""What a proof of each kind holds, and what proves it again; a tree also needs the level."""


def _cost(document: Document, problem: Problem) -> Cost:
    proof = _proof(document)
    kind = proof["kind"]
    if kind == "farkas":
        return _farkas_cost(proof, problem)
    if kind == TREE:
        return tree_cost(proof, problem)
    if kind == "cover":
        return cover_cost(proof, problem)
    if kind == "pieces":
        return piece_cost(document, problem)
    return Cost(seconds=1e-4 * len(problem.tasks))


CLAIM = Claim(INFEASIBLE, FIELDS, _cost, prove_infeasible)
