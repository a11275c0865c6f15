"""Eigenvalues at the ends of the spectrum of a Hessian that is known by its products only.

Lanczos iterations on NumPy vectors, whoever computes the products. A fixed number of vectors is kept,
orthogonal to rounding; when there is no room for another, the few Ritz vectors nearest to the wanted
end stay and the iteration goes on from them. So memory is known beforehand, and an iteration that is
stopped early still has its best vector to show.

What is found are estimates: each comes with the residual ‖Hv − λv‖ of its vector, computed anew at the
end. Some eigenvalue lies within that of λ, since H is symmetric; that it is the extreme one is what was
observed, not proved.

Source: K. Wu, H. Simon, "Thick-restart Lanczos method for large symmetric eigenvalue problems", SIAM J.
Matrix Anal. Appl. 22 (2000) 602–616.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from benign.errors import ProblemError

VECTORS = 12
"""Lanczos vectors kept at once; most of the memory of a report is these, and each is as large as w."""

STAY = 4
"""Ritz vectors that stay at a restart."""

RESTARTS = 30
"""Restarts of the iteration at most; what has not converged then is reported as it is."""

INSIDE = 3
"""So many times more restarts for the smallest |eigenvalue| of I − η∇²g inside the spectrum, which is
harder to find."""

COLUMNS = 1 << 16
"""Entries of the vectors that are combined at once, so that no second copy of all of them is needed."""

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
        """Hv."""
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


def extreme(
    product: Product, begin: np.ndarray, which: str, tolerance: float, restarts: int = RESTARTS
) -> Estimate:
    """The eigenvalue at one end of the spectrum, with the residual of its vector.

    Args:
        product: v ↦ Hv, H symmetric.
        begin: the first vector, of the type the iteration runs in.
        which: "LM", the one of largest modulus; "LA", the largest; "SA", the smallest.
        tolerance: the residual asked for, relative to the eigenvalue.
        restarts: how often the iteration goes on when its vectors are used up.

    Raises:
        ProblemError: a product is not finite.
    """
    v, value = _ritz(product, begin, which, tolerance, restarts)
    return estimate(product, v, value)


def _ritz(
    product: Product, begin: np.ndarray, which: str, tolerance: float, restarts: int
) -> tuple[Float[np.ndarray, " p"], float]:
    """The Ritz vector nearest to one end of the spectrum, and its value."""
    room = min(VECTORS, begin.size)
    V = np.empty((room, begin.size), begin.dtype)
    V[0] = begin / np.linalg.norm(begin)
    T = np.zeros((room, room))
    kept, size = 0, 0.0
    for turn in range(restarts + 1):
        count, w, left = room, V[0], 0.0
        for i in range(kept, room):
            w = product(V[i])
            norm = float(np.linalg.norm(w))
            if not norm < np.inf:
                raise ProblemError("W: a Hessian-vector product is not finite there")
            size = max(size, norm)
            # Against all vectors, twice: once leaves what rounding makes of the cancellation.
            w, column = _orthogonal(V[: i + 1], w)
            T[: i + 1, i] = T[i, : i + 1] = column
            left = float(np.linalg.norm(w))
            if left <= 10 * np.finfo(begin.dtype).eps * size:
                # Nothing is left of it: the vectors span a subspace that H maps to itself.
                count, left = i + 1, 0.0
                break
            if i + 1 < room:
                V[i + 1] = w / left
        values, vectors = np.linalg.eigh(T[:count, :count])
        order = _from_the_end(values, which)
        best = order[0]
        value, residual = float(values[best]), left * abs(float(vectors[count - 1, best]))
        if residual <= tolerance * abs(value) or turn == restarts:
            return vectors[:, best].astype(begin.dtype) @ V[:count], value
        kept = min(STAY, count - 1)
        chosen = vectors[:, order[:kept]].astype(begin.dtype).T
        for at in range(0, begin.size, COLUMNS):
            V[:kept, at : at + COLUMNS] = chosen @ V[:, at : at + COLUMNS]
        V[kept] = w / left
        T[:] = 0.0
        T[range(kept), range(kept)] = values[order[:kept]]
    raise AssertionError("the last turn returns")


def _orthogonal(V: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What is left of w beside the rows of V, and V w."""
    first = V @ w
    w = w - first @ V
    second = V @ w
    w -= second @ V
    return w, (first + second).astype(float)


def _from_the_end(values: np.ndarray, which: str) -> np.ndarray:
    """The order of ascending eigenvalues from the wanted end inwards."""
    if which == "SA":
        return np.arange(len(values))
    if which == "LA":
        return np.arange(len(values))[::-1]
    return np.argsort(-np.abs(values), kind="stable")


def smallest_jacobian(
    product: Product,
    adaptation: Estimate,
    eta: float,
    begin: np.ndarray,
    tolerance: float,
    restarts: int = RESTARTS,
) -> Estimate:
    """The eigenvalue of J = I − η∇²g nearest to zero.

    While η‖∇²g‖ < 1 it is the smallest one, 1 − ηλ with λ the largest eigenvalue of ∇²g. Otherwise it
    lies inside the spectrum, where Lanczos is slow: J² is asked for its smallest one, which squares the
    condition number. The residual tells how far that came.

    Args:
        product: v ↦ ∇²g(w)v.
        adaptation: the eigenvalue of ∇²g of largest modulus.
        eta: η.
        begin: the first vector.
        tolerance: the residual asked for, relative to the eigenvalue.
        restarts: as for `extreme`.
    """

    def J(v: np.ndarray) -> np.ndarray:
        return v - eta * product(v)

    if eta * abs(adaptation.value) < 1:
        positive = adaptation.value > 0
        found = adaptation if positive else extreme(product, begin, "LA", tolerance, restarts)
        return Estimate(1 - eta * found.value, eta * found.residual)
    v, _ = _ritz(lambda v: J(J(v)), begin, "SA", tolerance, INSIDE * restarts)
    # The quotient of J itself: its sign, and half the digits that J² would lose.
    v /= np.linalg.norm(v)
    return estimate(J, v, float(v @ J(v)))


def estimate(product: Product, v: Float[np.ndarray, " p"], value: float) -> Estimate:
    """λ with the residual of its vector."""
    v = v / np.linalg.norm(v)
    rest = value * v
    rest -= product(v)
    return Estimate(value, float(np.linalg.norm(rest)))
