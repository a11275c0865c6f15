"""Random problems with several gain entries, shared by the tests of their proofs."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
from flint import arb, arb_mat

from benign.exact.problem import Matrix, Plant, Problem, Task, make_family, make_step

SHAPES = [(2, 1), (3, 1), (4, 1), (1, 2), (1, 3), (1, 4), (2, 2)]


def exact(M) -> Matrix:
    return tuple(tuple(Fraction(float(x)) for x in row) for row in np.atleast_2d(M))


def short(M) -> Matrix:
    """With short fractions, for exact algebra."""
    return tuple(tuple(Fraction(round(64 * float(x)), 64) for x in row) for row in np.atleast_2d(M))


def definite(rng, n):
    G = rng.normal(size=(n, n))
    M = G @ G.T / n + 0.3 * np.eye(n)
    return np.round(64 * (M + M.T) / 2) / 64


def random_plant(
    rng, n, m, *, rho=0.7, discount=1, near=None, spread=0.1, noise=False, cross=0.0
) -> Plant:
    """A plant that W = 0 stabilises, or one near another; with a cross term RT of that size of T."""
    if near is None:
        A = rng.normal(size=(n, n))
        A *= rho / max(abs(np.linalg.eigvals(A)))
        B = rng.normal(size=(n, m))
    else:
        A = np.array(near.A, float) + spread * rng.normal(size=(n, n))
        B = np.array(near.B, float) + spread * rng.normal(size=(n, m))
    made = Plant(
        short(A),
        short(B),
        short(definite(rng, n)),
        short(definite(rng, m)),
        short(definite(rng, n)),
        Fraction(discount),
        short(definite(rng, n)) if noise else None,
    )
    return crossed(made, short(cross * rng.normal(size=(m, n)))) if cross else made


def crossed(plant: Plant, T: Matrix) -> Plant:
    """The plant with the cross term T'R, and Q + T'RT for Q: its stage cost is Q + (W − T)'R(W − T)."""
    Q, R, N = (np.array(X, dtype=object) for X in (plant.Q, plant.R, T))
    rows = [tuple(map(tuple, X.tolist())) for X in (Q + N.T @ R @ N, N.T @ R)]
    return replace(plant, Q=rows[0], N=rows[1])


def random_problem(
    rng, n, m, tasks=2, *, shots=1, eta="0.01", split=False, discount=1, rho=0.7, noise=False, cross=0.0
) -> Problem:
    """Tasks near one another; with `split` they adapt on another cost of the same plant's kind."""
    first = random_plant(rng, n, m, rho=rho, discount=discount)
    made = []
    for i in range(tasks):
        plants = [
            random_plant(rng, n, m, discount=discount, near=first, noise=noise, cross=cross)
            for _ in range(2)
        ]
        made.append(Task(f"t{i}", plants[0], plants[1] if split else None))
    weights = [Fraction(i + 2) for i in range(tasks)]
    return Problem(make_family(made, weights), make_step("gradient", eta, shots))


def random_frame(rng, p, size=0.2):
    """centre, axes: well conditioned, not orthogonal."""
    axes = np.linalg.qr(rng.normal(size=(p, p)))[0] @ (
        np.eye(p) + 0.3 * np.triu(rng.normal(size=(p, p)), 1)
    )
    return (0.05 * rng.normal(size=p)).tolist(), (size * axes).tolist()


def gains(W: arb_mat) -> np.ndarray:
    return np.array([[float(x) for x in row] for row in W.tolist()])


def balls(y) -> list[arb]:
    return [arb(float(x)) for x in y]
