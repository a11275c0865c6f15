"""Why R must be definite: with a free input the cost may stay bounded where the loop is unstable."""

from __future__ import annotations

import numpy as np
import pytest

import benign
from benign.errors import ProblemError
from benign.tasks.files import loads

A, B, C = np.array([[0.0, 1.0], [0.0, 0.0]]), np.array([[0.0], [1.0]]), np.array([[2.0, 1.0]])
Q = C.T @ C
"""The plant from a to C s has its zero at −2, outside the unit circle; (A, Q) is observable."""


def truncated(W, R, steps=60):
    """Σ_{t<T} (s'Qs + a'Ra) under a = −W s, S0 = I."""
    L, moment, total = A - B @ W, np.eye(2), 0.0
    for _ in range(steps):
        total += np.trace((Q + R * W.T @ W) @ moment)
        moment = L @ moment @ L.T
    return total


def test_the_cost_of_an_unstable_loop_is_bounded_without_a_price_and_grows_with_one():
    assert np.linalg.matrix_rank(np.vstack([C, C @ A])) == 2
    W = np.array([[0.0, 2.0]])  # the mode −2 of the loop is the zero of the plant
    assert max(abs(np.linalg.eigvals(A - B @ W))) == 2
    assert truncated(W, 0.0) == 5
    assert truncated(W, 1e-3) > 1e12
    # The stabilising solution has R + B'PB > 0 nevertheless.
    P = np.asarray(benign.LQR(A, B, Q, 1e-9).optimum().P)
    assert (B.T @ P @ B).item() > 1


@pytest.mark.parametrize("R", [0, [[1, 1], [1, 1]], [[1, 0], [0, 0]]])
def test_a_free_input_is_refused(R):
    m = np.shape(R)[0] if np.ndim(R) else 1
    with pytest.raises(ProblemError, match=r"`R` must be positive definite; .* an unstable loop$"):
        benign.LQR(A, np.eye(2)[:, :m], Q, R)
    B_ = np.eye(2, dtype=int)[:, :m].tolist()
    with pytest.raises(
        ProblemError, match=r"`R` must be positive.*; where an input is free.* unstable loop$"
    ):
        loads(f"benign = 1\n[[tasks]]\nA = [[0, 1], [0, 0]]\nB = {B_}\nQ = [[4, 2], [2, 1]]\nR = {R}\n")
