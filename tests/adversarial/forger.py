"""A forger of certificates: honest ones are altered, at random and with cunning, and sealed again.

`FORGERIES` holds the alterations of each claim; they are made to certificates of `honest.SOURCES`,
alone or with one or two more, and the digest of what comes out is right. Whether its claim is false the
jury says (`jury.falsehood`). A new claim is one row here, one of `honest.SOURCES`, and one judge.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from alterations import FORM, PROBLEM, Change, Document, Rng
from forged_below import BELOW_A_LEVEL
from forged_gain import ONE_GAIN, SAFE_GAINS, STATIONARY
from forged_line import ENUMERATIONS
from forged_pairs import NO_FEASIBLE_GAIN, SPURIOUS_MINIMA
from forged_points import STATIONARY_LISTS
from forged_radius import RADII
from honest import SOURCES, enumeration
from jury import falsehood

from benign.certificates.below import BELOW
from benign.certificates.check import check
from benign.certificates.document import sealed
from benign.certificates.enumeration import ENUMERATION
from benign.certificates.infeasible import INFEASIBLE
from benign.certificates.points import STATIONARY_POINTS
from benign.certificates.pointwise import CLAIMS as POINTWISE
from benign.certificates.quantitative import QUANTITATIVE
from benign.certificates.radius import RADIUS
from benign.certificates.regret import REGRET
from benign.certificates.single import THEOREM_S
from benign.certificates.spurious import SPURIOUS
from benign.errors import CertificateError
from benign.verdict import Status

SECONDS = 120.0
"""What a check of a forgery may be estimated to take: more is not checked, so it is not accepted."""

FORGERIES: dict[str, dict[str, Change]] = {
    ENUMERATION: ENUMERATIONS,
    **dict.fromkeys(POINTWISE, STATIONARY),
    REGRET: ONE_GAIN,
    QUANTITATIVE: ONE_GAIN,
    BELOW: BELOW_A_LEVEL,
    SPURIOUS: SPURIOUS_MINIMA,
    STATIONARY_POINTS: STATIONARY_LISTS,
    INFEASIBLE: NO_FEASIBLE_GAIN,
    THEOREM_S: SAFE_GAINS,
    RADIUS: RADII,
}
"""By claim: the alterations that are its own; those of the problem and the form are made to all."""

TRAITS = ("own", "own", "own", "problem", "problem", "form")
"""How often each sort of alteration comes."""


@dataclass(frozen=True)
class Forgery:
    """An altered certificate: what was done to it."""

    changes: tuple[str, ...]
    document: Document


def forged(document: Document, rng: Rng) -> Forgery:
    """One to three alterations of a certificate, sealed again."""
    own = FORGERIES[document["claim"]]
    while True:
        body = copy.deepcopy(document)
        body.pop("digest")
        names: list[str] = []
        for _ in range(int(rng.choice([1, 1, 1, 2, 3]))):
            table = {"own": own, "problem": PROBLEM, "form": FORM}[str(rng.choice(TRAITS))]
            name = str(rng.choice(list(table)))
            try:
                made = table[name](body, rng)
            except (ValueError, TypeError, KeyError, IndexError, AttributeError, ArithmeticError):
                break  # what an earlier alteration left has no such part
            if made is not False:
                names.append(name)
        if names:
            return Forgery(tuple(names), sealed(body))


def accepted(document: Document) -> bool:
    """Whether the checker proves a document."""
    try:
        return check(document, limit=SECONDS).status is Status.PROVED
    except CertificateError:
        return False


def forgeries(claim: str, count: int, seed: int, each: int = 12) -> Iterator[Forgery]:
    """Forged certificates of a claim: `each` of every honest one."""
    honest: Document = {}
    for i in range(count):
        rng = np.random.default_rng([seed, i])
        if i % each == 0:
            # Both steps in turn, where a claim is of both.
            kinds = ("gradient", "normalized")
            kind = kinds[(i // each) % 2]
            honest = enumeration(rng, kind) if claim == ENUMERATION else SOURCES[claim](rng)
        yield forged(honest, rng)


@dataclass
class Trial:
    """What came of forgeries: counts, and those that were accepted although they are false."""

    counts: Counter[str]
    wrong: list[tuple[Forgery, str]]


def tried(trials: Iterator[Forgery]) -> Trial:
    """Every forgery before the checker and before the jury."""
    counts: Counter[str] = Counter()
    wrong = []
    for forgery in trials:
        held, why = accepted(forgery.document), falsehood(forgery.document)
        counts[f"{'false' if why else 'not false'}, {'accepted' if held else 'refused'}"] += 1
        if held and why:
            wrong.append((forgery, why))
    return Trial(counts, wrong)
