"""What a proof in a few parameters returns: the local minimisers of h at or below a level."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from fractions import Fraction
from math import inf, nextafter
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from benign.exact import globality
from benign.exact.rounding import at_least, at_most, between, exactly, named, settled
from benign.results.landscape import Enclosure
from benign.verdict import Status, Verdict

if TYPE_CHECKING:
    from pathlib import Path

    from benign.exact.problem import Problem
    from benign.results.observed import ObservedLandscape

__all__ = ["LandscapeBelow", "ProvedMinimum"]


@dataclass(frozen=True, eq=False)
class ProvedMinimum:
    """A strict local minimiser of h, enclosed.

    Attributes:
        W: (m, n), the middle of the enclosure.
        radius: (m, n), how far from there each entry can be.
        value: h there.
    """

    W: Float[np.ndarray, "m n"]
    radius: Float[np.ndarray, "m n"]
    value: Enclosure

    def rows(self, digits: int) -> str:
        """The gain, row by row, in so many digits at most, all of them settled."""

        def entry(x: float, r: float) -> str:
            return settled(nextafter(x - r, -inf), nextafter(x + r, inf), digits)

        return "; ".join(
            " ".join(map(entry, row, radius))
            for row, radius in zip(self.W.tolist(), self.radius.tolist(), strict=True)
        )


@dataclass(frozen=True, eq=False)
class LandscapeBelow:
    """Every local minimiser of h with h ≤ level, proved, and what follows from the list.

    A descent that starts below the level and never rises can end at none but these.

    Attributes:
        problem: the objective, in exact numbers.
        asked: the level that was asked for, c; infinite for the whole domain.
        level: what was reached: c, or less when boxes of gains were left. −∞ if nothing was proved.
        bounded: whether the gains that were searched hold all of the domain; otherwise only those
            within `region`.
        region: (2, m, n), bounds of the entries of the gains that were searched.
        minimizers: the list, by increasing value.
        minimum: the least value, enclosed.
        epsilon: the smallest ε such that every local minimum at or below the level is within ε of the
            least, enclosed.
        verdict: about ε, and why.
        boxes, left: boxes looked at, and those left undecided.
        interrupted: whether Ctrl-C ended the proof.
        certificate: the document that `benign.check` proves again; None if nothing was proved.
        observed: what a search met, which guided the proof; None if there was none.
        facts: seconds and leaves by kind, for the curious.
        checked: whether `benign.check` proved the certificate again before the result was returned;
            where that is dear it is left to whoever wants to know.
    """

    problem: Problem
    asked: float
    level: float
    bounded: bool
    region: Float[np.ndarray, "2 m n"]
    minimizers: tuple[ProvedMinimum, ...]
    minimum: Enclosure
    epsilon: Enclosure
    verdict: Verdict
    boxes: int
    left: int
    certificate: dict[str, Any] | None = field(repr=False)
    observed: ObservedLandscape | None = field(default=None, repr=False)
    interrupted: bool = False
    facts: dict[str, float] = field(default_factory=dict, repr=False)
    checked: bool = False

    @property
    def is_complete(self) -> bool:
        """Whether the list is proved complete below the level that was asked for."""
        return self.left == 0

    def save(self, directory: str | os.PathLike[str]) -> list[Path]:
        """Write landscape.json, certificate.json and the pictures to a directory."""
        from benign.views.below import save_below

        return save_below(self, directory)

    def __str__(self) -> str:
        lines = [f"{self.verdict}"]
        lines += [
            f"  minimum  h = {settled(*point.value)}  W = [{point.rows(9)}]"
            for point in self.minimizers
        ]
        if self.level > 0:
            lines.append(
                f"  complete for h ≤ {at_least(self.level)}; {self.boxes} boxes, {self.left} left"
            )
        lines.append(f"  epsilon in {between(*self.epsilon, 3)}")
        return "\n".join(lines)


def verdict_below(
    values: list[Enclosure],
    *,
    asked: Fraction,
    wanted: float,
    level: float,
    left: int,
    bounded: bool,
) -> Verdict:
    """The verdict on "every local minimum with h ≤ wanted is within ε = asked of the lowest one".

    Two minima that are surely at or below `wanted` and differ by more refute it, whatever is not
    listed. It is proved of the minima at or below the level that was reached, when no box is left.

    Args:
        values: of the minima that were proved and may be at or below `wanted`.
        asked: ε.
        wanted: the level that the statement is about.
        level: what was reached.
        left: boxes that are left.
        bounded: whether the gains that were searched hold all of the domain.
    """
    where = "" if wanted == np.inf else f" with h ≤ {named(Fraction(wanted))}"
    place = "" if bounded else ", among the gains searched,"
    least = "global" if bounded else "the lowest"
    within = f"is {least}" if asked == 0 else f"is within {exactly(asked)} of the {_one(bounded)} one"
    statement = f"every local minimum of h{where}{place} {within}"
    witnesses = [value for value in values if value.hi <= wanted]
    gap = globality.epsilon(witnesses, ())[0] if len(witnesses) > 1 else 0.0
    if Fraction(gap) > asked:
        worst = max(witnesses, key=lambda value: value.lo)
        reason = (
            f"one with h in {between(worst.lo, worst.hi, 10)} lies at least {at_least(gap, 3)} above "
            "the lowest that was found"
        )
        return Verdict(Status.REFUTED, statement, reason)
    if left:
        done = f"the list is complete for h ≤ {at_least(level)}" if level > 0 else "nothing is known"
        return Verdict(Status.UNDECIDED, statement, f"{left} boxes of gains are left; {done}")
    epsilon = globality.epsilon(values, ())[1] if len(values) > 1 else 0.0
    if values and Fraction(epsilon) <= asked:
        reason = "there is one" if len(values) == 1 else f"epsilon is at most {at_most(epsilon, 3)}"
        return Verdict(Status.PROVED, statement, reason)
    gap = f"at most {at_most(epsilon, 3)}"
    reason = f"the values of the minima could not be told apart; the gap left is {gap}"
    return Verdict(Status.UNDECIDED, statement, reason)


def _one(bounded: bool) -> str:
    return "global" if bounded else "lowest"
