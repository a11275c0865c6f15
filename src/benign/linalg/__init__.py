"""Matrix equations of discrete time: Lyapunov, Riccati, spectral radius.

Every function takes stacks of matrices (leading dimensions broadcast), works under `jit` and
`vmap`, and is computed in float64. The two solvers carry hand-written derivatives that nest, so
that gradients, Hessians and third derivatives are those of the equation and not of the loop that
solved it. Outside the set where an answer exists the answer is +∞ and every derivative is zero,
never NaN.
"""

from benign.linalg.lyapunov import dlyap, dlyap_stable
from benign.linalg.products import Matrices, matmul, require_x64, symmetric, transpose
from benign.linalg.riccati import dare, optimal_gain
from benign.linalg.stability import is_stable, spectral_radius

__all__ = [
    "Matrices",
    "dare",
    "dlyap",
    "dlyap_stable",
    "is_stable",
    "matmul",
    "optimal_gain",
    "require_x64",
    "spectral_radius",
    "symmetric",
    "transpose",
]
