"""The search: against proofs in one dimension, an independent evaluator in two, and its own rules."""

import json

import jax
import numpy as np
import pytest
from scipy.linalg import solve_discrete_lyapunov

from benign import LQR, GradientStep, MetaObjective, NormalizedStep, TaskFamily, analyze
from benign.errors import BudgetError, ProblemError
from benign.results.landscape import Kind
from benign.results.met import kind_of, missing_mass
from benign.searches.descent import Field, Polished, descend, polish
from benign.searches.sampling import make_sampler
from benign.searches.search import MERGED, _Hunt, search
from benign.tasks.files import bundled_path, load


def bundled(name: str, eta: str, step=GradientStep) -> MetaObjective:
    return MetaObjective(TaskFamily.from_exact(load(bundled_path(name)).family), step(eta))


def planar(eta: str = "0.02") -> MetaObjective:
    """Two tasks of two states and one input; five local minima."""
    first = LQR([[1, 0.2], [0, 0.9]], [0.1, 1], np.eye(2), 1)
    other = LQR([[1, 0.3], [0.1, 1.1]], [0.2, 0.8], np.eye(2), 0.5)
    return MetaObjective(TaskFamily([first, other]), GradientStep(eta))


@pytest.fixture(scope="module")
def planar_landscape():
    return search(planar())


# --- against other routes to the same answer -------------------------------------------------


@pytest.mark.parametrize("name", ["paper-figure-3a", "paper-figure-3b", "paper-figure-3c"])
def test_a_scalar_search_meets_what_the_proof_lists(name):
    objective = bundled(name, "0.05")
    proved, found = analyze(objective), search(objective)
    assert len(found.points) == len(proved.stationary_points)
    seen = sorted(found.points, key=lambda point: point.W[0, 0])
    for point, true in zip(seen, proved.stationary_points, strict=True):
        assert point.W[0, 0] == pytest.approx(true.at.mid, rel=1e-9)
        assert point.height == pytest.approx(true.value.mid, rel=1e-12)
        assert point.kind == true.kind.value
        assert point.eigenvalues[0] == pytest.approx(true.curvature.mid, rel=1e-6)
    assert found.spread == pytest.approx(proved.epsilon.mid, abs=1e-12)


def plain_cost(task: LQR, W: np.ndarray) -> tuple[float, np.ndarray]:
    """C and ∇C by SciPy, where W stabilises."""
    A, B, Q, R, S0 = (np.asarray(X) for X in (task.A, task.B, task.Q, task.R, task.S0))
    L = A - B @ W
    assert np.abs(np.linalg.eigvals(L)).max() < 1
    P = solve_discrete_lyapunov(L.T, Q + W.T @ R @ W)
    Sigma = solve_discrete_lyapunov(L, S0)
    return np.trace(P @ S0), 2 * ((R + B.T @ P @ B) @ W - B.T @ P @ A) @ Sigma


def plain_h(objective: MetaObjective, W: np.ndarray) -> float:
    """h by SciPy, for gradient steps of one shot."""
    total = 0.0
    for weight, task in zip(np.asarray(objective.family.weights), objective.family, strict=True):
        adapted = W - float(objective.step.eta) * plain_cost(task, W)[1]
        total += weight * plain_cost(task, adapted)[0]
    return total


def differences(h, W: np.ndarray, step: float = 1e-4) -> tuple[np.ndarray, np.ndarray]:
    """Gradient and Hessian of h at W, by central differences of values."""
    p = W.size
    E = step * np.eye(p).reshape(p, *W.shape)
    gradient = np.array([(h(W + e) - h(W - e)) / (2 * step) for e in E])
    hessian = [
        [(h(W + a + b) - h(W + a - b) - h(W - a + b) + h(W - a - b)) / (4 * step**2) for a in E]
        for b in E
    ]
    return gradient, np.array(hessian)


