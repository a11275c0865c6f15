"""`recommend`: every cell is a landscape of its own; following the advice gives the better result."""

import math
from fractions import Fraction

import jax
import numpy as np
import pytest

from benign.errors import ProblemError
from benign.exact.problem import Problem, Task, make_family, make_step
from benign.meta.given import meta_objective
from benign.prove.line.enumeration import analyze
from benign.results.enclosure import Enclosure
from benign.results.landscape import Kind
from benign.searches.sampling import make_sampler
from benign.sweeps.advice import _at_most, decide
from benign.sweeps.gradient_descent import follow
from benign.sweeps.recommend import recommend
from benign.sweeps.recommendation import (
    Advice,
    Cell,
    Variant,
    Word,
    binomial_interval,
    recommendation_document,
)
from benign.tasks.family import TaskFamily
from benign.tasks.files import loads
from benign.tasks.lqr import LQR
from benign.training.train import train
from benign.verdict import Status
from helpers import paper_problem, scalar_plant

ETAS = ["0.05", "0.11", "0.16"]


def family(name):
    return paper_problem(name, "0.05").family


@pytest.fixture(scope="module")
def figure_3b():
    return recommend(family("3b"), eta="0.05", etas=ETAS, starts=200, seed=3)


@pytest.fixture(scope="module")
def figure_2():
    return recommend(family("2"), eta="0.05", etas=["0.02", "0.05"], starts=20)


def cell_of(found, variant, eta):
    (cell,) = [c for c in found.cells if c.variant is variant and c.eta == Fraction(eta)]
    return cell


# --- cells -----------------------------------------------------------------------------------


def test_a_scalar_cell_says_what_the_proof_says(figure_3b):
    assert len(figure_3b.cells) == 9
    for cell in figure_3b.cells:
        alone = analyze(figure_3b.problem(cell))
        assert (cell.word, cell.epsilon, cell.minimum) == (Word.PROVED, alone.epsilon, alone.minimum)
        if cell.variant is not Variant.COSTS:
            values = [point.value.mid for point in alone.minimizers]
            assert (cell.best, cell.worst) == (min(values), max(values))


def test_the_variants_are_the_problems_they_are_called(figure_3b):
    exact = family("3b")
    step = cell_of(figure_3b, Variant.NORMALIZED, "0.11")
    assert figure_3b.problem(step) == Problem(exact, make_step("normalized", "0.11"))
    plain = cell_of(figure_3b, Variant.GRADIENT, "0.11")
    assert figure_3b.problem(plain) == Problem(exact, make_step("gradient", "0.11"))


def test_normalised_costs_are_judged_in_the_original_ones(figure_3b):
    """By hand: each task adapts with η t_τ, and what it then costs is not scaled."""

    def cost(w, q, r):
        return (q + r * w**2) / (1 - (1 - w) ** 2)

    def slope(w, q, r):
        room = 1 - (1 - w) ** 2
        return (2 * r * w * room - (q + r * w**2) * 2 * (1 - w)) / room**2

    tasks = [(1, 2), (2, 1)]
    w = np.linspace(1e-3, 2 - 1e-3, 2_000_001)
    optima = [cost(w, *task).min() for task in tasks]
    for cell in [c for c in figure_3b.cells if c.variant is Variant.COSTS]:
        scales = [np.mean(optima) / c for c in optima]
        adapted = [
            cell.W[0, 0] - float(cell.eta) * t * slope(cell.W[0, 0], *task)
            for t, task in zip(scales, tasks, strict=True)
        ]
        attained = np.mean([cost(a, *task) for a, task in zip(adapted, tasks, strict=True)])
        assert cell.best == pytest.approx(attained, rel=1e-9)
        assert cell.worst >= cell.best
    assert figure_3b.optimum == pytest.approx(np.mean(optima), rel=1e-9)


