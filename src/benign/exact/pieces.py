"""Every local minimum of a scalar family under the normalised step, piece by piece.

In one dimension ∇g/‖∇g‖ is the sign of W − W*_τ, so each shot moves the gain by η towards the optimum
of the task's adaptation cost: F_τ(W) = W + s_τη with an integer s_τ that changes only where W crosses
a *break* W*_τ + jη, |j| < m. Between two breaks h(W) = Σ ω_τ f_τ(W + s_τη) is a sum of strictly convex
functions on an interval whose ends are exact numbers x ± √y. So every piece has at most one minimum,
and the signs of h' at its two ends say whether that is inside or at an end.

At a break h jumps (its gradient does not exist there), and a descent may end at the lower side. At
the rim of an intermediate set h ends at a finite value, and a descent may run into it. Both are
reported as what they are: `Kind.JUMP`, `Kind.JUMP_MINIMUM`, `Kind.EDGE_MINIMUM`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from benign.errors import ProblemError
from benign.exact.plants import ScalarPlant, scalar_plants
from benign.exact.problem import Problem
from benign.exact.surd import Surd, is_steep, optimum, stabilising_set
from benign.text import quoted


@dataclass(frozen=True)
class Break:
    """A place where h jumps, and the tasks that turn there."""

    at: Surd
    tasks: tuple[int, ...]


@dataclass(frozen=True)
class End:
    """An end of a piece: where, at which break (None: a rim), and whether h → ∞ there."""

    at: Surd
    turn: int | None
    steep: bool


@dataclass(frozen=True)
class Piece:
    """An open interval of the domain on which F_τ(W) = W + s_τη with the same `shifts` s_τ."""

    left: End
    right: End
    shifts: np.ndarray


def moves(region: int, shots: int) -> list[int]:
    """Multiples of η by which a gain has moved before each shot and at last.

    `region` counts the breaks W* + jη, j = 1 − m … m − 1, of the task that lie left of the gain: W is
    right of the j-th if and only if j ≤ region − m. A gain moved by s goes down if W + sη > W*.
    """
    path = [0]
    for _ in range(shots):
        s = path[-1]
        path.append(s - 1 if -s <= region - shots else s + 1)
    return path


def _go_on() -> None:
    pass


def breaks(
    plants: Sequence[ScalarPlant], eta: Fraction, shots: int, look: Callable[[], None] = _go_on
) -> list[Break]:
    """All breaks from left to right, equal ones joined (an exact decision)."""
    at: dict[Surd, list[int]] = defaultdict(list)
    for task, plant in enumerate(plants):
        centre = optimum(plant)
        if centre is None:
            raise ProblemError(
                f"task {task}: with q = 0 and √γ|a| = 1 its adaptation cost has no optimum, so the "
                "normalised step has no place to turn; give Q a positive entry"
            )
        look()
        for j in range(1 - shots, shots):
            at[centre + j * eta].append(task)
    return [Break(surd, tuple(tasks)) for surd, tasks in sorted(at.items(), key=lambda x: x[0])]


class Windows:
    """For each task and region, the open window of gains that stay stabilising all the way."""

    def __init__(
        self,
        f: Sequence[ScalarPlant],
        g: Sequence[ScalarPlant],
        eta: Fraction,
        shots: int,
        look: Callable[[], None] = _go_on,
    ) -> None:
        self.paths = [moves(region, shots) for region in range(2 * shots)]

        def ends(side: int) -> list[list[tuple[Surd, bool] | None]]:
            rows = []
            for judged, adapted in zip(f, g, strict=True):
                row = []
                for path in self.paths:
                    look()
                    row.append(self._end(judged, adapted, eta, path, side))
                rows.append(row)
            return rows

        self.low, self.high = ends(0), ends(1)
        self._low = np.array([[e[0].bounds if e else (-np.inf,) * 2 for e in row]
                              for row in self.low])  # fmt: skip
        self._high = np.array([[e[0].bounds if e else (np.inf,) * 2 for e in row]
                               for row in self.high])  # fmt: skip

    @staticmethod
    def _end(
        f: ScalarPlant, g: ScalarPlant, eta: Fraction, path: list[int], side: int
    ) -> tuple[Surd, bool] | None:
        """The binding rim on one side, and whether it is one where h → ∞; None if there is none."""
        ends: list[tuple[Surd, bool]] = []
        for stage, s in enumerate(path):
            last = stage == len(path) - 1
            rims = stabilising_set(f if last else g)
            if rims is not None:
                ends.append((rims[side] + -s * eta, last and is_steep(f, rims[side])))
        if not ends:
            return None
        pick = max if side == 0 else min
        at = pick(end[0] for end in ends)
        return at, any(steep for end, steep in ends if end == at)

    def window(self, region: np.ndarray) -> tuple[tuple[Surd, bool], tuple[Surd, bool]]:
        """The window common to all tasks, given each one's region."""
        tasks = np.arange(region.size)
        low, high = self._low[tasks, region], self._high[tasks, region]
        # Float bounds choose the few candidates; exact comparison decides among them.
        lows = [self.low[t][region[t]] for t in np.flatnonzero(low[:, 1] >= low[:, 0].max())]
        highs = [self.high[t][region[t]] for t in np.flatnonzero(high[:, 0] <= high[:, 1].min())]
        left = max(end[0] for end in lows if end)
        right = min(end[0] for end in highs if end)
        return (
            (left, any(end[1] for end in lows if end and end[0] == left)),
            (right, any(end[1] for end in highs if end and end[0] == right)),
        )