def test_two_states_many_minimisers_each_a_minimum_of_an_independent_h(planar_landscape):
    found = planar_landscape
    assert len(found.minimizers) == 5
    assert found.spread == pytest.approx(0.5228, abs=1e-4)
    for point in found.points:
        gradient, hessian = differences(lambda W: plain_h(found.objective, W), point.W)
        scale = np.abs(point.eigenvalues).max()
        assert point.height == pytest.approx(plain_h(found.objective, point.W), rel=1e-12)
        # Central differences are off by step² times a third derivative, here up to 1e4.
        assert np.abs(gradient).max() < 1e-6 * scale
        assert point.gradient_norm < 1e-9 * scale
        eigenvalues = np.linalg.eigvalsh(hessian)
        assert eigenvalues == pytest.approx(point.eigenvalues, abs=1e-2 * scale)
        assert (eigenvalues > 0).all() == (point.kind is Kind.MINIMUM)


def test_saddles_and_maxima_are_met_too(planar_landscape):
    kinds = [point.kind for point in planar_landscape.points]
    assert kinds.count(Kind.SADDLE) >= 5
    assert kinds.count(Kind.MAXIMUM) >= 1
    for point in planar_landscape.points:
        if point.kind is Kind.SADDLE:
            assert point.eigenvalues[0] < 0 < point.eigenvalues[-1]


def test_one_task_is_adapted_to_its_optimum_or_the_step_is_singular():
    """∇h = (I − η∇²C) ∇C(F): at a stationary point one of the factors vanishes."""
    task = LQR([[1, 0.2], [0, 0.9]], [0.1, 1], np.eye(2), 1)
    objective = MetaObjective(TaskFamily([task]), GradientStep("0.02"))
    found = search(objective)
    best, adapted = np.asarray(task.optimum().W), 0
    assert found.minimizers[0].regret == pytest.approx(0, abs=1e-12)
    for point in found.minimizers:
        if point.regret < 1e-10:
            assert np.asarray(objective.adapted(point.W))[0] == pytest.approx(best, abs=1e-6)
            adapted += 1
        else:
            curvature = np.asarray(task.hessian(point.W)).reshape(2, 2)
            assert np.abs(1 - 0.02 * np.linalg.eigvalsh(curvature)).min() < 1e-6
    assert adapted == 4


def test_boeing_747_is_no_worse_than_the_mean_of_the_optima():
    objective = bundled("boeing-747", "5e-4")
    found = search(objective, starts=32)
    mean = np.mean([np.asarray(task.optimum().W) for task in objective.family], axis=0)
    assert found.minimizers[0].height <= float(objective.value(mean))
    assert len(found.minimizers) > 1
    for point in found.minimizers:
        assert point.W.shape == (2, 4)
        assert float(objective.value(point.W)) == pytest.approx(point.height, rel=1e-12)
        best = [float(task.optimum().cost) for task in objective.family]
        regret = np.dot(objective.family.weights, np.asarray(objective.task_values(point.W)) - best)
        assert point.regret == pytest.approx(regret, abs=1e-10)


# --- its own rules ---------------------------------------------------------------------------


def same(one, other) -> bool:
    return all(
        (a.W == b.W).all() and (a.height, a.kind, a.hits) == (b.height, b.kind, b.hits)
        for a, b in zip(one.points, other.points, strict=True)
    )


def test_a_seed_decides(planar_landscape):
    assert same(planar_landscape, search(planar()))
    other = search(planar(), seed=1)
    assert [p.hits for p in other.points] != [p.hits for p in planar_landscape.points]
    values = [point.height for point in planar_landscape.minimizers]
    assert [point.height for point in other.minimizers] == pytest.approx(values, rel=1e-10)


def test_units_do_not_matter():
    """Costs times c and η over c: the same minimisers, however large or small the values are."""
    plain = search(bundled("paper-figure-3b", "0.05"))
    for c in (1e-6, 1e6):
        tasks = [LQR(t.A, t.B, c * t.Q, c * t.R) for t in plain.objective.family]
        scaled = search(MetaObjective(TaskFamily(tasks), GradientStep(0.05 / c)))
        gains = [float(point.W[0, 0]) for point in scaled.points]
        assert gains == pytest.approx([float(p.W[0, 0]) for p in plain.points], rel=1e-7)
        assert [p.kind for p in scaled.points] == [p.kind for p in plain.points]


