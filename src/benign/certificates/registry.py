"""The claims that can be checked: one row each."""

from __future__ import annotations

from benign.certificates import below, enumeration, pointwise, quantitative, regret
from benign.certificates.claim import Claim

CLAIMS: dict[str, Claim] = {
    claim.name: claim
    for claim in (
        enumeration.CLAIM,
        below.CLAIM,
        *pointwise.ROWS,
        regret.CLAIM,
        quantitative.CLAIM,
    )
}
