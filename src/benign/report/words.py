"""A result in plain words: what it means for someone who is about to train, and how it was found."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

from benign.results.below import LandscapeBelow
from benign.results.line import LineLandscape
from benign.results.observed import ObservedLandscape
from benign.text import clean
from benign.verdict import Status
from benign.views.numbers import bounds, outward, percent, step_size

if TYPE_CHECKING:
    from benign.report.gather import Checked
    from benign.results.landscape import Landscape


@dataclass(frozen=True)
class Answer:
    """The verdict for people.

    Attributes:
        status: "proved", "refuted", "undecided" or "observed"; what is not confirmed is "undecided".
        word: it, as a heading.
        plain: what it means.
        formal: the statement and its reason, as recorded.
    """

    status: str
    word: str
    plain: str
    formal: str


def answer(landscape: Landscape, checked: Checked) -> Answer:
    """What the result says, as far as its certificate was found and not refused."""
    verdict = landscape.verdict
    status = verdict.status
    formal = f"{status.value}: {verdict.finding}. {verdict.reason}".rstrip()
    claims = status in (Status.PROVED, Status.REFUTED)
    if claims and checked.state in ("missing", "refused"):
        why = (
            "its certificate is not in the directory"
            if checked.state == "missing"
            else f"its certificate does not hold: {checked.words}"
        )
        plain = f"The file says “{status.value}”, but {why}. Take nothing here as proved."
        return Answer("undecided", "Not confirmed", plain, clean(formal))
    if checked.state == "accepted":
        formal = f"{status.value}: {checked.words}"
    plain = _asked(landscape) if checked.asked else _PLAIN[status](landscape)
    if claims and checked.state == "unchecked":
        plain += " (As recorded; the proof was not checked again while this page was made.)"
    return Answer(status.value, _HEADINGS[status], plain, clean(formal))


_HEADINGS = {
    Status.PROVED: "Proved",
    Status.REFUTED: "Refuted",
    Status.UNDECIDED: "Undecided",
    Status.OBSERVED: "Observed, not proved",
}


def _which(landscape: Landscape) -> str:
    """Of which gains or values the statement speaks."""
    if not isinstance(landscape, LandscapeBelow):
        return ""
    level = landscape.level
    where = "" if landscape.bounded else ", among the gains that were searched"
    return (
        f" with h ≤ {outward(level, 6, down=True)}{where}" if level > 0 and isfinite(level) else where
    )


def _asked(landscape: Landscape) -> str:
    """Of a certificate about an ε that is not zero."""
    if landscape.verdict.status is Status.PROVED:
        return "No local minimum is worse than the best one by more than what was asked about."
    if landscape.verdict.status is Status.REFUTED:
        return "A local minimum is worse than the best one by more than what was asked about."
    return _undecided(landscape)


def _proved(landscape: Landscape) -> str:
    count = len(landscape.minimizers)
    which = _which(landscape)
    if count == 1:
        return (
            f"There is one local minimum of the meta-objective{which}, so descent cannot settle in a "
            "worse one."
        )
    return (
        f"Every local minimum of the meta-objective{which} is as good as the best one ({count} in "
        "all): where descent settles makes no difference to the cost."
    )


def _refuted(landscape: Landscape) -> str:
    text = "Training can end in a local minimum that is worse than the best one"
    gap = landscape.epsilon
    if gap.lo > 0:
        share = landscape.relative_epsilon
        part = f" ({percent(share)} of the best cost)" if isfinite(share.hi) and share.lo > 0 else ""
        text += f", by at least {outward(gap.lo, 3, down=True)}{part}"
    return f"{text}. Try another step size, several starts, or a variant that “benign recommend” names."


def _undecided(landscape: Landscape) -> str:
    text = "Whether training can end in a worse local minimum was not settled"
    gap = landscape.epsilon
    if isfinite(gap.hi):
        return f"{text}; if it can, it loses at most {outward(gap.hi, 3, down=False)}."
    return f"{text} in the time that was given; more of it may."


def _observed(landscape: Landscape) -> str:
    count = len(landscape.minimizers)
    if not count:
        return "A search met no local minimum. That proves nothing."
    many = "one local minimum" if count == 1 else f"{count} local minima"
    assert isinstance(landscape, ObservedLandscape)
    rise = landscape.spread
    apart = f", up to {outward(rise, 3, down=True)} apart in cost" if count > 1 and rise > 0 else ""
    return (
        f"A search met {many}{apart}. There may be others: nothing is proved of the whole, though the "
        "gap of each minimum in the table below is, where a certificate is named."
    )


_PLAIN: dict[Status, Any] = {
    Status.PROVED: _proved,
    Status.REFUTED: _refuted,
    Status.UNDECIDED: _undecided,
    Status.OBSERVED: _observed,
}


def facts(landscape: Landscape) -> list[tuple[str, str]]:
    """Name and value of what a reader wants to know first."""
    problem = landscape.problem
    family, step = problem.family, problem.step
    rule = "gradient step" if step.kind == "gradient" else "normalised step"
    found = [
        ("adaptation", f"{rule}, η = {step_size(step.eta)}, {_count(step.shots, 'shot')}"),
        (
            "family",
            f"{_count(len(family.tasks), 'task')}, {_count(family.n, 'state')}, "
            f"{_count(family.m, 'input')}",
        ),
        ("best cost, min h", bounds(landscape.minimum, 9)),
        ("smallest ε (how much worse a local minimum can be)", bounds(landscape.epsilon, 4)),
    ]
    if isfinite(landscape.relative_epsilon.hi) and landscape.relative_epsilon.hi > 0:
        found.append(("ε as a share of the best cost", percent(landscape.relative_epsilon)))
    return [*found, ("the list below covers", clean(str(landscape.coverage)))]


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def method(landscape: Landscape) -> list[str]:
    """How it was found, in sentences."""
    if isinstance(landscape, LineLandscape):
        return [
            "Every number of the problem is a fraction; nothing is rounded before the proof begins.",
            "The line of gains was cut into intervals, on each of which outward-rounded arithmetic "
            "shows that h is infinite, rises, falls, or is strictly convex. What is left are the "
            "stationary points, each enclosed; where h′ has a multiple zero, the real roots of a "
            "polynomial decide.",
            "The checker proves the list again in another arithmetic (balls of arbitrary precision).",
        ]
    if isinstance(landscape, LandscapeBelow):
        return [
            f"{landscape.boxes} boxes of gains were looked at with Taylor models rounded outward; each "
            "was shown to hold no local minimum below the level, or exactly one; "
            f"{landscape.left} were left undecided.",
            "A search before the proof guided it. What only the search met is not in the list.",
            "The checker proves every box again in another arithmetic (balls of arbitrary precision).",
        ]
    assert isinstance(landscape, ObservedLandscape)
    return [
        f"Descents from {landscape.starts} random starts and from the tasks' optima; "
        f"{landscape.converged} ended at a stationary point. This is an observation in floating point.",
        "The gap of a minimum is a proved bound of how far its cost is from the best.",
    ]
