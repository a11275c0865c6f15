"""What is known of a method before it has run: a bound on what it loses, from where it starts."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from math import inf, isfinite
from typing import Any

import numpy as np

from benign.exact.rounding import at_most

Floats = np.ndarray


@dataclass(frozen=True, eq=False)
class Start:
    """h(V) − inf h ≤ gap at every V that a method reaches which starts at W and never raises h.

    Attributes:
        W: (m, n), where it starts; None where there is no such gain.
        where: what W is, in words.
        gap: the bound, in units of the cost; ∞ without a certificate.
        relative: the same in proportion to inf h; ∞ where that may be zero.
        certificate: the document that `benign.check` proves: the regret bound at W.
        remark: why there is none, else empty.
    """

    W: Floats | None
    where: str
    gap: float = inf
    relative: float = inf
    certificate: dict[str, Any] | None = field(default=None, repr=False)
    remark: str = ""

    @staticmethod
    def of(W: Floats, where: str, certificate: dict[str, Any]) -> Start:
        """What a certificate of the regret bound says."""
        relative = float(certificate.get("relative", inf))
        return Start(W, where, float(certificate["gap"]), relative, certificate)

    def __str__(self) -> str:
        if self.certificate is None:
            return f"no bound from {self.where}: {self.remark}"
        bound = f"h − inf h ≤ {at_most(self.gap, 3)}"
        if isfinite(self.relative):
            share = at_most(100 * Fraction(self.relative), 2)
            within = f"within {share} % of the least h ({bound})"
        else:
            within = f"with {bound}"
        return f"proved: a method that never raises h and starts at {self.where} ends {within}"