MOST_SHIFTS = 50_000_000
"""Pieces times tasks, at most: each piece keeps the shift of each task, and 8 bytes for it."""


def pieces(problem: Problem, look: Callable[[], None] = _go_on) -> tuple[list[Break], list[Piece]]:
    """The breaks, and the pieces on which the domain of h is not empty, from left to right.

    Args:
        problem: one state, one input, a normalised step.
        look: called now and then; what it raises ends the work.

    Raises:
        ProblemError: a cost that vanishes, or an adaptation cost without an optimum; so many tasks and
            shots that the pieces would not fit into memory.
    """
    k, most = len(problem.tasks), 2 * problem.step.shots - 1
    if k * k * most > MOST_SHIFTS:
        raise ProblemError(
            f"the proof for a normalised step keeps a number for each of up to {k * most} breaks and "
            f"each of {k} tasks, at most {MOST_SHIFTS} in all; take fewer tasks or shots, or a "
            "gradient step, or a search (--proof off)"
        )
    f, g = scalar_plants(problem)
    for task, plant in zip(problem.tasks, g, strict=True):
        if plant.s == 0:
            raise ProblemError(
                f"task {quoted(task.name)}: S0 = 0 makes its adaptation cost vanish, so a normalised "
                "step has no direction; give S0 a positive entry"
            )
    if all(plant.s == 0 for plant in f):
        raise ProblemError("S0 = 0 in every task: every cost vanishes; give S0 positive entries")
    eta, shots = problem.step.eta, problem.step.shots
    turns = breaks(g, eta, shots, look)
    windows = Windows(f, g, eta, shots, look)
    return turns, _joined(_pieces(turns, windows, len(f), look))


def _joined(parts: Iterable[Piece]) -> list[Piece]:
    """Pieces that meet with equal shifts are one: the jump between them is removable.

    With two shots a gain next to W* steps over it and back, from either side.
    """
    joined: list[Piece] = []
    for piece in parts:
        last = joined[-1] if joined else None
        meets = last is not None and last.right.at == piece.left.at
        if last and meets and not last.right.steep and (last.shifts == piece.shifts).all():
            joined[-1] = Piece(last.left, piece.right, piece.shifts)
        else:
            joined.append(piece)
    return joined