@pytest.mark.parametrize(("name", "eta"), [("3b", "0.05"), ("2", "0.025"), ("3b", "0.1")])
def test_a_descent_ends_in_the_basin_it_began_in(name, eta):
    """On a line the basins of the gradient flow end at maxima and at the rims of the domain."""
    problem = paper_problem(name, eta)
    landscape = analyze(problem)
    first, drawing = jax.random.split(jax.random.key(5))
    sampler = make_sampler(meta_objective(problem), first)
    starts = sampler.draw(drawing, 200)
    ended = follow(sampler.field, starts)
    minima = [point.at.mid for point in landscape.minima]
    tops = [p.at.mid for p in landscape.stationary_points if p.kind is Kind.MAXIMUM]
    walls = sorted(tops + [end.mid for piece in landscape.domain for end in (piece.lo, piece.hi)])
    assert len(minima) >= 2
    for start, end in zip(starts[:, 0], ended.x[:, 0], strict=True):
        i = np.searchsorted(walls, start)
        mine = [w for w in minima if walls[i - 1] < w < walls[i]]
        assert [end] == pytest.approx(mine, abs=1e-4)


def test_the_share_of_starts_is_that_of_the_basin(figure_3b):
    """Against other starts of the same law, each judged by the basin it lies in."""
    cell = cell_of(figure_3b, Variant.GRADIENT, "0.05")
    landscape = analyze(figure_3b.problem(cell))
    best = min(landscape.minima, key=lambda point: point.value.lo).at.mid
    tops = [p.at.mid for p in landscape.stationary_points if p.kind is Kind.MAXIMUM]
    left = max([x for x in tops if x < best], default=-math.inf)
    right = min([x for x in tops if x > best], default=math.inf)
    first, drawing = jax.random.split(jax.random.key(77))
    starts = make_sampler(meta_objective(figure_3b.problem(cell)), first).draw(drawing, 4000)
    inside = np.mean((starts > left) & (starts < right))
    low, high = cell.interval
    assert low - 0.03 <= inside <= high + 0.03
    assert 0.05 < inside < 0.95


def test_the_interval_is_that_of_clopper_and_pearson():
    def tail(p, n, ks):
        return sum(math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in ks)

    for hits, trials in [(1, 20), (7, 20), (19, 20), (33, 64)]:
        low, high = binomial_interval(hits, trials)
        assert tail(low, trials, range(hits, trials + 1)) == pytest.approx(0.025, rel=1e-6)
        assert tail(high, trials, range(hits + 1)) == pytest.approx(0.025, rel=1e-6)
    assert binomial_interval(0, 0) == (0.0, 1.0)
    assert binomial_interval(0, 9)[0] == 0.0
    assert binomial_interval(9, 9)[1] == 1.0


# --- advice ----------------------------------------------------------------------------------


def test_following_the_advice_for_figure_3b_gives_the_better_result(figure_3b):
    assert figure_3b.advice is Advice.RAISE
    before, after = analyze(paper_problem("3b", "0.05")), analyze(figure_3b.problem())
    worst = [x.minimizers[-1].value for x in (before, after)]
    assert worst[1] < worst[0]  # proved: every minimum there is below the worst one here
    assert after.relative_epsilon.hi < 0.2 * before.relative_epsilon.lo
    ends = {}
    for eta in ("0.05", figure_3b.chosen.eta):
        runs = [
            train(family("3b"), eta=eta, start="random", seed=seed, certified=False)
            for seed in range(6)
        ]
        ends[eta] = [float(run.value) for run in runs]
    ends_before, ends_after = ends.values()
    assert max(ends_after) < max(ends_before) - 0.01
    assert np.mean(ends_after) < np.mean(ends_before)


def test_figure_2_is_mended_by_normalising_its_costs(figure_2):
    assert figure_2.advice is Advice.NORMALIZE
    assert figure_2.chosen.eta == Fraction("0.05")
    assert analyze(paper_problem("2", "0.05")).verdict.status is Status.REFUTED
    after = analyze(figure_2.problem())
    assert (after.verdict.status, *after.epsilon) == (Status.PROVED, 0.0, 0.0)
    assert "proved: every local minimum is global" in figure_2.reason
    assert figure_2.chosen.reached == figure_2.chosen.starts


