"""The Riccati equation on published plants: residual, stability, and which have no answer."""

import json
from importlib.resources import files

import jax
import numpy as np
import pytest
from scipy.signal import cont2discrete

from benign.linalg import dare, optimal_gain

SAMPLING = 0.1
"""Continuous plants are sampled by zero-order hold with this period."""


@pytest.fixture(scope="module")
def plants() -> dict[str, tuple[np.ndarray, ...]]:
    text = (files("benign.data") / "plants.json").read_text()
    found = {}
    for plant in json.loads(text):
        A, B = (np.array(plant[key], float) for key in "AB")
        n, m = B.shape
        if plant["time"] == "continuous":
            A, B = cont2discrete((A, B, np.eye(n), np.zeros((n, m))), SAMPLING)[:2]
        Q, R = (np.array(plant.get(key, np.eye(size)), float) for key, size in (("Q", n), ("R", m)))
        found[plant["name"]] = (A, B, Q, R)
    return found


def solvable(A, B, Q) -> bool:
    """No eigenvalue of A on or outside the circle is uncontrollable, none on it unobservable in Q."""
    identity = np.eye(len(A))
    for value in np.linalg.eigvals(A):
        pencil = A - value * identity
        size = max(1.0, np.linalg.norm(A))
        reach = np.linalg.svd(np.hstack([pencil, B]), compute_uv=False)[-1]
        sight = np.linalg.svd(np.vstack([pencil, Q]), compute_uv=False)[-1]
        on_the_circle = abs(abs(value) - 1) < 1e-9
        if (abs(value) > 1 - 1e-9 and reach < 1e-10 * size) or (on_the_circle and sight < 1e-10 * size):
            return False
    return True


@pytest.mark.parametrize("copies", [1, pytest.param(20, marks=pytest.mark.slow)])
def test_every_plant_is_solved_or_has_no_answer(plants, copies):
    """Alone, and as a tile of copies."""
    solve = jax.jit(dare)
    unsolved = []
    for name, (A, B, Q, R) in plants.items():
        P = np.asarray(solve(*(np.tile(X, (copies, 1, 1)) for X in (A, B, Q, R))))[-1]
        if not np.isfinite(P).all():
            unsolved.append(name)
            continue
        W = np.asarray(optimal_gain(A, B, R, P))
        L = A - B @ W
        residual = Q + W.T @ R @ W + L.T @ P @ L - P
        assert np.abs(residual).max() <= 1e-12 * np.abs(P).max(), name
        assert np.abs(np.linalg.eigvals(L)).max() < 1, name
    assert len(plants) == 47
    assert unsolved == [name for name, (A, B, Q, _) in plants.items() if not solvable(A, B, Q)]
