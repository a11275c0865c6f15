"""The question of Theorem 2 about a trained model of any size, answered by Hessian-vector products.

Where training stopped: is ∇h(w) small, ∇²h(w) ≻ 0, η‖∇²g(w)‖ < 1, I − η∇²g(w) non-singular? The extreme
eigenvalues come from a Lanczos iteration (`landscape.lanczos`), which needs products only: JAX's for a
pytree, PyTorch's for a module.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from benign.errors import ProblemError
from benign.training.lanczos import (
    RESTARTS,
    Counted,
    Derivatives,
    Estimate,
    extreme,
    first_vector,
    smallest_jacobian,
)

Cost = Callable[[Any], Any]


@dataclass(frozen=True, repr=False)
class PostFactum:
    """What was observed at a trained point.

    Attributes:
        parameters: how many numbers w has.
        eta: η.
        value: h(w).  gradient_norm: ‖∇h(w)‖.
        adaptation: the eigenvalue of ∇²g(w) of largest modulus.
        curvature: the smallest eigenvalue of ∇²h(w).
        jacobian: the eigenvalue of I − η∇²g(w) of smallest modulus.
        products: Hessian-vector products spent.
    """

    parameters: int
    eta: float
    value: float
    gradient_norm: float
    adaptation: Estimate
    curvature: Estimate
    jacobian: Estimate
    products: int

    @property
    def meets_theorem_2(self) -> bool:
        """Whether η‖∇²g‖ < 1 and ∇²h ≻ 0 were observed, residuals allowed for."""
        size = abs(self.adaptation.value) + self.adaptation.residual
        return self.eta * size < 1 and self.curvature.value > self.curvature.residual

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        word = "meets" if self.meets_theorem_2 else "does not meet"
        step = self.eta * abs(self.adaptation.value)
        return "\n".join(
            [
                f"observed: the point {word} the conditions of Theorem 2 (an estimate, not a proof)",
                f"  {self.parameters} parameters, h = {self.value:.9g}, "
                f"‖∇h‖ = {self.gradient_norm:.3g}",
                f"  eigenvalue of ∇²g of largest modulus: {self.adaptation}; η times it: {step:.4g}",
                f"  smallest eigenvalue of ∇²h: {self.curvature}",
                f"  eigenvalue of I − η∇²g of smallest modulus: {self.jacobian}",
                f"  {self.products} Hessian-vector products",
            ]
        )


def postfactum(
    W: Any,
    f: Cost,
    g: Cost | None = None,
    eta: float = 0.01,
    *,
    tolerance: float = 1e-4,
    restarts: int = RESTARTS,
    seed: int = 0,
) -> PostFactum:
    """Observe the conditions of Theorem 2 at w, for one task of any JAX cost or PyTorch module.

    Args:
        W: a pytree of arrays, of one floating type; float32 will do, with residuals to match. Or a
            `torch.nn.Module` (the extra ``torch``): w is then its parameters that require a gradient.
        f: the evaluation cost, a JAX function of W; for a module a function of the module.
        g: the adaptation cost; f by default.
        eta: η > 0 of one gradient step, F(W) = W − η∇g(W) and h = f∘F.
        tolerance: relative accuracy asked of the eigenvalues.
        restarts: how often each iteration may go on after its first 12 products; each restart costs 8
            more (two Hessian products each where I − η∇²g is looked at inside the spectrum). What has
            not converged then is reported with the residual that it has.
        seed: of the first Lanczos vector.

    Raises:
        ProblemError: η is not positive, W has fewer than three numbers or numbers of several types, or
            h is not finite there; for a module also a cost that does not depend on it or is random.

    Source: Theorem 2 of arXiv 2006.00453.
    """
    if not 0 < eta < float("inf"):
        raise ProblemError(f"eta: must be positive and finite, got {eta}")
    if restarts < 0:
        raise ProblemError(f"restarts: must not be negative, got {restarts}")
    g = f if g is None else g
    observe = _observed
    if not _is_module(W) and _is_double(W):
        from benign.linalg import in_float64

        observe = in_float64(_observed)
    return observe(W, f, g, eta, tolerance, restarts, seed)


def _observed(
    W: Any, f: Cost, g: Cost, eta: float, tolerance: float, restarts: int, seed: int
) -> PostFactum:
    if _is_module(W):
        from benign.training.torch_modules import by_torch

        found = by_torch(W, f, g, eta)
    else:
        found = _by_jax(W, f, g, eta)
    if not math.isfinite(found.value):
        raise ProblemError("W: h is not finite there")
    g_product, h_product = Counted(found.adaptation), Counted(found.curvature)
    begin = first_vector(found.size, found.dtype, seed)
    adaptation = extreme(g_product, begin, "LM", tolerance, restarts)
    curvature = extreme(h_product, begin, "SA", tolerance, restarts)
    jacobian = smallest_jacobian(g_product, adaptation, eta, begin, tolerance, restarts)
    return PostFactum(
        parameters=found.size,
        eta=float(eta),
        value=found.value,
        gradient_norm=found.slope,
        adaptation=adaptation,
        curvature=curvature,
        jacobian=jacobian,
        products=g_product.count + h_product.count,
    )


def _is_module(W: Any) -> bool:
    # Whoever has a module has imported PyTorch; nobody else is to pay for it, or to need it.
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(W, torch.nn.Module)


def _is_double(W: Any) -> bool:
    # With float32 parameters the costs run in the mode that the user wrote them in.
    import jax

    return any(np.result_type(leaf) == np.float64 for leaf in jax.tree.leaves(W))


def check_size(size: int) -> None:
    """Refuse what Lanczos has no room in.

    Raises:
        ProblemError: fewer than three numbers.
    """
    if size < 3:
        raise ProblemError("W: fewer than three parameters; form the Hessian instead")


def _by_jax(W: Any, f: Cost, g: Cost, eta: float) -> Derivatives:
    import jax
    import jax.numpy as jnp

    leaves, structure = jax.tree.flatten(jax.tree.map(jnp.asarray, W))
    kinds = sorted({str(leaf.dtype) for leaf in leaves})
    size = sum(leaf.size for leaf in leaves)
    check_size(size)
    if len(kinds) > 1 or kinds[0] not in ("float32", "float64"):
        raise ProblemError(
            f"W: the parameters are of {', '.join(kinds)}; the report needs float32 or float64 "
            "throughout"
        )
    ends = np.cumsum([leaf.size for leaf in leaves])[:-1]
    # Derivatives are taken leaf by leaf: cut out of one long vector, the matrices of a network would be
    # copied in every product, and XLA multiplies by a slice ten times slower than by a matrix.
    w = jax.tree.unflatten(structure, leaves)
    slope_of_g = jax.grad(g)

    def h(w: Any) -> Any:
        return f(jax.tree.map(lambda a, b: a - eta * b, w, slope_of_g(w)))

    def product(slope: Cost) -> Callable[[np.ndarray], np.ndarray]:
        compiled = jax.jit(lambda w, v: jax.jvp(slope, (w,), (v,))[1])

        def apply(v: np.ndarray) -> np.ndarray:
            parts = [p.reshape(x.shape) for p, x in zip(np.split(v, ends), leaves, strict=True)]
            return vector(compiled(w, jax.tree.unflatten(structure, parts)))

        return apply

    def vector(tree: Any) -> np.ndarray:
        return np.concatenate([np.asarray(leaf).reshape(-1) for leaf in jax.tree.leaves(tree)])

    value, slope = jax.jit(jax.value_and_grad(h))(w)
    return Derivatives(
        size=size,
        dtype=leaves[0].dtype,
        value=float(value),
        slope=float(np.linalg.norm(vector(slope))),
        adaptation=product(slope_of_g),
        curvature=product(jax.grad(h)),
    )
