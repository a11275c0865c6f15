"""The proximal point of a task: where iMAML and Meta-MinibatchProx adapt to.

    φ(w) = argmin_φ g(φ) + λ/2 ‖φ − w‖²,   so that   ∇g(φ) + λ(φ − w) = 0,   φ'(w) = (I + ∇²g(φ)/λ)⁻¹.

Found by Newton's method with conjugate gradients from φ = w, without leaving the set where g is finite.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float

from benign.meta.points import Point, Site

NEWTON_STEPS, HALVINGS, PRODUCTS = 40, 40, 200
"""Effort at most: Newton steps, halvings of one, Hessian products of one linear solve."""

SOLVED = 1e-12
"""Residual of a linear solve relative to its right-hand side; Newton's method forgives more."""

SETTLED, ACCEPTED = 1e-13, 1e-9
"""‖∇g(φ) + λ(φ − w)‖ relative to the size of its terms: where the search ends, and what still counts as
the proximal point. Between them lies what rounding leaves of badly scaled tasks."""


class Proximal(NamedTuple):
    """The proximal point.

    Attributes:
        phi: φ.  point: g there.
        found: whether g is finite at w, φ solves its equation and no negative curvature of
            g + λ/2‖·‖² was met on the way.
    """

    phi: Float[Array, "*p"]
    point: Point
    found: Bool[Array, ""]


def dot(a: Float[Array, "*p"], b: Float[Array, "*p"]) -> Float[Array, ""]:
    """The sum of the products of the entries."""
    return jnp.sum(a * b)


def conjugate_gradients(
    product: Callable[[Array], Array], right: Float[Array, "*p"]
) -> tuple[Float[Array, "*p"], Bool[Array, ""]]:
    """x with product(x) = right, and whether only positive curvature was met.

    At the first negative curvature the solve ends with what it has, in the first step with `right`
    itself: a direction of descent all the same.

    Source: J. Nocedal and S. J. Wright, Numerical Optimization (2nd ed. 2006), algorithm 7.1.
    """
    enough = SOLVED**2 * dot(right, right)

    def unfinished(state):
        k, _, _, _, rr, convex = state
        return (k < PRODUCTS) & (rr > enough) & convex

    def advance(state):
        k, x, r, d, rr, _ = state
        Hd = product(d)
        curvature = dot(d, Hd)
        convex = curvature > 0
        length = jnp.where(convex, rr / jnp.where(convex, curvature, 1.0), 0.0)
        r_next = r - length * Hd
        rr_next = dot(r_next, r_next)
        x = jnp.where(convex, x + length * d, jnp.where(k == 0, right, x))
        return k + 1, x, r_next, r_next + rr_next / jnp.where(rr > 0, rr, 1.0) * d, rr_next, convex

    zero = jnp.zeros((), jnp.int32)
    start = (zero, jnp.zeros_like(right), right, right, dot(right, right), jnp.asarray(True))
    _, x, _, _, _, convex = lax.while_loop(unfinished, advance, start)
    return x, convex


def proximal_point(g: Site, w: Float[Array, "*p"], lam: Float[Array, ""]) -> Proximal:
    """φ(w) for one task; `found` is false where the conditions do not hold, and φ is finite always."""
    begin = g.at(w)
    slope = jnp.sqrt(dot(begin.gradient(), begin.gradient()))

    def residual(phi: Array) -> tuple[Array, Array]:
        r = g.at(phi).gradient() + lam * (phi - w)
        size = slope + lam * jnp.sqrt(dot(phi, phi) + dot(w, w))
        return r, jnp.sqrt(dot(r, r)) / jnp.where(size > 0, size, 1.0)

    def merit(phi: Array) -> Array:
        return g.at(phi).value() + 0.5 * lam * dot(phi - w, phi - w)

    def unfinished(state):
        k, _, _, relative, moving, _ = state
        return (k < NEWTON_STEPS) & (relative > SETTLED) & moving

    def advance(state):
        k, phi, r, _, _, _ = state
        here = g.at(phi)
        step, convex = conjugate_gradients(lambda v: here.hessian_product(v) + lam * v, -r)
        value, rise = merit(phi), dot(r, step)

        def too_long(search):
            j, t = search
            # A last step that rounding hides in the merit is allowed to change it by rounding.
            level = value + 1e-4 * t * rise + 1e-15 * jnp.abs(value)
            return (j < HALVINGS) & ~(merit(phi + t * step) <= level)

        j, t = lax.while_loop(
            too_long, lambda s: (s[0] + 1, 0.5 * s[1]), (jnp.zeros((), jnp.int32), jnp.ones(()))
        )
        moved = j < HALVINGS
        phi = jnp.where(moved, phi + t * step, phi)
        return k + 1, phi, *residual(phi), moved, convex

    r, relative = residual(w)
    start = (jnp.zeros((), jnp.int32), w, r, relative, begin.stable, jnp.asarray(True))
    _, phi, _, relative, _, convex = lax.while_loop(unfinished, advance, start)
    return Proximal(phi, g.at(phi), begin.stable & convex & (relative <= ACCEPTED))
