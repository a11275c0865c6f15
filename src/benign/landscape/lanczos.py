"""Eigenvalues at the ends of the spectrum of a Hessian that is known by its products only.

ARPACK's Lanczos iteration on NumPy vectors, whoever computes the products. What it finds are
estimates: each is shown with the residual ‖Hv − λv‖ of its vector. Some eigenvalue lies within that of
λ, since H is symmetric; that it is the extreme one is what was observed, not proved.

Source: R. Lehoucq, D. Sorensen, C. Yang, ARPACK Users' Guide (1998).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

VECTORS = 14
"""Lanczos vectors kept at once; most of the memory of a report is these, and each is as large as w."""

RESTARTS = 30
"""Restarts of the Lanczos iteration at most; what has not converged then is reported as it is."""

INNER_RESTARTS = 100
"""The same for the smallest |eigenvalue| of I − η∇²g inside the spectrum, which is harder to find. A
restart costs about VECTORS applications of J², two products each."""

Product = Callable[[Any], np.ndarray]
"""v ↦ Hv, on vectors of the size of w."""


@dataclass(frozen=True)
class Estimate:
    """An eigenvalue as found.

    Attributes:
        value: λ.
        residual: ‖Hv − λv‖ for a unit vector v: some eigenvalue lies within this of λ.
    """

    value: float
    residual: float

    def __str__(self) -> str:
        return f"{self.value:.6g} (residual {self.residual:.1e})"


class Counted:
    """A product that counts how often it is asked for."""

    def __init__(self, product: Product):
        self.product, self.count = product, 0

    def __call__(self, v: np.ndarray) -> np.ndarray:
        self.count += 1
        return self.product(v.reshape(-1))


@dataclass(frozen=True)
class Derivatives:
    """What a report needs of h = f∘F at w, whichever library computes it.

    Attributes:
        size, dtype: of w as one vector.
        value: h(w).  slope: ‖∇h(w)‖.
        adaptation: v ↦ ∇²g(w)v.  curvature: v ↦ ∇²h(w)v.
    """

    size: int
    dtype: Any
    value: float
    slope: float
    adaptation: Product
    curvature: Product


def first_vector(size: int, dtype: Any, seed: int) -> Float[np.ndarray, " p"]:
    """Where the iterations begin: independent normal numbers."""
    return np.random.default_rng(seed).standard_normal(size, dtype=np.dtype(dtype).type)


def extreme(product: Product, begin: np.ndarray, which: str, tolerance: float) -> Estimate:
    """The eigenvalue at one end of the spectrum, with the residual of its vector.

    Args:
        product: v ↦ Hv, H symmetric.
        begin: the first vector, of the type the iteration runs in.
        which: "LM", the one of largest modulus; "LA", the largest; "SA", the smallest.
        tolerance: relative accuracy asked for.
    """
    from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

    relative: Any = tolerance  # the stubs of SciPy ask for an integer
    size = begin.size
    operator = LinearOperator((size, size), matvec=product, dtype=begin.dtype)  # type: ignore[call-arg]
    if not product(begin).any():
        return Estimate(0.0, 0.0)
    kept = max(min(VECTORS, size - 1), 2)
    try:
        values, vectors = eigsh(
            operator, k=1, which=which, ncv=kept, maxiter=RESTARTS, tol=relative, v0=begin
        )
    except ArpackNoConvergence:
        # A cluster: LOBPCG goes on from the beginning and always has something to show.
        ends = {"LM": (True, False), "LA": (True,), "SA": (False,)}[which]
        return max(
            (_by_lobpcg(operator, begin, largest=end) for end in ends), key=lambda x: abs(x.value)
        )
    return estimate(product, vectors[:, 0], float(values[0]))


def smallest_jacobian(
    product: Product, adaptation: Estimate, eta: float, begin: np.ndarray, tolerance: float
) -> Estimate | None:
    """The eigenvalue of J = I − η∇²g nearest to zero; None where it was not resolved.

    While η‖∇²g‖ < 1 it is the smallest one, 1 − ηλ with λ the largest eigenvalue of ∇²g. Otherwise it
    lies inside the spectrum, where Lanczos is slow: J² is asked for its smallest one, which squares the
    condition number; where that does not converge there is no estimate.

    Args:
        product: v ↦ ∇²g(w)v.
        adaptation: the eigenvalue of ∇²g of largest modulus.
        eta: η.
        begin: the first vector.
        tolerance: relative accuracy asked for.
    """
    from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

    def J(v: np.ndarray) -> np.ndarray:
        v = v.reshape(-1)
        return v - eta * product(v)

    if eta * abs(adaptation.value) < 1:
        positive = adaptation.value > 0
        found = adaptation if positive else extreme(product, begin, "LA", tolerance)
        return Estimate(1 - eta * found.value, eta * found.residual)
    size = begin.size
    relative: Any = tolerance
    squared = LinearOperator((size, size), matvec=lambda v: J(J(v)), dtype=begin.dtype)  # type: ignore[call-arg]
    try:
        _, vectors = eigsh(
            squared, k=1, which="SA", ncv=max(min(VECTORS, size - 1), 2), tol=relative, v0=begin,
            maxiter=INNER_RESTARTS,
        )  # fmt: skip
    except ArpackNoConvergence:
        return None
    v = vectors[:, 0]
    v /= np.linalg.norm(v)
    # The quotient of J itself: its sign, and half the digits that J² would lose.
    return estimate(J, v, float(v @ J(v)))


def estimate(product: Product, v: Float[np.ndarray, " p"], value: float) -> Estimate:
    """λ with the residual of its vector."""
    v = v / np.linalg.norm(v)
    rest = value * v
    rest -= product(v)
    return Estimate(value, float(np.linalg.norm(rest)))


def _by_lobpcg(operator: Any, begin: np.ndarray, *, largest: bool) -> Estimate:
    import warnings

    from scipy.sparse.linalg import lobpcg

    with warnings.catch_warnings():
        # It warns where the tolerance is not reached; the residual that is reported says so.
        warnings.simplefilter("ignore", UserWarning)
        values, vectors = lobpcg(operator, begin[:, None], largest=largest, maxiter=10 * RESTARTS)
    return estimate(operator.matvec, vectors[:, 0], float(values[0]))
