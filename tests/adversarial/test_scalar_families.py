"""What `analyze` says of hard scalar families is true, and its certificates are accepted."""

from __future__ import annotations

from fractions import Fraction

import families
import folds
import oracle_gradient
import pytest
from flint import arb, ctx
from oracle import judge, minima
from oracle_costs import BITS, Objective
from survey import Tally, survey

from benign.prove.line.enumeration import analyze
from helpers import MINIMA, paper_problem

NORMAL, PARTS = 300, 10
ALL, ALL_PARTS = 10_000, 100


def names(first: int, number: int) -> list[tuple[str, int]]:
    """So many families from the first on, the kinds in turn."""
    kinds = len(families.NAMES)
    return [(families.NAMES[i % kinds], i // kinds) for i in range(first, first + number)]


def assert_nothing_false(tally: Tally) -> None:
    assert not tally.wrong, "\n".join(tally.wrong)
    assert not tally.refused, "own certificates refused:\n" + "\n".join(tally.refused)


@pytest.mark.parametrize("part", range(PARTS))
def test_nothing_false_is_said_of_hard_families(part, reported):
    each = NORMAL // PARTS
    assert_nothing_false(reported(survey(names(part * each, each))))


@pytest.mark.slow
@pytest.mark.parametrize("part", range(ALL_PARTS))
def test_nothing_false_is_said_of_ten_thousand_hard_families(part, reported):
    each = ALL // ALL_PARTS
    assert_nothing_false(reported(survey(names(NORMAL + part * each, each))))


# --- the oracle and the generators themselves ------------------------------------------------


@pytest.mark.parametrize(("figure", "eta"), MINIMA)
def test_the_oracle_finds_the_minima_of_the_paper(figure, eta):
    problem = paper_problem(figure, eta)
    with ctx.workprec(BITS):
        found = minima(problem, Objective(problem))
    assert found.complete == (len(problem.tasks) <= oracle_gradient.FOR_ROOTS)
    places = [(f"{float(x.lo):.6f}", f"{float(x.value):.6f}") for x in found.minima]
    digits = [len(w) - 2 for w, _ in MINIMA[figure, eta]]
    assert [(f"{float(w):.{n}f}", h) for (w, h), n in zip(places, digits, strict=True)] == MINIMA[
        figure, eta
    ]


@pytest.mark.parametrize("seed", range(4))
def test_the_scan_misses_nothing_that_the_polynomial_has(seed):
    problem = families.base(
        families.np.random.default_rng(seed), tasks=2, kind="gradient", shots=1
    ).problem()
    with ctx.workprec(BITS):
        h = Objective(problem)
        roots, scanned = oracle_gradient.minima(problem, h), oracle_gradient.scanned(h, ())
        assert roots.complete
        assert len(roots.minima) == len(scanned) > 0
        for one, other in zip(roots.minima, scanned, strict=True):
            assert abs(one.value - other.value) < abs(one.value) * arb(2) ** -100


def test_two_stationary_points_more_on_one_side_of_a_fold():
    draw = families.base(families.np.random.default_rng(5), tasks=2, kind="gradient", shots=1)
    fold = folds.find(draw.problem())
    assert fold is not None
    counts = []
    with ctx.workprec(BITS):
        for beside in (-1, 1):
            eta = fold.eta * (1 + Fraction(beside, 10**30))
            problem = families.replace(draw, eta=eta).problem()
            h, roots = Objective(problem), oracle_gradient.stationary(problem)
            counts.append(sum(h.at(root.mid()) is not None for root in roots))
    assert abs(counts[1] - counts[0]) == 2


def test_the_oracle_contradicts_a_list_that_lacks_a_minimum_or_has_one_too_many():
    landscape = analyze(paper_problem("1", "0.1"))
    assert judge(landscape).wrong == ()
    points = landscape.stationary_points
    for altered in (points[1:], (*points, points[0])):
        assert judge(families.replace(landscape, stationary_points=altered)).wrong