def test_duplicates_are_one(planar_landscape):
    points = planar_landscape.points
    for i, one in enumerate(points):
        for other in points[:i]:
            assert np.linalg.norm(one.W - other.W) > MERGED
    hunt = _Hunt(Field(planar()))
    x = np.array([[0.5, 1.0], [0.5, 1.0 + 1e-8], [0.5, 1.01], [0.5, 1.02]])
    n = len(x)
    ends = Polished(
        x, np.ones(n), np.zeros(n), np.ones((n, 2)), np.tile(np.eye(2), (n, 1, 1)),
        np.array([True, True, True, False]),
    )  # fmt: skip
    assert hunt.record(ends).tolist() == [0, 0, 1, -1]
    assert hunt.record(ends).tolist() == [0, 0, 1, -1]


def test_the_books_balance(planar_landscape):
    found = planar_landscape
    assert found.starts >= found.converged == sum(point.hits for point in found.points)
    assert found.missing_mass == missing_mass([p.hits for p in found.points if p.hits])
    for i, point in enumerate(found.points):
        hits = [run for run in found.runs if run.point == i and run.method == "random"]
        assert len(hits) == point.hits
        assert np.isfinite(float(found.objective.value(point.W)))
    assert [p.height for p in found.points] == sorted(p.height for p in found.points)
    with pytest.raises(ValueError, match="read-only"):
        found.points[0].W[0, 0] = 0


@pytest.mark.parametrize(
    ("hits", "mass"), [([5, 1, 1, 3], 0.2), ([4, 4], 0.0), ([1], 1.0), ([], 1.0), ([2, 1, 0], 1 / 3)]
)
def test_missing_mass_by_hand(hits, mass):
    assert missing_mass(hits) == pytest.approx(mass)


def test_missing_mass_estimates_what_it_says():
    """Against the truth for 200 basins of known size: no bias beyond 1/N."""
    rng = np.random.default_rng(0)
    size = rng.dirichlet(np.full(200, 0.3))
    samples = rng.multinomial(100, size, size=2000)
    truth = np.mean([size[hits == 0].sum() for hits in samples])
    estimate = np.mean([missing_mass([h for h in hits.tolist() if h]) for hits in samples])
    assert abs(estimate - truth) < 0.01


@pytest.mark.parametrize(
    ("signs", "kind"),
    [
        ([1, 1], "minimum"), ([-1, -1], "maximum"), ([-1, 1], "saddle"), ([-1, 0, 1], "saddle"),
        ([0, 1], "degenerate"), ([-1, 0], "degenerate"), ([0], "degenerate"),
    ],
)  # fmt: skip
def test_kinds(signs, kind):
    assert kind_of(np.array(signs, float)) == kind


def test_a_minimum_of_fourth_order_is_degenerate():
    """η = 1/C''(W*): F'(W*) = 0, so that h − h(W*) grows like (W − W*)⁴."""
    task = LQR(1, 1, 1, 1)
    best = float(task.optimum().W[0, 0])
    objective = MetaObjective(TaskFamily([task]), GradientStep(1 / float(task.hessian(best))))
    found = search(objective)
    flat = [point for point in found.points if point.kind is Kind.DEGENERATE]
    assert len(flat) == 1
    assert flat[0] in found.minimizers
    assert flat[0].W[0, 0] == pytest.approx(best, abs=1e-4)


# --- feasibility -----------------------------------------------------------------------------


