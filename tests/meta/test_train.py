"""The loop: where it ends, what it never does, and what the paper's figures become under it."""

import jax
import numpy as np
import optax
import pytest
from scipy.integrate import solve_ivp
from training_problems import Plain, difference, plane_family, valley_stack

from benign.errors import ProblemError
from benign.meta import ticks as module
from benign.meta.adaptation import GradientStep
from benign.meta.algorithms import MAML, make_algorithm
from benign.meta.objective import MetaObjective
from benign.meta.ticks import InfeasibleStartError, Stop
from benign.meta.train import Course
from benign.prove.line.enumeration import analyze
from benign.tasks.family import TaskFamily
from benign.tasks.stack import TaskStack
from helpers import paper_problem

START = np.array([[0.15, 0.45]])


def course(algorithm="maml", family=None, eta=0.01, **settings):
    stack = TaskStack.of(plane_family() if family is None else family)
    rule = make_algorithm(algorithm, eta=eta, lam=4.0)
    return Course(stack, rule, START, **{"beta": 0.02, **settings})


def test_one_seed_is_one_run_and_another_seed_another():
    runs = [course(batch=1, seed=seed).run(START, steps=300) for seed in (3, 3, 4)]
    np.testing.assert_array_equal(runs[0].W, runs[1].W)
    np.testing.assert_array_equal(runs[0].trace.value, runs[1].trace.value)
    assert not np.array_equal(runs[0].W, runs[2].W)


def test_batches_are_unbiased():
    """With all batches of two out of three equally likely, the mean over the draws is ∇h."""
    one = course(batch=2, seed=1)
    draws = [one._draw(block) for block in range(60)]
    share = np.zeros(3)
    for draw in draws:
        for index, weights in zip(draw.index, draw.weights, strict=True):
            assert len(set(index.tolist())) == 2
            share[index] += weights
    share /= 60 * module.SEGMENT
    # Each weight is 3/2 ω with probability 2/3: a standard deviation of ω √(1/2 / 7680), about 1 %.
    np.testing.assert_allclose(share, [0.25, 0.5, 0.25], rtol=0.04)


def test_the_trace_tells_the_run():
    family = plane_family()
    ended = course(family=family).run(START, steps=150)
    assert len(ended.trace.value) == 151
    h = MetaObjective(family, GradientStep(0.01))
    W = START
    for i in range(3):
        assert ended.trace.value[i] == pytest.approx(float(h.value(W)), rel=1e-12)
        assert ended.trace.norm[i] == pytest.approx(float(np.linalg.norm(h.gradient(W))), rel=1e-10)
        W = W - 0.02 * np.asarray(h.gradient(W))
    assert ended.trace.value[-1] == ended.value == pytest.approx(float(h.value(ended.W)), rel=1e-12)
    assert ended.stop is Stop.STEPS


