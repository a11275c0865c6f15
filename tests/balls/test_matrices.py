"""Ball matrices against numpy, scipy and exact arithmetic: what is proved is true, and enough is."""

from fractions import Fraction

import numpy as np
import pytest
import scipy.linalg
from flint import arb, arb_mat, ctx, fmpq, fmpq_mat

from benign.balls.matrices import (
    Lyapunov,
    Unproved,
    blocks,
    frobenius_norm,
    identity,
    is_positive_definite,
    is_unstable,
    least_singular_value,
    spectral_norm,
    to_ball_matrix,
    widened,
)
from benign.exact.definite import is_semidefinite


@pytest.fixture(autouse=True)
def _precision():
    with ctx.workprec(128):
        yield


def balls(M) -> arb_mat:
    return arb_mat(np.asarray(M, float).tolist())


def exact(M):
    return tuple(tuple(Fraction(float(x)) for x in row) for row in M)


def stable(n, seed, rho=0.9):
    L = np.random.default_rng(seed).normal(size=(n, n))
    return L * (rho / max(abs(np.linalg.eigvals(L))))


def held(M: arb_mat, N: fmpq_mat) -> bool:
    return all(
        M[i, j].contains(arb(N[i, j])) or M[i, j].overlaps(arb(N[i, j]))
        for i in range(M.nrows())
        for j in range(M.ncols())
    )


def test_an_exact_matrix_is_within_its_balls():
    M = to_ball_matrix([[Fraction(1, 3), Fraction(2)], [Fraction(-1, 7), Fraction(0)]])
    assert M[0, 0].contains(fmpq(1, 3))
    assert M[1, 0].contains(fmpq(-1, 7))
    assert M[0, 1] == 2


def test_blocks_stand_where_they_are_written():
    one, two = balls([[1, 2]]), balls([[3]])
    assert blocks([[one, two], [one, two]]).tolist() == balls([[1, 2, 3], [1, 2, 3]]).tolist()


# --- definiteness ----------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
def test_definiteness_agrees_with_exact_arithmetic(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 7))
    G = rng.integers(-3, 4, size=(n, max(1, n - seed % 2)))  # every other one of lower rank
    M = G @ G.T - (seed % 3 == 2) * np.eye(n, dtype=int)
    values = np.linalg.eigvalsh(M)
    if min(abs(values)) > 1e-9:
        assert is_positive_definite(balls(M)) == (values[0] > 0)
        assert is_semidefinite(exact(M), strict=True) == (values[0] > 0)
    assert is_semidefinite(exact(M)) == (values[0] > -1e-9)


def test_a_singular_matrix_is_semidefinite_and_not_definite():
    M = np.array([[1.0, 1.0], [1.0, 1.0]])
    assert is_semidefinite(exact(M))
    assert not is_semidefinite(exact(M), strict=True)
    assert not is_positive_definite(balls(M))


def test_a_matrix_below_zero_by_a_rounding_is_not_semidefinite():
    tiny = Fraction(1, 10**60)
    assert not is_semidefinite(((Fraction(1), Fraction(1)), (Fraction(1), 1 - tiny)))
    assert is_semidefinite(((Fraction(1), Fraction(1)), (Fraction(1), 1 + tiny)), strict=True)


@pytest.mark.parametrize("bad", [arb("nan"), arb(0, 1), arb(1, 2)])
def test_what_is_not_certain_is_not_definite(bad):
    assert not is_positive_definite(arb_mat([[bad, 0], [0, 1]]))
    assert not is_positive_definite(arb_mat([[1, 0], [bad * 10, 1]]))


# --- norms -----------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (12, 12), (40, 30)])
def test_norms_bound_and_are_tight(shape):
    M = np.random.default_rng(sum(shape)).normal(size=shape)
    values = np.linalg.svd(M, compute_uv=False)
    norm = float(spectral_norm(balls(M)))
    assert values[0] * (1 - 1e-12) <= norm <= values[0] * 1.01
    assert float(frobenius_norm(balls(M))) == pytest.approx(np.linalg.norm(M))
    if shape[0] == shape[1]:
        least = float(least_singular_value(balls(M)))
        assert values[-1] * 0.99 <= least <= values[-1] * (1 + 1e-9)


def test_norms_of_wide_balls_bound_every_matrix_within():
    M = arb_mat([[arb(1, 1), arb(0, 2)], [arb(-1, 0.5), arb(3, 0.1)]])
    worst = np.array([[2, 2], [-1.5, 3.1]])
    assert spectral_norm(M) >= np.linalg.norm(worst, 2) * (1 - 1e-12)
    assert frobenius_norm(M) >= np.linalg.norm(worst) * (1 - 1e-12)


def test_a_zero_matrix_has_norm_zero_and_no_inverse():
    assert spectral_norm(arb_mat(2, 2)) == 0
    for M in (arb_mat(2, 2), balls([[1, 2], [2, 4]]), arb_mat([[arb(0, 1)]])):
        with pytest.raises(Unproved):
            least_singular_value(M)


