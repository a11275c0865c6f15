"""The claims that can be checked: one row each."""

from __future__ import annotations

from benign.certificates import (
    below,
    enumeration,
    infeasible,
    points,
    quantitative,
    radius,
    regret,
    single,
    spurious,
    theorems,
)
from benign.certificates.claim import Claim

CLAIMS: dict[str, Claim] = {
    claim.name: claim
    for claim in (
        enumeration.CLAIM,
        below.CLAIM,
        spurious.CLAIM,
        points.CLAIM,
        infeasible.CLAIM,
        *theorems.ROWS,
        regret.CLAIM,
        quantitative.CLAIM,
        single.CLAIM,
        radius.CLAIM,
    )
}
