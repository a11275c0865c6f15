"""What a kernel is compiled for, and what it is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from benign.exact.problem import StepKind

Results = Literal["value", "gradient", "product", "hessian"]


@dataclass(frozen=True)
class Order:
    """The size, the rule and what is wanted of h.

    Attributes:
        n, m: states and inputs.
        kind: the adaptation rule; how many shots is a number to the compiled code.
        same: whether evaluation and adaptation cost are one.
        results: h alone; with its gradient; with ∇²h[E]; with the whole Hessian.
        unrolled: the number of shots where they are written out, else 0.
        shifted: whether costs have a T, the numbers after the others; see `batch.Costs`.
    """

    n: int
    m: int
    kind: StepKind
    same: bool
    results: Results
    unrolled: int = 0
    shifted: bool = False

    @property
    def rest(self) -> int:
        """How many numbers besides the value are wanted of a gain."""
        p = self.m * self.n
        return {"value": 0, "gradient": p, "product": p, "hessian": p * p}[self.results]

    @property
    def name(self) -> str:
        """Of the compiled function."""
        costs = "same" if self.same else "two"
        shifted = "_shifted" if self.shifted else ""
        return f"h_{self.n}_{self.m}_{self.kind}_{costs}_{self.results}_{self.unrolled}{shifted}"

    @property
    def numbers(self) -> int:
        """Numbers of a task: A, B, Q, R, S0 and T."""
        n, m = self.n, self.m
        return 3 * n * n + n * m + m * m + (m * n if self.shifted else 0)


ARGUMENTS = (
    "gains", "tasks", "shots", "eta", "stride of weights", "f", "g", "weights", "W", "E", "values",
    "rest", "room",
)  # fmt: skip
"""Whole numbers and addresses. Gains come in multiples of LANES; `stride of weights` is the number of
tasks where every gain has weights of its own, else 0."""

WHOLE = ("gains", "tasks", "shots", "stride of weights")