def test_one_task_is_kept_as_it_is():
    (task,) = family("1").tasks
    twice = make_family([task, Task("again", task.f)])  # two tasks: the shape that is compiled already
    found = recommend(twice, eta="0.05", etas=["0.05", "0.04"], starts=10)
    assert found.advice is Advice.KEEP
    assert found.chosen is found.present
    assert {cell.variant for cell in found.cells} == {Variant.GRADIENT, Variant.NORMALIZED}


def test_the_same_seed_gives_the_same_answer(figure_2):
    again = recommend(family("2"), eta="0.05", etas=["0.02", "0.05"], starts=20)
    assert recommendation_document(again) == recommendation_document(figure_2)


def test_what_is_saved_is_ready_to_use(figure_2, tmp_path):
    figure_2.save(tmp_path)
    file = loads((tmp_path / "family.toml").read_text())
    assert file.step is not None
    assert Problem(file.family, file.step.steps[0]) == figure_2.problem()


def test_the_default_grid_ends_where_adaptation_ceases_to_make_sense():
    found = recommend(family("3b"), variants=["gradient"], starts=5)
    etas = [float(cell.eta) for cell in found.cells]
    assert len(etas) == 9
    assert np.diff(np.log(etas)) == pytest.approx(np.full(8, np.log(64) / 8), abs=0.1)  # two digits

    def cost(w, q, r):
        return (q + r * w**2) / (1 - (1 - w) ** 2)

    w = np.linspace(0.01, 1.99, 1_000_001)
    curvatures = []
    for task in [(1, 2), (2, 1)]:
        best = w[np.argmin(cost(w, *task))]
        e = 1e-4
        curvatures.append(
            (cost(best + e, *task) - 2 * cost(best, *task) + cost(best - e, *task)) / e**2
        )
    assert etas[-1] == pytest.approx(0.95 * 2 / min(curvatures), rel=0.05)


def cell(variant, eta, best, worst, word=Word.PROVED):
    gap = Enclosure(worst - best, worst - best)
    low = Enclosure(best, best)
    return Cell(
        variant, Fraction(eta), word, "local minima", gap, low, np.zeros((1, 1)), best, worst, 9, 9
    )


G, C, N = Variant.GRADIENT, Variant.COSTS, Variant.NORMALIZED


@pytest.mark.parametrize(
    ("cells", "advice", "number"),
    [
        ([(G, "0.1", 1.0, 1.003), (G, "0.05", 1.0, 1.0)], Advice.KEEP, 0),
        ([(G, "0.1", 1.0, 1.05), (G, "0.05", 1.0, 1.0)], Advice.LOWER, 1),
        ([(G, "0.1", 0.9, 1.05), (G, "0.05", 1.0, 1.0)], Advice.LOWER, 1),
        ([(G, "0.1", 1.0, 1.05), (G, "0.2", 1.0, 1.0)], Advice.RAISE, 1),
        ([(G, "0.1", 1.0, 1.05), (C, "0.1", 1.0, 1.0), (N, "0.1", 1.0, 1.0)], Advice.NORMALIZE, 1),
        ([(G, "0.1", 1.0, 1.05), (C, "0.1", 1.0, 1.04), (N, "0.1", 1.0, 1.0)], Advice.STEP, 2),
        ([(G, "0.1", 1.0, 1.05), (C, "0.1", 1.0, 1.0), (C, "0.2", 1.0, 1.05), (N, "0.1", 1.0, 1.001)],
         Advice.STEP, 3),
        ([(G, "0.1", 1.0, 1.05), (C, "0.4", 1.0, 1.0), (C, "0.12", 1.0, 1.0001)], Advice.NORMALIZE, 2),
        ([(G, "0.1", 1.2, 1.3), (G, "0.2", 1.15, 1.15)], Advice.DISTINCT, 1),
    ],
)  # fmt: skip
def test_the_advice_follows_its_rule(cells, advice, number):
    made = [cell(*one) for one in cells]
    said, chosen, reason = decide(made, made[0], 1.0, 0)
    assert (said, chosen) == (advice, made[number])
    assert f"rests on {len(made)} cells" in reason