def test_starts_are_feasible_and_reach_every_piece():
    objective = bundled("paper-figure-3a", "0.1")
    domain = analyze(objective).domain
    sampler = make_sampler(objective, jax.random.key(0))
    drawn = sampler.draw(jax.random.key(1), 64)
    assert sampler.field.feasible(drawn).all()
    assert (drawn == sampler.draw(jax.random.key(1), 64)).all()
    for piece in domain:
        assert ((drawn > piece.lo.mid) & (drawn < piece.hi.mid)).any()


def test_no_descent_rises_or_leaves_and_none_starts_outside():
    field = make_sampler(planar(), jax.random.key(0)).field
    starts = np.array([[0.7, 0.5], [0.9, 0.9], [50.0, 0.0], [np.nan, 0.0]])
    before, _ = field.probe(starts)
    for ticks in (1, 5, 50):
        ended = descend(field, starts, ticks=ticks)
        assert (ended.value[:2] <= before[:2]).all()
        assert np.isinf(ended.value[2:]).all()
        assert not ended.calm[2:].any()
    polished = polish(field, starts, ticks=10)
    assert not polished.settled[2:].any()
    assert np.isfinite(polished.eigenvalues).all()


def test_tasks_that_conflict_are_named():
    tasks = [LQR(1, 1, 1, 1, name="slow"), LQR(1.2, 1, 1, 1, name="mild"), LQR(4, 1, 1, 1, name="fast")]
    with pytest.raises(ProblemError, match="`slow` and `fast` conflict already"):
        search(MetaObjective(TaskFamily(tasks), GradientStep(0.01)))


def test_a_step_that_throws_every_gain_out_is_blamed():
    tasks = [LQR(1, 1, 1, 1), LQR(2.9, 1, 1, 1)]
    with pytest.raises(ProblemError, match=r"lower eta \(it is 0.1\)"):
        search(MetaObjective(TaskFamily(tasks), GradientStep("0.1")))


def test_a_feasible_gain_is_found_where_no_optimum_is_one():
    """W must lie in (1.9, 2) = (0, 2) ∩ (1.9, 3.9): neither the optima nor their mean are there."""
    objective = MetaObjective(TaskFamily([LQR(1, 1, 1, 1), LQR(2.9, 1, 1, 1)]), GradientStep(1e-3))
    found = search(objective)
    assert found.minimizers
    assert all(1.9 < point.W[0, 0] < 2 for point in found.points)


def test_the_normalised_step_away_from_its_jumps():
    objective = bundled("paper-figure-3b", "0.1", NormalizedStep)
    smooth = [p for p in analyze(objective).stationary_points if p.kind == "minimum"]
    found = search(objective)
    assert [point.W[0, 0] for point in found.minimizers] == pytest.approx([p.at.mid for p in smooth])


# --- the result ------------------------------------------------------------------------------


def test_it_says_observed_and_saves_itself(planar_landscape, tmp_path):
    text = str(planar_landscape)
    assert text.startswith("observed: 5 local minima")
    assert len(text.splitlines()) <= 18
    assert not {"proved", "refuted"} & set(text.split())
    path, *pictures = planar_landscape.save(tmp_path / "new")
    assert [picture.name for picture in pictures] == ["landscape.png", "landscape.svg", "manifest.json"]
    document = json.loads(path.read_text())
    assert document["benign"] == "landscape"
    assert document["verdict"]["statement"] == planar_landscape.verdict.statement
    coverage = document["coverage"]
    assert len(coverage["points"]) == len(planar_landscape.points)
    assert document["problem"]
    again = coverage["points"][coverage["runs"][0]["point"]]
    assert set(again) == {
        "kind", "W", "value", "gradient_norm", "eigenvalues", "hits", "regret", "rounding",
    }  # fmt: skip


def test_starts_budget_and_progress():
    told = []
    found = search(planar(), starts=40, progress=lambda done, most: told.append((done, most)))
    assert told == [(32, 40), (40, 40)]
    assert found.starts == 40
    with pytest.raises(BudgetError, match="were used up by the search; give more"):
        search(planar(), budget=0.0)
    with pytest.raises(ProblemError, match="at least one start"):
        search(planar(), starts=0)
