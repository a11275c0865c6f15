"""What the checker derives itself, and how it is compared with what a document claims."""

from __future__ import annotations

from dataclasses import dataclass

from flint import arb

from benign.balls.scalar import Span
from benign.certificates.reading import Refused
from benign.exact.rounding import enclosing_floats

Bounds = tuple[float, float]


@dataclass(frozen=True)
class Found:
    """A point that the checker derived itself, to be compared with the one claimed."""

    W: Bounds
    kind: str
    value: Bounds
    limits: tuple[Bounds | None, Bounds | None] | None = None


def within(own: Bounds, claimed: Bounds, place: str) -> None:
    """The checker's own bounds must lie within those claimed."""
    if not (claimed[0] <= own[0] and own[1] <= claimed[1]):
        raise Refused(f"{place}: {list(claimed)} is not what was found, {list(own)}")


def floats(span: Span) -> Bounds:
    """A span as float64 bounds, rounded outward."""
    return enclosing_floats(span.lo)[0], enclosing_floats(span.hi)[1]


def holds_doubt(own: Span, value: Bounds, place: str) -> None:
    """The bounds claimed for h over an undecided stretch must hold; a cost is never negative."""
    low = own.lo.lower() if not own.lo.is_nan() else arb(0)
    high = own.hi.upper() if own.hi.is_finite() else arb("inf")
    if not (arb(value[0]) <= low or value[0] <= 0):
        raise Refused(f"undecided: h falls below {value[0]!r} in {place}")
    if value[1] != float("inf") and not high <= arb(value[1]):
        raise Refused(f"undecided: h may exceed {value[1]!r} in {place}")