def test_no_norm_of_what_is_not_a_number_compares():
    norm = spectral_norm(arb_mat([[arb("nan"), 1], [1, 1]]))
    assert not norm < arb(10) ** 100


# --- Lyapunov --------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 4])
@pytest.mark.parametrize("rho", [0.0, 0.5, 0.999])
def test_the_solution_holds_that_of_exact_arithmetic(n, rho):
    """(I − L ⊗ L) vec X = vec S over the rational numbers, another route to the same X."""
    L, G = exact(stable(n, n, rho or 1.0) * (rho > 0)), np.random.default_rng(1).normal(size=(n, n))
    S = exact(G + G.T)
    index = [(i, j) for i in range(n) for j in range(n)]

    def q(x):
        return fmpq(x.numerator, x.denominator)

    system = fmpq_mat([[int(a == b) - q(L[a[0]][b[0]] * L[a[1]][b[1]]) for b in index] for a in index])
    X = system.solve(fmpq_mat([[q(S[i][j])] for i, j in index]))
    found = Lyapunov(to_ball_matrix(L)).solve(to_ball_matrix(S))
    assert held(found, fmpq_mat(n, n, X.entries()))
    assert all(x.rad() < arb(2) ** -80 * (1 + abs(x)) for x in found.entries())


@pytest.mark.parametrize("n", [12, 30])
def test_large_equations_agree_with_scipy(n):
    L = stable(n, 3, 0.95)
    X = Lyapunov(balls(L)).solve(identity(n))
    assert np.allclose(np.array(X.tolist(), float), scipy.linalg.solve_discrete_lyapunov(L, np.eye(n)))
    assert all(x.rad() < arb(10) ** -20 for x in X.entries())


def test_wide_balls_hold_the_solutions_of_all_matrices_within():
    rng = np.random.default_rng(4)
    L, S = stable(4, 5, 0.8), np.eye(4)
    width = 1e-4
    wide = arb_mat([[arb(x, width) for x in row] for row in L.tolist()])
    X = Lyapunov(wide).solve(balls(S))
    for _ in range(20):
        other = L + width * rng.choice([-1, 1], size=(4, 4)) * 0.999
        reference = scipy.linalg.solve_discrete_lyapunov(other, S)
        assert all(X[i, j].overlaps(arb(reference[i, j], 1e-9)) for i in range(4) for j in range(4))
        assert all(abs(reference[i, j] - float(X[i, j].mid())) < float(X[i, j].rad()) + 1e-9
                   for i in range(4) for j in range(4))  # fmt: skip


def test_widened_holds_every_matrix_between():
    Z = np.array([[2.0, 1.0], [1.0, 1.0]])
    X = widened(arb_mat(2, 2), balls(Z))
    root = np.linalg.cholesky(Z)
    for seed in range(50):
        G = np.random.default_rng(seed).normal(size=(2, 2))
        G = G + G.T
        D = root @ (G / np.linalg.norm(G, 2)) @ root.T * 0.999999  # −Z ⪯ D ⪯ Z
        assert all(X[i, j].contains(arb(float(D[i, j]))) for i in range(2) for j in range(2))


@pytest.mark.parametrize(
    "L",
    [
        [[1.0]],
        [[-1.0]],
        [[1.0, 1.0], [0.0, 1.0]],
        [[0.0, 1.0], [-1.0, 0.0]],
        [[2.0, 0.0], [0.0, 0.5]],
        [[1.0 + 2**-52, 5.0], [0.0, 0.1]],
        (stable(30, 1, 1.01)).tolist(),
    ],
)
def test_what_is_not_stable_is_never_proved_stable(L):
    for precision in (53, 128, 256):
        with ctx.workprec(precision), pytest.raises(Unproved):
            Lyapunov(balls(L))


def test_a_matrix_stable_by_a_hair_is_proved_so():
    hair = 1 - 2**-50
    X = Lyapunov(balls([[hair, 1.0], [0.0, 0.5]])).solve(identity(2))
    assert X[1, 1].contains(fmpq(4, 3))
    with pytest.raises(Unproved):
        Lyapunov(arb_mat([[arb(hair, 2**-49)]]))
    with pytest.raises(Unproved):
        Lyapunov(arb_mat([[arb("nan")]]))


def test_instability_is_shown_where_it_is_clear():
    assert is_unstable(balls([[2.0, 0.0], [0.0, 0.5]]))
    assert is_unstable(balls(stable(30, 1, 1.01)))
    assert not is_unstable(balls(stable(30, 1, 0.99)))
    assert not is_unstable(balls([[0.0, 1.0], [0.0, 0.0]]))  # a defective eigenvalue
    assert not is_unstable(arb_mat([[arb("nan")]]))
