"""A family near another that is not ε-global, sought by evaluating h at corners of neighbourhoods.

p = p₀ + δ d σ,  σ ∈ {−1, 1}^{4k}: first the corner that the derivative of a gap between two minima
points to, then random ones, then single signs turned. Nothing here is a proof.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benign.clock import Clock
from benign.exact.neighbourhood import Scales
from benign.exact.plants import scalar_plants
from benign.exact.problem import Problem
from benign.floats.intervals import Floats
from benign.kernels.lines import Lines, observe

SIZES, RANDOM, HALVINGS, TURNS = 40, 40, 24, 6
"""Sizes of δ tried at first, random corners, halvings of δ along a corner, rounds of turning signs."""

SMALLEST = 1e-7
"""The smallest δ tried, as a share of the largest."""

STEP = 1e-6
"""Relative step of the finite differences that say where a gap grows."""


@dataclass(frozen=True)
class Families:
    """Families around one, as arrays for `benign.kernels.lines`."""

    centre: Floats
    scales: Floats
    eta: float

    @staticmethod
    def of(problem: Problem, scales: Scales) -> Families:
        """(k, 6) numbers: A, B, Q, R, S0, weight, a discount folded in; (k, 4) scales."""
        f, _ = scalar_plants(problem)
        root = [float(plant.discount) ** 0.5 for plant in f]
        rows = [
            [g * float(p.a), g * float(p.b), float(p.q), float(p.r), float(p.s), float(w)]
            for p, g, w in zip(f, root, problem.weights, strict=True)
        ]
        wide = [
            [g * float(row[0]), g * float(row[1]), float(row[2]), float(row[3])]
            for row, g in zip(scales, root, strict=True)
        ]
        return Families(np.array(rows), np.array(wide), float(problem.step.eta))

    def moved(self, steps: Floats) -> Floats:
        """(F, k, 6): every number moved by steps (F, k, 4) times its scale; Q and R not below zero."""
        tasks = np.repeat(self.centre[None], len(steps), axis=0)
        tasks[:, :, :4] += steps * self.scales
        tasks[:, :, 2] = np.maximum(tasks[:, :, 2], 0.0)
        tasks[:, :, 3] = np.maximum(tasks[:, :, 3], 1e-300)
        return tasks

    def heights(self, gains: Floats) -> Floats:
        """h of the middle family at gains; ∞ where it is not finite."""
        found = [_value(self.centre, self.eta, w).sum() for w in gains.tolist()]
        return np.where(np.isfinite(found), found, np.inf)

    def observed(self, steps: Floats) -> Lines:
        """The minimisers of each family, as far as a grid shows them."""
        return observe(self.moved(steps), self.eta)


def corner_of(families: Families, Wi: float, Wj: float) -> Floats:
    """The signs (k, 4) by which h(W_i) − h(W_j) grows, W_i and W_j minimisers of the middle family."""
    tasks = families.centre
    size = STEP * np.maximum(np.abs(tasks[:, :4]), 1e-3)
    found = np.zeros((len(tasks), 4))
    for v in range(4):
        for side in (1.0, -1.0):
            moved = tasks.copy()
            moved[:, v] += side * size[:, v]
            found[:, v] += side * (_value(moved, families.eta, Wi) - _value(moved, families.eta, Wj))
    return np.where(found >= 0, 1.0, -1.0)


def _value(tasks: Floats, eta: float, w: float) -> Floats:
    """ω C(W − ηC'(W)) of each task."""
    a, b, q, r, s, omega = tasks.T

    def cost(gain: Floats) -> tuple[Floats, Floats]:
        c = a - b * gain
        room = 1.0 - c * c
        top = s * (q + r * gain * gain)
        return top / room, (2.0 * s * r * gain - 2.0 * b * c * top / room) / room

    with np.errstate(all="ignore"):
        return omega * cost(w - eta * cost(np.full(len(a), w))[1])[0]


def outside(
    problem: Problem, scales: Scales, epsilon: float, largest: float, seed: int, clock: Clock
) -> tuple[float, Floats] | None:
    """About the least δ at which a corner is found that is not ε-global, and its signs (k, 4).

    Args:
        problem: the family in the middle.
        scales: of the entries.
        epsilon: ε.
        largest: δ up to which to look.
        seed: of the random corners.
        clock: when it is over, what was found is returned.
    """
    families, rng = Families.of(problem, scales), np.random.default_rng(seed)
    k = len(families.centre)
    corners = rng.choice([-1.0, 1.0], (RANDOM, k, 4))
    middle = families.observed(np.zeros((1, k, 4)))
    own = [corner_of(families, a, b) for a in middle.W for b in middle.W if a != b]
    corners = np.concatenate([np.array(own).reshape(-1, k, 4), corners])
    sizes = largest * np.geomspace(SMALLEST, 1.0, SIZES)
    best = _first(families, corners, sizes, epsilon)
    if best is None:
        return None
    for _ in range(TURNS):
        delta, corner = best
        if clock.late:
            break
        turned = np.repeat(corner[None], 4 * k, axis=0)
        turned.reshape(4 * k, 4 * k)[np.arange(4 * k), np.arange(4 * k)] *= -1.0
        better = _first(families, turned, delta * np.linspace(0.8, 0.995, 8), epsilon)
        if better is None:
            break
        best = better
    return best


def _first(
    families: Families, corners: Floats, sizes: Floats, epsilon: float
) -> tuple[float, Floats] | None:
    """The least of some sizes at which one of the corners is not ε-global, then halved down."""
    steps = (sizes[:, None, None, None] * corners[None]).reshape(-1, *corners.shape[1:])
    bad = (families.observed(steps).epsilon > epsilon).reshape(len(sizes), len(corners))
    if not bad.any():
        return None
    place = int(bad.any(axis=1).argmax())
    corner = corners[int(bad[place].argmax())]
    low, high = sizes[place - 1] if place else sizes[0] / 2, sizes[place]
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        is_bad = families.observed(middle * corner[None]).epsilon[0] > epsilon
        low, high = (low, middle) if is_bad else (middle, high)
    return float(high), corner
