"""The verdict and the setting of a landscape in a line each, for titles."""

from __future__ import annotations

from math import inf

from benign.results.line import LineLandscape, StationaryPoint
from benign.results.start import Start
from benign.verdict import Status
from benign.views.numbers import bounds, percent, step_size

_WORDS = {
    Status.PROVED: "Proved",
    Status.REFUTED: "Refuted",
    Status.UNDECIDED: "Undecided",
}


def a_priori(start: Start) -> str:
    """What is known of a method before it has run, in a sentence."""
    return f"A priori, {start}."


def headline(landscape: LineLandscape) -> str:
    """The verdict in a line."""
    verdict = landscape.verdict
    word = _WORDS[verdict.status]
    count = len(landscape.minima)
    spurious = sum(is_spurious(landscape, point) for point in landscape.minima)
    if not verdict.statement.endswith("is global"):  # a tolerance was asked about
        statement = verdict.statement.replace(" of h ", " ")
        return f"{word}: {statement}"
    if verdict.status is Status.PROVED:
        return f"{word}: " + (
            "h has one local minimum, and it is global"
            if count == 1
            else f"all {count} local minima of h are global"
        )
    if verdict.status is Status.REFUTED:
        least = "at least " if landscape.undecided else ""
        return f"{word}: {least}{spurious} of {count} local minima of h {_be(spurious)} spurious"
    return f"{word}: whether every local minimum of h is global"


def _be(count: int) -> str:
    return "is" if count == 1 else "are"


def subtitle(landscape: LineLandscape) -> str:
    """Step, tasks and ε in a line."""
    step = landscape.problem.step
    rule = "gradient step" if step.kind == "gradient" else "normalised step"
    shots = f"{step.shots} shot{'s' if step.shots > 1 else ''}"
    k = len(landscape.problem.tasks)
    parts = [
        f"{rule}, η = {step_size(step.eta)}, {shots}",
        f"{k} task{'s' if k > 1 else ''}",
        f"smallest ε: {bounds(landscape.epsilon)}",
    ]
    if 0 < landscape.epsilon.hi < inf:
        parts[-1] += f" ({percent(landscape.relative_epsilon)} of min h)"
    if len(landscape.domain) > 1:
        parts.append(f"domain in {len(landscape.domain)} pieces")
    return "   ·   ".join(parts)


def is_spurious(landscape: LineLandscape, point: StationaryPoint) -> bool:
    """Whether a minimum is proved to lie above the global one."""
    return point.kind.is_minimum and point.value.lo > landscape.minimum.hi
