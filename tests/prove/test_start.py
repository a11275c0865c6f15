"""What a method loses at most that never raises h: at the mean of the optima, and where it is put."""

import copy
import json
from fractions import Fraction

import numpy as np
import pytest

import benign
from benign import ProblemError, analyze, check, read
from benign.certificates.document import sealed
from benign.certificates.regret import REGRET
from benign.clock import NO_LIMIT
from benign.exact.problem import Problem, make_step
from benign.prove.start import start_at
from benign.results.documents import landscape_from_document
from benign.training.train import train
from benign.verbs.start import MEAN, mean_of_optima, start_from
from benign.verdict import Status
from helpers import paper_problem, scalar_plant, scalar_problem
from multistart import best, cost, random_family, values
from several import random_problem


def by_scipy(family):
    """The mean of the optima and Σ ω f*, by SciPy's Riccati solver."""
    mean = sum(w * best(p) for w, p in zip(family.weights, family.plants, strict=True))
    least = sum(w * cost(p, best(p))[0] for w, p in zip(family.weights, family.plants, strict=True))
    return mean, least


@pytest.mark.parametrize("seed", range(8))
def test_the_bound_is_the_sum_of_regrets_at_the_mean_of_the_optima(seed):
    family = random_family(seed)
    mean, least = by_scipy(family)
    assert np.abs(mean_of_optima(family.problem, NO_LIMIT) - mean).max() < 1e-9 * (
        1 + np.abs(mean).max()
    )
    start = start_from(family.problem, None, NO_LIMIT)
    h = values(family, mean)
    if not np.isfinite(h):
        assert start.certificate is None
        assert start.remark
        return
    assert start.where == MEAN
    assert start.gap == pytest.approx(h - least, rel=1e-6, abs=1e-9 * least)
    assert start.relative == pytest.approx((h - least) / least, rel=1e-6, abs=1e-9)
    assert start.certificate["claim"] == REGRET
    verdict = check(json.loads(json.dumps(start.certificate)))
    assert verdict
    assert "never raises h" in verdict.statement


def test_the_bound_holds_of_descents():
    """Wherever a descent that never rises ends, it is no higher above the lower bound."""
    problem = paper_problem("3b", "0.05")
    landscape = analyze(problem)
    start = landscape.start
    assert 0 < start.gap < 0.1
    ends = [p for p in landscape.minimizers if p.value.lo <= landscape.minimum.hi + start.gap]
    run = train(problem, start="mean", steps=200)
    assert run.a_priori.gap == start.gap
    assert any(abs(float(run.W[0, 0]) - p.W[0, 0]) < 1e-6 for p in ends)
    assert run.value - landscape.minimum.lo <= start.gap
    assert "a priori, proved" in str(run)


def test_figures_that_were_measured():
    """0.187 % and 0.108 % for the Boeing family (to three digits, measured in another way)."""
    for eta, share in (("1e-4", 0.00187), ("5e-4", 0.00108)):
        problem = benign.load("boeing-747-ten").family
        problem = Problem(problem, make_step("gradient", eta))
        start = start_from(problem, None, NO_LIMIT)
        assert start.relative == pytest.approx(share, rel=5e-3)


@pytest.mark.parametrize("name", ["cruise-control", "four-masses"])
def test_it_is_part_of_every_landscape(name, tmp_path):
    landscape = analyze(name, eta=0.05 if name == "cruise-control" else None, budget=20.0, starts=8)
    start = landscape.start
    assert start.certificate in landscape.certificates
    assert str(start) in str(landscape)
    assert "never raises h" in str(start)
    document = json.loads(json.dumps(landscape.to_dict()))
    assert document["start"]["gap"] == start.gap
    known = {one["digest"]: one for one in landscape.certificates}
    again = landscape_from_document(document, lambda _, digest: known.get(digest))
    assert again == landscape
    assert again.start.certificate == start.certificate
    if name == "cruise-control":
        landscape.save(tmp_path)
        assert check(tmp_path / "certificate-start.json")
        assert read(tmp_path).start.certificate == start.certificate


def test_a_start_of_ones_own():
    landscape = analyze("cruise-control", eta=0.05, start=0.7)
    assert landscape.start.where == "the gain given"
    assert landscape.start.W.tolist() == [[0.7]]
    assert landscape.start.gap > analyze("cruise-control", eta=0.05).start.gap
    outside = analyze("cruise-control", eta=0.05, start=5.0).start
    assert outside.certificate is None
    assert "not in the domain" in outside.remark
    assert "no bound from the gain given" in str(outside)
    for wrong in ("middle", [[1, 2]], float("nan")):
        with pytest.raises(ProblemError, match="start"):
            analyze("cruise-control", eta=0.05, start=wrong)


def test_where_nothing_costs_anything_there_is_no_share():
    """q = 0: the least h is zero, so that no excess is a share of it."""
    free = scalar_problem([scalar_plant("0.5", q=0), scalar_plant("0.4", q=0)], eta="0.01")
    start = start_at(free, np.array([[0.1]]), "a gain")
    assert start.gap > 0
    assert start.relative == np.inf
    assert "relative" not in start.certificate
    assert "ends with h − inf h ≤" in str(start)
    assert check(start.certificate)
    body = {k: v for k, v in start.certificate.items() if k != "digest"}
    assert check(sealed({**body, "relative": 1e300})).status is Status.REFUTED


def test_where_no_optimum_is_attained_it_is_said():
    lost = scalar_problem([scalar_plant(1, q=0)], eta="0.01")
    start = start_from(lost, None, NO_LIMIT)
    assert start.W is None
    assert "no optimal gain" in str(start)


def changed(start, **parts):
    body = copy.deepcopy(start.certificate)
    body.pop("digest")
    return check(sealed({**body, **parts}))


def test_what_is_altered_is_refused():
    for problem in (paper_problem("3b", "0.05"), random_problem(np.random.default_rng(0), 2, 2)):
        start = start_from(problem, None, NO_LIMIT)
        assert changed(start)
        for parts in (
            {"relative": start.relative * (1 - 1e-9)},
            {"relative": -start.relative},
            {"relative": "much"},
            {"relative": None},
            {"gap": start.gap * (1 - 1e-9)},
            {"W": [[0.0]]},
        ):
            assert changed(start, **parts).status is Status.REFUTED, parts
        assert changed(start, relative=start.relative * 2)


def test_weights_count():
    plants = [scalar_plant("0.9"), scalar_plant("0.5", q=2)]
    heavy = scalar_problem(plants, eta="0.02", weights=[Fraction(9), Fraction(1)])
    even = scalar_problem(plants, eta="0.02")
    first, second = (mean_of_optima(p, NO_LIMIT).item() for p in (heavy, even))
    optima = [mean_of_optima(scalar_problem([p], eta="0.02"), NO_LIMIT).item() for p in plants]
    assert first == pytest.approx(0.9 * optima[0] + 0.1 * optima[1], rel=1e-12)
    assert second == pytest.approx(np.mean(optima), rel=1e-12)
