"""The derivatives of h = f∘F at the parameters of a PyTorch module, by torch.autograd.

    ∇²g(w)v = ∂⟨∇g(w), v⟩/∂w,    ∇²h(w)v = ∂⟨∇h(w), v⟩/∂w,    h(w) = f(w − η∇g(w)).

A cost is a function of the module, as a training loop has it: ``lambda net: mse(net(x), y)``. It is
called with the module's own code on other numbers, so that the module itself is never written to. Each
product builds its graph anew and lets go of it: that costs a third more time than to keep it, and no
memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch  # pyright: ignore[reportMissingImports]

from benign.errors import ProblemError
from benign.training.lanczos import Derivatives
from benign.training.postfactum import check_size

Cost = Callable[[Any], torch.Tensor]
Tensors = tuple[torch.Tensor, ...]

SAME = 1e-4
"""Two values of a cost that differ by more, relatively, are chance and not rounding."""


class _On(torch.nn.Module):
    """A cost on a module, as a module: what `torch.func.functional_call` swaps parameters in."""

    def __init__(self, module: torch.nn.Module, cost: Cost):
        super().__init__()
        self.module, self.cost = module, cost

    def forward(self) -> torch.Tensor:
        """The cost of the module as it stands."""
        return self.cost(self.module)


def by_torch(module: torch.nn.Module, f: Cost, g: Cost, eta: float) -> Derivatives:
    """Value, slope and Hessian products at the parameters that require a gradient.

    Args:
        module: the trained module, in the mode (`eval`, mostly) that its costs mean.
        f, g: evaluation and adaptation cost, functions of a module to one real number.
        eta: η.

    Raises:
        ProblemError: too few parameters, or of several types; a cost that is not one real number, does
            not depend on the parameters, or differs from call to call.
    """
    names, w = _parameters(module)
    shapes = [x.shape for x in w]
    ends = np.cumsum([x.numel() for x in w])[:-1]

    def evaluated(cost: Cost, what: str) -> Callable[[Tensors], torch.Tensor]:
        wrapped = _On(module, cost)

        def at(x: Tensors) -> torch.Tensor:
            # Buffers (running means) are copies as well: a module in training mode writes to them.
            buffers = {f"module.{name}": b.clone() for name, b in module.named_buffers()}
            swapped = dict(zip(names, x, strict=True))
            return _real(torch.func.functional_call(wrapped, swapped | buffers, ()), what)

        return at

    f_at, g_at = evaluated(f, "f"), evaluated(g, "g")
    _check_repeatable(f_at, w, "f")
    _check_repeatable(g_at, w, "g")

    def h_at(x: Tensors) -> torch.Tensor:
        slope = _gradient(g_at(x), x, kept=True)
        return f_at(tuple(a - eta * b for a, b in zip(x, slope, strict=True)))

    def variables() -> Tensors:
        return tuple(x.detach().requires_grad_() for x in w)

    def product(at: Callable[[Tensors], torch.Tensor]) -> Callable[[np.ndarray], np.ndarray]:
        def apply(v: np.ndarray) -> np.ndarray:
            with torch.enable_grad():
                x = variables()
                parts = [
                    torch.as_tensor(part.reshape(shape), dtype=one.dtype, device=one.device)
                    for part, shape, one in zip(np.split(v, ends), shapes, w, strict=True)
                ]
                slope = _gradient(at(x), x, kept=True)
                along = torch.stack([(a * b).sum() for a, b in zip(slope, parts, strict=True)]).sum()
                return _vector(_gradient(along, x))

        return apply

    with torch.enable_grad():
        x = variables()
        value = h_at(x)
        slope = _vector(_gradient(value, x))
    return Derivatives(
        size=slope.size,
        dtype=slope.dtype,
        value=float(value.detach()),
        slope=float(np.linalg.norm(slope)),
        adaptation=product(g_at),
        curvature=product(h_at),
    )


def _parameters(module: torch.nn.Module) -> tuple[list[str], Tensors]:
    """The parameters that are trained, tied ones once, by their names within `_On`."""
    trained = {f"module.{name}": p for name, p in module.named_parameters() if p.requires_grad}
    kinds = {str(p.dtype) for p in trained.values()}
    check_size(sum(p.numel() for p in trained.values()))
    if len(kinds) > 1 or not kinds <= {"torch.float32", "torch.float64"}:
        raise ProblemError(
            f"W: the parameters are of {', '.join(sorted(kinds))}; the report needs float32 or float64 "
            "throughout: call module.float() or module.double()"
        )
    return list(trained), tuple(p.detach() for p in trained.values())


def _gradient(value: torch.Tensor, x: Tensors, *, kept: bool = False) -> Tensors:
    """∂value/∂x, zeros for parameters that it does not depend on."""
    if not value.requires_grad:
        # The slope of something linear: constant, so that its derivative is zero.
        return tuple(torch.zeros_like(one) for one in x)
    return torch.autograd.grad(value, x, create_graph=kept, allow_unused=True, materialize_grads=True)


def _vector(parts: Tensors) -> np.ndarray:
    return torch.cat([part.detach().reshape(-1) for part in parts]).cpu().numpy()


def _real(value: Any, what: str) -> torch.Tensor:
    if not isinstance(value, torch.Tensor) or value.numel() != 1 or not value.is_floating_point():
        kind = f"{value.dtype}{list(value.shape)}" if isinstance(value, torch.Tensor) else type(value)
        raise ProblemError(
            f"{what}: a cost must return one real number as a tensor, got {kind}; take its mean, say"
        )
    return value.reshape(())


def _check_repeatable(at: Callable[[Tensors], torch.Tensor], w: Tensors, what: str) -> None:
    with torch.enable_grad():
        first = at(tuple(x.detach().requires_grad_() for x in w))
    if not first.requires_grad:
        raise ProblemError(
            f"{what}: it does not depend on the parameters of the module; write it as a function of "
            "the module that it is given, lambda net: loss(net(x), y)"
        )
    with torch.no_grad():
        one, two = float(first), float(at(w))
    if abs(one - two) > SAME * max(abs(one), abs(two)):
        raise ProblemError(
            f"{what}: it was {one:.6g} and then {two:.6g} at the same parameters, so that chance is in "
            "it (dropout?); call module.eval(), or fix the sample"
        )