def test_the_words_tell_proof_from_observation():
    seen = cell(G, "0.1", 1.0, 1.05, Word.OBSERVED)
    assert "observed: the local minima differ by 5 %" in decide([seen], seen, 1.0, 3)[2]
    assert "3 more were not reached" in decide([seen], seen, 1.0, 3)[2]
    shown = cell(G, "0.1", 1.0, 1.0521)
    assert "proved: the local minima lie within 5.3 % of the least" in decide([shown], shown, 1.0, 0)[2]


def test_a_bound_in_per_cent_is_rounded_up():
    for x in np.random.default_rng(0).uniform(0, 1, 2000) ** 9:
        said = float(_at_most(x).removesuffix(" %")) / 100
        assert x <= said * (1 + 1e-15) <= 1.2 * x


# --- several parameters ----------------------------------------------------------------------


def test_two_parameters_are_observed_unless_there_is_time_for_a_proof():
    B = [[0.0], [1.0]]
    tasks = [LQR([[1, 0.2], [0, a]], B, np.eye(2), [[1.0]], name=f"a{a}") for a in (0.9, 1.0)]
    found = recommend(
        TaskFamily(tasks), eta="0.02", etas=["0.02"], variants=["gradient"], starts=8, budget="40s"
    )
    (only,) = found.cells
    assert found.advice is Advice.KEEP
    assert only.word in (Word.OBSERVED, Word.PROVED)
    if only.word is Word.OBSERVED:
        assert only.epsilon.hi == math.inf
        assert "observed" in found.reason
    else:
        assert "h ≤" in only.scope
    h = meta_objective(found.problem())
    assert float(h.value(only.W)) == pytest.approx(only.best, rel=1e-9)
    assert only.best >= found.optimum * (1 - 1e-9)
    assert float(np.linalg.norm(h.gradient(only.W))) < 1e-4 * only.best


# --- bad input -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"etas": []}, "etas: give at least one"),
        ({"etas": ["-1"]}, "eta: the step size must be positive"),
        ({"etas": ["x"]}, "eta: expected a number"),
        ({"eta": 0}, "eta: the step size must be positive"),
        ({"variants": ["fast"]}, "variants: expected some of gradient"),
        ({"variants": []}, "variants: give at least one"),
        ({"variants": ["normalized-step"], "eta": "0.1"}, "eta: it is that of the gradient step"),
        ({"starts": 0}, "starts: at least one"),
        ({"budget": 0}, "budget: a positive number"),
        ({"shots": 0}, "shots: expected a positive integer"),
    ],
)
def test_bad_settings_are_refused(change, message):
    with pytest.raises(ProblemError, match=message):
        recommend(family("3b"), **({"etas": ["0.1"]} | change))


def test_step_sizes_that_throw_every_gain_out_are_refused_with_the_largest_that_does_not():
    with pytest.raises(ProblemError, match=r"etas: no feasible gain.*largest eta for which") as caught:
        recommend(family("3b"), etas=["9", "15"], variants=["gradient"], starts=4)
    largest = float(str(caught.value).split()[-1])
    assert analyze(paper_problem("3b", f"{0.99 * largest:.3g}")).minimizers
    with pytest.raises(ProblemError, match="no gain is feasible"):
        analyze(paper_problem("3b", f"{1.5 * largest:.3g}"))


def test_tasks_without_a_common_gain_are_named():
    apart = make_family([Task("left", scalar_plant(1, 1)), Task("right", scalar_plant(1, -1))])
    with pytest.raises(ProblemError, match=r"`left`.*`right`.*split the family"):
        recommend(apart, starts=4)


def test_a_task_that_costs_nothing_leaves_out_normalised_costs():
    free = make_family([Task("paid", scalar_plant("0.9")), Task("free", scalar_plant("0.5", 1, 0, 1))])
    found = recommend(free, etas=["0.05"], starts=4)
    assert Variant.COSTS not in {cell.variant for cell in found.cells}
    with pytest.raises(ProblemError, match="`free`: its least cost is zero"):
        recommend(free, etas=["0.05"], starts=4, variants=["normalized-costs"])
