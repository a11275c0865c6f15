"""Matrix equations of discrete time: Lyapunov, Riccati, spectral radius.

Every function takes stacks of matrices (leading dimensions broadcast), works under `jit` and
`vmap`, and is computed in float64 whether or not JAX's 64-bit mode is on (`benign.precision`). The
two solvers carry hand-written derivatives that nest, so that gradients, Hessians and third
derivatives are those of the equation and not of the loop that solved it. Outside the set where an
answer exists the answer is +∞ and every derivative is zero, never NaN.
"""

from benign.linalg.lyapunov import dlyap, dlyap_stable
from benign.linalg.products import Matrices, matmul, symmetric, transpose
from benign.linalg.riccati import dare, optimal_gain
from benign.linalg.stability import is_stable, spectral_radius, unit_weights
from benign.precision import float64_method, in_float64

__all__ = [
    "Matrices",
    "dare",
    "dlyap",
    "dlyap_stable",
    "float64_method",
    "in_float64",
    "is_stable",
    "matmul",
    "optimal_gain",
    "spectral_radius",
    "symmetric",
    "transpose",
    "unit_weights",
]
