"""What is measured, each by a second route: proofs, descents, general formulas."""

import numpy as np
import pytest

from benign.exact.problem import Problem, make_step
from benign.prove.line.enumeration import analyze
from benign.results.landscape import Kind
from benign.studies.columns import BENIGN, SPURIOUS
from benign.studies.proving import prove_scalar
from benign.studies.scalar import measured, shifts
from benign.studies.stepped import stepped_slopes
from benign.studies.study import Study
from benign.studies.variance import above, variance_at
from benign.studies.work import families_of

COUNT = 25


def families(kind, k=3, **fixed):
    study = Study("x", {"seed": COUNT}, generator=kind, fixed={"tasks": k, **fixed})
    return families_of(study, study.columns_of(np.arange(COUNT)))


def observed(some, eta, step="gradient", starts=16):
    return measured(some, np.full(len(some), eta), step, 512, starts, shifts(0, np.arange(len(some))))


@pytest.mark.parametrize("step", ["gradient", "normalized"])
@pytest.mark.parametrize(
    ("kind", "fixed"),
    [("random-costs", {}), ("perturbed", {"spread": 0.3}), ("scaled-costs", {"spread": 2.0})],
)
def test_observed_landscapes_are_the_proved_ones(kind, fixed, step):
    some = families(kind, **fixed)
    eta = 0.05 if step == "gradient" else 0.1
    seen = observed(some, eta, step)
    for i in range(0, COUNT, 6):
        found = analyze(Problem(some.exact(i), make_step(step, eta)))
        assert seen["minimisers"][i] == len(found.minima)
        assert seen["minimum"][i] == pytest.approx(found.minimum.mid, rel=1e-11)
        assert seen["epsilon"][i] == pytest.approx(found.epsilon.mid, rel=1e-9, abs=1e-11)
        least = sum(
            float(w) * t.cost.mid for w, t in zip(found.problem.weights, found.optima, strict=True)
        )
        assert seen["regret"][i] == pytest.approx(found.minimum.mid - least, rel=1e-7, abs=1e-11)


def test_proofs_that_agree_and_proofs_that_do_not():
    some, eta = families("random-costs"), np.full(COUNT, 0.05)
    seen = observed(some, 0.05)
    which = np.array([0, 4, 9])
    honest = prove_scalar(some, eta, "gradient", which, seen)
    assert honest["agrees"].tolist() == [1, 1, 1]
    assert (honest["epsilon_low"] <= seen["epsilon"][which] + 1e-12).all()
    assert set(honest["proved"]) <= {BENIGN, SPURIOUS}
    for name, change in (("minimisers", 1), ("epsilon", 1e-3), ("minimum", 1e-3)):
        lie = {key: column.copy() for key, column in seen.items()}
        lie[name][4] = lie[name][4] + change
        assert prove_scalar(some, eta, "gradient", which, lie)["agrees"].tolist() == [1, 0, 1]


@pytest.mark.parametrize("step", ["gradient", "normalized"])
def test_the_share_of_successes_is_that_of_descents(step):
    """Small steps along −h' from the same starts, one family after another."""
    from benign.kernels.lines import rims, slopes

    some, eta, starts = families("random-costs", k=2), 0.04, 12
    seen = observed(some, eta, step, starts)
    numbers, etas = some.numbers, np.full(COUNT, eta)
    low, high = rims(numbers)
    shift = shifts(0, np.arange(COUNT))
    slope_at = slopes if step == "gradient" else stepped_slopes

    def h_prime(i, W):
        start = np.array([W])
        return slope_at(numbers[i : i + 1], etas[:1], start, np.zeros(1), 1)[0, 0]

    for i in range(0, COUNT, 8):
        problem = Problem(some.exact(i), make_step(step, eta))
        found = analyze(problem)
        best = [p.W.item() for p in found.minima if p.value.mid <= found.minimum.mid * (1 + 1e-9)]
        traps = [p.W.item() for p in found.minima if p.kind is not Kind.MINIMUM]
        good = total = 0
        for j in range(starts):
            W = low[i] + (j + shift[i]) * (high[i] - low[i]) / starts
            direction = -np.sign(h_prime(i, W))
            if not np.isfinite(direction):
                continue
            pace = (high[i] - low[i]) / 1500
            while np.sign(h_prime(i, W + direction * pace)) == -direction:
                W += direction * pace
                if any(abs(W - trap) <= pace and (trap - W) * direction <= 0 for trap in traps):
                    break  # h jumps up there, which its slope does not tell
            total += 1
            good += min(abs(W - b) for b in best) < 3 * pace
        assert seen["success"][i] == pytest.approx(good / total, abs=1e-6)


@pytest.mark.parametrize("eta", [0.01, 0.05])
def test_v_and_curvature_are_those_of_the_general_formulas(eta):
    some = families("perturbed", spread=0.2)
    seen = observed(some, eta)
    for i in range(0, COUNT, 3):
        found = analyze(Problem(some.exact(i), make_step("gradient", eta))).minimizers[0]
        other = variance_at(some[i : i + 1], eta, np.array(found.W))
        assert seen["curvature"][i] == pytest.approx(other["curvature"], rel=1e-7)
        if abs(1 - seen["curvature"][i]) > 1e-3:
            assert seen["variance"][i] == pytest.approx(other["variance"], rel=1e-5, abs=1e-13)


@pytest.mark.parametrize(("n", "m"), [(2, 1), (3, 2)])
def test_v_bounds_the_regret_at_a_minimiser(n, m):
    """Theorem H: h − Σ ω C* ≤ V where ∇h = 0; one task has V = 0 and no regret."""
    from benign.searches.search import search
    from benign.studies.tasks import optima

    fixed = {"n": n, "m": m, "tasks": 3, "spread": 0.05}
    study = Study("x", {"seed": 3}, generator="random-systems", fixed=fixed)
    some = families_of(study, study.columns_of(np.arange(3)))
    for i in range(2):
        one = some[i : i + 1]
        known = optima(one)
        eta = 0.05 / known.curvature.max()
        best = search(one.exact(0), eta=float(eta), starts=8).minimizers[0]
        found = variance_at(one, eta, np.array(best.W))
        regret = float(best.value) - known.cost.mean()
        assert 0 < regret <= found["variance"] < 3 * regret
        assert found["curvature"] < 0.1


def test_a_matrix_above_all_of_them():
    rng = np.random.default_rng(0)
    G = rng.normal(size=(4, 3, 3))
    K = G @ np.swapaxes(G, 1, 2)
    bar = above(K)
    assert min(np.linalg.eigvalsh(bar - X).min() for X in K) > -1e-12 * np.abs(bar).max()
    assert max(np.linalg.eigvalsh(0.99 * bar - X).min() < 0 for X in K)