def test_an_interruption_at_any_step_changes_no_bit():
    whole = course(batch=2).run(START, steps=300)
    one = course(batch=2)
    half = one.run(START, steps=131)
    assert half.steps == 131
    rest = one.run(START, steps=300, resume=half.snapshot)
    np.testing.assert_array_equal(whole.W, rest.W)
    np.testing.assert_array_equal(whole.trace.value, rest.trace.value)
    for a, b in zip(whole.snapshot.leaves, rest.snapshot.leaves, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_step_over_the_rim_is_halved_and_counted():
    family = plane_family()
    ended = course(family=family, beta=50.0).run(START, steps=20)
    assert ended.backtracks > 0
    assert ended.backtracks == ended.trace.halvings.sum()
    assert np.isfinite(ended.trace.value).all()
    assert float(MetaObjective(family, GradientStep(0.01)).value(ended.W)) == pytest.approx(ended.value)


def test_a_batch_that_does_not_see_the_rim_is_kept_inside_all_the_same():
    """Batches of one task; the others are watched too, so h stays finite."""
    family = plane_family()
    h = MetaObjective(family, GradientStep(0.01))
    ended = course(family=family, beta=20.0, batch=1).run(START, steps=60)
    assert ended.backtracks > 0
    assert np.isfinite(float(h.value(ended.W)))


def test_an_infeasible_start_is_refused():
    with pytest.raises(InfeasibleStartError, match="start"):
        course().run(np.array([[9.0, 9.0]]), steps=5)
    with pytest.raises(ProblemError, match="finite"):
        course().run(np.array([[np.nan, 0.0]]), steps=5)


def test_armijo_only_goes_down_and_ends_at_a_stationary_point():
    ended = course(armijo=True, beta=1.0).run(START, steps=2000, tolerance=1e-9)
    assert ended.stop is Stop.GRADIENT
    # Not a rise but for what rounding makes of the objective near its minimum.
    assert (np.diff(ended.trace.value) <= module.ROUNDING * ended.value).all()
    plain = Plain(plane_family())

    def h(w):
        return plain.mean(lambda i: plain.f[i][0](plain.shots(i, w, 0.01, 1)))

    assert np.linalg.norm(difference(h, ended.W.reshape(-1))) < 1e-7


@pytest.mark.parametrize("name", ["momentum", "adam", "rmsprop", "adagrad", "lion"])
def test_a_named_optimiser_is_optax_own(name):
    given = {
        "momentum": optax.sgd(1e-3, momentum=0.9),
        "adam": optax.adam(1e-3),
        "rmsprop": optax.chain(optax.scale_by_rms(), optax.scale(-1e-3)),
        "adagrad": optax.adagrad(1e-3),
        "lion": optax.chain(optax.scale_by_lion(), optax.scale(-1e-3)),
    }[name]
    start = {"x": np.array([0.3, 0.1]), "y": np.array([0.2, 0.0])}
    stack = valley_stack()
    rule = make_algorithm("maml", eta=0.05)
    ours = Course(stack, rule, start, beta=1e-3, optimizer=name).run(start, steps=40)
    theirs = Course(stack, rule, start, beta=1.0, optimizer=given).run(start, steps=40)
    for a, b in zip(jax.tree.leaves(ours.W), jax.tree.leaves(theirs.W), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)
    assert ours.value < ours.trace.value[0]


def test_many_starts_at_once_are_the_runs_one_by_one():
    one = course()
    starts = np.stack([START, START * 0.9, START + 0.1])
    W, norms, stops = one.run_many(starts, steps=200, tolerance=1e-10)
    for start, end, norm, stop in zip(starts, W, norms, stops, strict=True):
        alone = one.run(start, steps=200, tolerance=1e-10)
        np.testing.assert_allclose(end, alone.W, rtol=1e-12)
        assert norm == pytest.approx(alone.norm, rel=1e-6)
        assert stop == alone.stop


def test_many_tasks_go_in_chunks(monkeypatch):
    whole = course().run(START, steps=20)
    monkeypatch.setattr(module, "CHUNK", 2)
    jax.clear_caches()
    parts = course().run(START, steps=20)
    np.testing.assert_allclose(parts.W, whole.W, rtol=1e-13)
    jax.clear_caches()


def test_a_run_compiles_once():
    course(eta=0.01).run(START, steps=300)
    before = module.run_segment._cache_size()
    course(eta=0.02, beta=0.01, seed=5).run(START * 0.9, steps=500, tolerance=1e-12)
    assert module.run_segment._cache_size() == before


def test_a_sampler_of_tasks():
    def sampler(rng, count):
        A = np.array([[0.9, 0.3], [-0.1, 0.8]]) + 0.05 * rng.normal(size=(count, 2, 2))
        return TaskFamily.stack(A, np.array([[0.1], [1.0]]), np.eye(2), np.eye(1))

    reference = TaskStack.of(sampler(np.random.default_rng(7), 32))
    one = Course(
        reference, make_algorithm("maml", eta=0.01), START, beta=0.02, batch=4, sampler=sampler
    )
    ended = one.run(START, steps=256)
    value, _, _, _ = one.summary(START)
    assert ended.value < value
    assert ended.value == pytest.approx(one.summary(ended.W)[0])


BAD = {
    "batch of a family": ({"batch": 4}, "batch"),
    "no batch": ({"batch": 0}, "batch"),
    "beta": ({"beta": 0.0}, "beta"),
    "beta nan": ({"beta": float("nan")}, "beta"),
    "optimizer": ({"optimizer": "newton"}, "optimizer"),
    "no optimizer": ({"optimizer": 3}, "optimizer"),
    "armijo on batches": ({"armijo": True, "batch": 1}, "armijo"),
    "seed": ({"seed": -1}, "seed"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_setting_is_named(case):
    settings, word = BAD[case]
    with pytest.raises(ProblemError, match=word):
        course(**settings)


@pytest.mark.parametrize("name", ["imaml", "minibatch-prox"])
def test_lambda_zero_is_refused(name):
    with pytest.raises(ProblemError, match="λ > 0"):
        make_algorithm(name, lam=0.0)
    with pytest.raises(ProblemError, match="lambda"):
        make_algorithm(name)


def test_armijo_needs_an_objective():
    with pytest.raises(ProblemError, match="no function"):
        course("reptile", armijo=True)


# --- the paper's figures ---------------------------------------------------------------------


def uniform_on(domain, rng, count):
    """Uniform over a union of intervals, a hair away from the rims."""
    lengths = np.array([piece.hi.mid - piece.lo.mid for piece in domain])
    which = rng.choice(len(domain), size=count, p=lengths / lengths.sum())
    lo = np.array([piece.lo.mid for piece in domain])[which]
    return lo + lengths[which] * rng.uniform(1e-6, 1 - 1e-6, count)


def slope_3b(w, eta=0.05):
    """h' of Figure 3b by the quotient rule, on arrays."""
    total = np.zeros_like(w)
    for q, r in ((1.0, 2.0), (2.0, 1.0)):

        def d1(x, q=q, r=r):
            room = 1 - (1 - x) ** 2
            return (2 * r * x * room - 2 * (1 - x) * (q + r * x**2)) / room**2

        step = 1e-6
        d2 = (d1(w + step) - d1(w - step)) / (2 * step)
        total += 0.5 * d1(w - eta * d1(w)) * (1 - eta * d2)
    return total


def test_the_basins_of_algorithm_1_are_those_of_the_gradient_flow():
    """Figure 3b at η = 0.05: a thousand random starts, and a direct integration of Ẇ = −h'(W)."""
    problem = paper_problem("3b", "0.05")
    landscape = analyze(problem)
    minima = np.array([point.at.mid for point in landscape.minimizers])
    assert len(minima) == 3
    count = 1000
    starts = uniform_on(landscape.domain, np.random.default_rng(11), count)
    family = TaskStack.of(TaskFamily.from_exact(problem.family))
    # Steps no longer than 0.002: the path is that of the flow, and no basin is jumped over.
    short = optax.chain(optax.clip_by_global_norm(1.0), optax.sgd(2e-3))
    one = Course(family, MAML(GradientStep("0.05")), starts[0].reshape(1, 1), beta=1.0, optimizer=short)
    W, norms, _ = one.run_many(starts.reshape(-1, 1, 1), steps=5000, tolerance=1e-9)
    ends = W.reshape(-1)
    assert norms.max() < 1e-5
    reached = np.abs(ends[:, None] - minima).argmin(axis=1)
    assert np.abs(ends - minima[reached]).max() < 1e-4

    other = uniform_on(landscape.domain, np.random.default_rng(12), count)

    def flow(_, w):
        # Another clock along the same paths: bounded speed, however steep h is near its rims.
        slope = slope_3b(w)
        return -slope / np.hypot(1.0, slope)

    final = solve_ivp(flow, (0, 40), other, method="RK45", rtol=1e-6, atol=1e-8).y[:, -1]
    basin = np.abs(final[:, None] - minima).argmin(axis=1)
    assert np.abs(final - minima[basin]).max() < 1e-3
    share, expected = (np.bincount(x, minlength=3) / count for x in (reached, basin))
    assert (share > 0.05).all()
    # Four standard deviations of the difference of two shares of a thousand draws each.
    assert (np.abs(share - expected) <= 4 * np.sqrt(2 * expected * (1 - expected) / count)).all()


def test_the_normalised_step_reaches_the_global_value_from_everywhere():
    """Figure 2's two tasks: at η = 0.05 a gradient step has a spurious minimum, this one none."""
    problem = paper_problem("2", "0.05", "normalized")
    landscape = analyze(problem)
    starts = uniform_on(landscape.domain, np.random.default_rng(13), 300)
    family = TaskFamily.from_exact(problem.family)
    rule = make_algorithm("normalized-maml", eta="0.05")
    one = Course(TaskStack.of(family), rule, starts[0].reshape(1, 1), beta=1.0, armijo=True)
    W, _, _ = one.run_many(starts.reshape(-1, 1, 1), steps=3000, tolerance=1e-10)
    h = MetaObjective(family, rule.step)
    values = np.asarray(jax.vmap(h.value)(W))
    np.testing.assert_allclose(values, landscape.minimum.mid, rtol=1e-9)


def test_the_gradient_step_does_not():
    """The same tasks and starts without normalisation: some starts end at the spurious minimum."""
    problem = paper_problem("2", "0.05")
    landscape = analyze(problem)
    starts = uniform_on(landscape.domain, np.random.default_rng(13), 300)
    family = TaskFamily.from_exact(problem.family)
    rule = make_algorithm("maml", eta="0.05")
    one = Course(TaskStack.of(family), rule, starts[0].reshape(1, 1), beta=0.02, armijo=True)
    W, _, _ = one.run_many(starts.reshape(-1, 1, 1), steps=3000, tolerance=1e-10)
    values = np.asarray(jax.vmap(MetaObjective(family, rule.step).value)(W))
    spurious = max(point.value.mid for point in landscape.minimizers)
    assert (np.abs(values - spurious) < 1e-9).sum() > 10
