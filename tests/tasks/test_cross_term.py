"""A cross term is refused, and the substitution that the message names is right."""

from __future__ import annotations

import numpy as np
import pytest

import benign
from benign.errors import FileFormatError, ProblemError
from benign.tasks.files import loads

FILE = """
benign = 1
[[tasks]]
name = "pitch"
A = [[1, 0.1], [0, 1]]
B = [[0], [0.1]]
Q = [[1, 0], [0, 1]]
R = 2
"""


def test_only_zeros_are_taken():
    assert loads(FILE + "N = [[0], [0]]").family == loads(FILE).family
    A, B = [[1, 0.1], [0, 1]], [[0], [0.1]]
    task = benign.LQR(A, B, np.eye(2), 2, N=[[0], ["0"]])
    assert task.exact_plant() == benign.LQR(A, B, np.eye(2), 2).exact_plant()
    benign.LQR(1, 1, 1, 1, N=0)


@pytest.mark.parametrize("place", ["N = [[0], [0.2]]", "[tasks.adaptation]\nN = [[1], [0]]"])
def test_a_file_with_a_cross_term_is_refused_with_the_cure(place):
    with pytest.raises(ProblemError, match="a cross term 2 s'N a of the cost, is not taken") as caught:
        loads(FILE + place, name="a/rather/long/path/to/a/family/file.toml")
    assert str(caught.value).endswith("every gain is then W − K")


@pytest.mark.parametrize(
    ("N", "words"),
    [
        ([[0], [0.2]], "task `x`: `N`, a cross term .* give A − B K for `A`, Q − N K for `Q`"),
        ([[0, 0.2]], "`N` must have shape"),
        ([[0], ["a"]], "`N`: expected a number"),
    ],
)
def test_python_too(N, words):
    with pytest.raises(ProblemError, match=words):
        benign.LQR([[1, 0.1], [0, 1]], [[0], [0.1]], np.eye(2), 2, N=N, name="x")
    with pytest.raises(ProblemError, match="`N` is 1 × 1; it must be 2 × 1"):
        loads(FILE + "N = 1")


def test_a_wrong_key_does_not_lead_to_it():
    with pytest.raises(FileFormatError, match="unknown key `nn`") as caught:
        loads(FILE + "nn = 1")
    assert "`N`" not in str(caught.value)


def test_the_substitution_gives_the_cost_and_the_step_of_the_cross_term():
    rng = np.random.default_rng(0)
    n, m = 3, 2
    A, B, N = rng.normal(size=(n, n)) * 0.4, rng.normal(size=(n, m)), rng.normal(size=(n, m)) * 0.2
    Q, R = 2 * np.eye(n), np.diag([1.0, 2.0])
    K = np.linalg.solve(R, N.T)
    task = benign.LQR(A - B @ K, B, Q - N @ K, R)
    W = np.asarray(task.optimum().W) + 0.05 * rng.normal(size=(m, n))

    def simulated(W):
        """Σ E[s'Qs + 2 s'N a + a'Ra] under a = −W s, the second moment carried forward."""
        moment, total = np.eye(n), 0.0
        for _ in range(1000):
            total += np.trace((Q - N @ W - W.T @ N.T + W.T @ R @ W) @ moment)
            moment = (A - B @ W) @ moment @ (A - B @ W).T
        return total

    assert float(task.cost(W)) == pytest.approx(simulated(W + K), rel=1e-11)
    slope = np.asarray(task.gradient(W))
    for i, j in np.ndindex(m, n):
        E = np.zeros((m, n))
        E[i, j] = 1e-5
        difference = (simulated(W + K + E) - simulated(W + K - E)) / 2e-5
        assert slope[i, j] == pytest.approx(difference, rel=1e-5, abs=1e-5)
