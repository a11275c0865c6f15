"""What a search met, proved point by point: for families of which no list is proved complete."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from benign.certificates.points import points_cost
from benign.clock import Clock
from benign.prove.apart import refuted
from benign.prove.points import Prover, prove_all
from benign.results.landscape import Kind

if TYPE_CHECKING:
    from benign.results.below import LandscapeBelow
    from benign.results.observed import ObservedLandscape

PROVING = 0.5
"""The share of what is left of a budget that proves points; the rest certifies gaps and checks."""

ON_SADDLES = 20.0
"""Seconds that saddles and maxima may be estimated to take; minima are proved before them, all."""


def proved_points(
    found: ObservedLandscape, asked: Fraction = Fraction(0), clock: Clock | None = None
) -> ObservedLandscape:
    """The same landscape with its minima proved, best first, then its saddles, while there is time.

    Where two of them differ by more than `asked` not every local minimum is within it of the global
    one: then that is proved first.
    """
    clock = Clock() if clock is None else clock
    minima = set(map(id, found.minimizers))
    listed = [i for i, point in enumerate(found.met) if id(point) in minima]
    prover = Prover(found.problem, [point.W for point in found.met], clock.part(PROVING))
    document = refuted(prover, [(i, found.met[i].height) for i in listed], asked)
    prove_all(prover, listed)
    others = [i for i, p in enumerate(found.met) if p.kind in (Kind.SADDLE, Kind.MAXIMUM)]
    prove_all(prover, others[: int(ON_SADDLES / points_cost(found.problem).seconds)])
    found = found.with_proofs(prover.certificate(), prover.entries, prover.doubts)
    return found if document is None else found.refuted(document)


def met_too(found: LandscapeBelow, clock: Clock) -> LandscapeBelow:
    """A proof in boxes that left some, with the minima that were met beside its list proved alone."""
    observed, beside = found.observed, found.unproved
    if observed is None or not beside or found.interrupted:
        return found
    wanted = set(map(id, beside))
    listed = [i for i, point in enumerate(observed.met) if id(point) in wanted]
    prover = Prover(found.problem, [point.W for point in observed.met], clock.part(PROVING))
    prove_all(prover, listed)
    proved = observed.with_proofs(prover.certificate(), prover.entries, prover.doubts)
    return replace(found, observed=proved)