def _pieces(turns: list[Break], windows: Windows, k: int, look: Callable[[], None]) -> Iterator[Piece]:
    final = np.array([path[-1] for path in windows.paths])
    region = np.zeros(k, dtype=int)
    for number in range(len(turns) + 1):
        look()
        if number:
            np.add.at(region, list(turns[number - 1].tasks), 1)
        (low, low_steep), (high, high_steep) = windows.window(region)
        left, right = End(low, None, low_steep), End(high, None, high_steep)
        if number and turns[number - 1].at >= low:
            at = turns[number - 1].at
            left = End(at, number - 1, low_steep and at == low)
        if number < len(turns) and turns[number].at <= high:
            at = turns[number].at
            right = End(at, number, high_steep and at == high)
        if left.at < right.at:
            yield Piece(left, right, final[region])


# --- what no enclosure can show: that two numbers are equal ------------------------------------


def sign_at_rest(f: Sequence[ScalarPlant], eta: Fraction, piece: Piece, side: int) -> int:
    """Sign of h' just inside an end of a piece (0 left, 1 right) at which h' = 0 exactly; else 0.

    So it is where every task arrives at its own optimum: for one task, or proportional ones, at
    the break W* itself. As h is strictly convex on the piece, it rises away from that end.
    """
    end = piece.left if side == 0 else piece.right
    rest = all(
        plant.s == 0 or end.at + int(shift) * eta == optimum(plant)
        for plant, shift in zip(f, piece.shifts, strict=True)
    )
    return (1 if side == 0 else -1) if rest and not end.steep else 0


def limits_agree(
    f: Sequence[ScalarPlant], weights: Sequence[Fraction], eta: Fraction, left: Piece, right: Piece
) -> bool:
    """Whether h has the same limit on both sides of a break; False also where that is not decided.

    Decided for a rational break, in rational numbers. (A task with A = 0 or B = 0 has an even cost
    and turns at W = jη, where it goes to gains ±iη of the same cost.)
    """
    at = left.right.at
    if at.sign or left.right.steep or right.left.steep or at != right.left.at:
        return False
    difference = Fraction(0)
    for plant, weight, s, t in zip(f, weights, left.shifts, right.shifts, strict=True):
        if s != t:
            costs = [_cost(plant, at.x + int(shift) * eta) for shift in (s, t)]
            if costs[0] is None or costs[1] is None:
                return False
            difference += weight * (costs[0] - costs[1])
    return difference == 0


def _cost(plant: ScalarPlant, w: Fraction) -> Fraction | None:
    room = 1 - plant.discount * (plant.a - plant.b * w) ** 2
    return plant.s * (plant.q - 2 * plant.n * w + plant.r * w * w) / room if room > 0 else None


def joined_domain(parts: Sequence[Piece]) -> list[tuple[End, End]]:
    """The pieces, joined where they meet: the domain of h but for the jumps in it."""
    intervals: list[tuple[End, End]] = []
    for piece in parts:
        if intervals and intervals[-1][1].at == piece.left.at:
            intervals[-1] = (intervals[-1][0], piece.right)
        else:
            intervals.append((piece.left, piece.right))
    return intervals


Bounds = Iterable[float]
"""A lower and an upper bound."""


def is_trap(
    left: tuple[Bounds | None, bool | None],
    right: tuple[Bounds | None, bool | None],
    *,
    equal: bool = False,
) -> bool | None:
    """Whether the closure of h has a local minimum at a break; None where that is not known.

    Each side is (bounds of the one-sided limit, None where it is infinite or outside the domain;
    whether a descent on that side arrives here). The lower side must be an arrival; of two `equal`
    limits both must be, and where the limits are not told apart only an answer that holds either
    way is given.
    """
    (low_left, arrives_left), (low_right, arrives_right) = left, right
    if low_left is None:
        return arrives_right
    if low_right is None:
        return arrives_left
    (left_lo, left_hi), (right_lo, right_hi) = low_left, low_right
    if left_hi < right_lo:
        return arrives_left
    if right_hi < left_lo:
        return arrives_right
    if equal and False in (arrives_left, arrives_right):
        return False
    return arrives_left if arrives_left == arrives_right else None
