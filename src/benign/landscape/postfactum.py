"""The question of Theorem 2 about a trained model of any size, answered by Hessian-vector products.

Where training stopped: is ∇h(w) small, ∇²h(w) ≻ 0, η‖∇²g(w)‖ < 1, I − η∇²g(w) non-singular? The
extreme eigenvalues come from ARPACK's Lanczos iteration, which needs products only. They are
estimates: each is shown with the residual ‖Hv − λv‖ of its vector. Some eigenvalue lies within that of
λ, since H is symmetric; that it is the extreme one is what was observed, not proved.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Float

from benign.errors import ProblemError

VECTORS = 14
"""Lanczos vectors kept at once; the memory of the report is about these, and each is as large as w."""

RESTARTS = 30
"""Restarts of the Lanczos iteration at most; what has not converged then is reported as it is."""

INVERSE_PRODUCTS = 200
"""Products spent on each inner iteration that looks for the smallest |eigenvalue| of I − η∇²g."""

Cost = Callable[[Any], Any]


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


@dataclass(frozen=True)
class PostFactum:
    """What was observed at a trained point.

    Attributes:
        parameters: how many numbers w has.
        eta: η.
        value: h(w).  gradient_norm: ‖∇h(w)‖.
        adaptation: the eigenvalue of ∇²g(w) of largest modulus.
        curvature: the smallest eigenvalue of ∇²h(w).
        jacobian: the eigenvalue of I − η∇²g(w) of smallest modulus; None where it was not resolved
            (then only 1 − η‖∇²g‖ bounds it, if that is positive).
        products: Hessian-vector products spent.
    """

    parameters: int
    eta: float
    value: float
    gradient_norm: float
    adaptation: Estimate
    curvature: Estimate
    jacobian: Estimate | None
    products: int

    @property
    def meets_theorem_2(self) -> bool:
        """Whether η‖∇²g‖ < 1 and ∇²h ≻ 0 were observed, residuals allowed for."""
        size = abs(self.adaptation.value) + self.adaptation.residual
        return self.eta * size < 1 and self.curvature.value > self.curvature.residual

    def __str__(self) -> str:
        word = "meets" if self.meets_theorem_2 else "does not meet"
        step = self.eta * abs(self.adaptation.value)
        smallest = "not resolved" if self.jacobian is None else str(self.jacobian)
        return "\n".join(
            [
                f"observed: the point {word} the conditions of Theorem 2 (an estimate, not a proof)",
                f"  {self.parameters} parameters, h = {self.value:.9g}, "
                f"‖∇h‖ = {self.gradient_norm:.3g}",
                f"  eigenvalue of ∇²g of largest modulus: {self.adaptation}; η times it: {step:.4g}",
                f"  smallest eigenvalue of ∇²h: {self.curvature}",
                f"  eigenvalue of I − η∇²g of smallest modulus: {smallest}",
                f"  {self.products} Hessian-vector products",
            ]
        )


def postfactum(
    W: Any, f: Cost, g: Cost | None = None, eta: float = 0.01, *, tolerance: float = 1e-4, seed: int = 0
) -> PostFactum:
    """Observe the conditions of Theorem 2 at w, for one task of any JAX cost.

    Args:
        W: a pytree of arrays, of one floating type; float32 will do, with residuals to match.
        f: the evaluation cost, a JAX function of W.
        g: the adaptation cost; f by default.
        eta: η > 0 of one gradient step, F(W) = W − η∇g(W) and h = f∘F.
        tolerance: relative accuracy asked of the eigenvalues.
        seed: of the first Lanczos vector.

    Raises:
        ProblemError: η is not positive, W has fewer than two numbers, or h is not finite there.

    Source: Theorem 2 of arXiv 2006.00453; R. Lehoucq, D. Sorensen, C. Yang, ARPACK Users' Guide (1998).
    """
    if not 0 < eta < float("inf"):
        raise ProblemError(f"eta: must be positive and finite, got {eta}")
    g = f if g is None else g
    x, unravel = ravel_pytree(W)
    if x.size < 3:
        raise ProblemError("W: fewer than three parameters; form the Hessian instead")

    def adapted(x: Any) -> Any:
        return x - eta * jax.grad(lambda x: g(unravel(x)))(x)

    def h(x: Any) -> Any:
        return f(unravel(adapted(x)))

    value, slope = jax.jit(jax.value_and_grad(h))(x)
    if not bool(jnp.isfinite(value)):
        raise ProblemError("W: h is not finite there")
    spent = _Counter()
    g_product = spent.counted(lambda x, v: jax.jvp(jax.grad(lambda x: g(unravel(x))), (x,), (v,))[1], x)
    h_product = spent.counted(lambda x, v: jax.jvp(jax.grad(h), (x,), (v,))[1], x)
    begin = np.random.default_rng(seed).normal(size=x.size).astype(x.dtype)
    adaptation = _extreme(g_product, begin, "LM", tolerance)
    curvature = _extreme(h_product, begin, "SA", tolerance)
    jacobian = _smallest_jacobian(g_product, adaptation, eta, begin, tolerance)
    return PostFactum(
        parameters=int(x.size),
        eta=float(eta),
        value=float(value),
        gradient_norm=float(jnp.linalg.norm(slope)),
        adaptation=adaptation,
        curvature=curvature,
        jacobian=jacobian,
        products=spent.products,
    )


class _Counter:
    """Counts Hessian-vector products."""

    def __init__(self) -> None:
        self.products = 0

    def counted(self, product: Callable[[Any, Any], Any], x: Any) -> Callable[[np.ndarray], np.ndarray]:
        compiled = jax.jit(product)

        def apply(v: np.ndarray) -> np.ndarray:
            self.products += 1
            return np.asarray(compiled(x, jnp.asarray(v.reshape(-1), x.dtype)))

        return apply


def _extreme(
    product: Callable[[np.ndarray], np.ndarray], begin: np.ndarray, which: str, tolerance: float
) -> Estimate:
    """The eigenvalue at one end of the spectrum, with the residual of its vector."""
    from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

    relative: Any = tolerance  # the stubs of SciPy ask for an integer
    size = begin.size
    operator = LinearOperator((size, size), matvec=product, dtype=begin.dtype)  # type: ignore[call-arg]
    if not product(begin).any():
        return Estimate(0.0, 0.0)
    kept = min(VECTORS, size - 1)
    try:
        values, vectors = eigsh(
            operator,
            k=1,
            which=which,
            ncv=max(kept, 2),
            maxiter=RESTARTS,
            tol=relative,
            v0=begin,
        )
    except ArpackNoConvergence:
        # A cluster: LOBPCG goes on from here and always has something to show.
        return _by_lobpcg(operator, begin, largest=which == "LM")
    return _estimate(product, vectors[:, 0], float(values[0]))


def _by_lobpcg(operator: Any, begin: np.ndarray, *, largest: bool) -> Estimate:
    import warnings

    from scipy.sparse.linalg import lobpcg

    with warnings.catch_warnings():
        # It warns where the tolerance is not reached; the residual that is reported says so.
        warnings.simplefilter("ignore", UserWarning)
        values, vectors = lobpcg(operator, begin[:, None], largest=largest, maxiter=10 * RESTARTS)
    return _estimate(operator.matvec, vectors[:, 0], float(values[0]))


def _estimate(
    product: Callable[[np.ndarray], np.ndarray], v: Float[np.ndarray, " p"], value: float
) -> Estimate:
    v = v / np.linalg.norm(v)
    return Estimate(value, float(np.linalg.norm(product(v) - value * v)))


def _smallest_jacobian(
    product: Callable[[np.ndarray], np.ndarray],
    adaptation: Estimate,
    eta: float,
    begin: np.ndarray,
    tolerance: float,
) -> Estimate | None:
    """The eigenvalue of J = I − η∇²g nearest to zero.

    While η‖∇²g‖ < 1 it is the smallest one, 1 − ηλ with λ the largest eigenvalue of ∇²g. Otherwise it
    lies inside the spectrum, where Lanczos is slow: J² is asked for its smallest one, which squares the
    condition number; where that does not converge there is no estimate.
    """
    from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

    def J(v: np.ndarray) -> np.ndarray:
        v = v.reshape(-1)
        return v - eta * product(v)

    if eta * abs(adaptation.value) < 1:
        found = _extreme(product, begin, "LA", tolerance)
        return Estimate(1 - eta * found.value, eta * found.residual)
    size = begin.size
    squared = LinearOperator((size, size), matvec=lambda v: J(J(v)))  # type: ignore[call-arg]
    try:
        _, vectors = eigsh(
            squared, k=1, which="SA", ncv=min(VECTORS, size - 1), maxiter=INVERSE_PRODUCTS // 2,
            tol=tolerance, v0=begin,  # pyright: ignore[reportArgumentType]
        )  # fmt: skip
    except ArpackNoConvergence:
        return None
    v = vectors[:, 0] / np.linalg.norm(vectors[:, 0])
    # The quotient of J itself: its sign, and half the digits that J² would lose.
    image = J(v)
    value = float(v @ image)
    return Estimate(value, float(np.linalg.norm(image - value * v)))
