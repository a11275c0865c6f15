"""Multiple zeros of h', which bisection cannot settle, are settled by exact algebra."""

import json
from fractions import Fraction
from pathlib import Path

import pytest

from benign.certificates.check import check
from benign.certificates.document import sealed
from benign.exact.problem import Problem
from benign.prove.line import gradient
from benign.prove.line.enumeration import analyze
from benign.results.enclosure import Enclosure
from benign.results.landscape import Kind
from benign.tasks.files import load
from helpers import scalar_plant, scalar_problem

CASES = Path(__file__).parents[1] / "cases"


def degenerate() -> Problem:
    """F = W − ηC'(W) is of order W³ at the optimum W = 0, so that h' = f'(F)F' is of order W³·W²."""
    file = load(CASES / "degenerate.toml")
    return Problem(file.family, file.step.steps[0])


def inflected() -> Problem:
    """As above, but the cost it is judged by has its optimum elsewhere: a double zero."""
    adaptation = scalar_plant(0)
    return scalar_problem([scalar_plant("0.5")], eta="1/4", adaptation=[adaptation])


def two_folds() -> Problem:
    """Two tasks, each at its fold."""
    return scalar_problem([scalar_plant(0), scalar_plant(0, q=3, s="1/2")], eta="1/4")


def test_a_degenerate_minimum_is_found_with_its_multiplicity():
    landscape = analyze(degenerate())
    (point,) = landscape.stationary_points
    assert (point.at.lo, point.at.hi) == (0.0, 0.0)
    assert point.kind is Kind.MINIMUM
    assert point.multiplicity == 5
    assert landscape.is_complete
    assert landscape.verdict
    assert landscape.epsilon == Enclosure(0.0, 0.0)
    assert 1.0 in landscape.minimum


def test_an_inflection_is_listed_and_is_no_minimum():
    landscape = analyze(inflected())
    assert landscape.is_complete
    (point,) = [p for p in landscape.stationary_points if p.kind is Kind.INFLECTION]
    assert point.multiplicity == 2
    assert 0.0 in point.W
    assert point not in landscape.minima


@pytest.mark.parametrize("make", [degenerate, inflected, two_folds])
def test_the_checker_proves_it_again_and_refuses_what_is_false(make):
    document = json.loads(json.dumps(analyze(make()).certificate))
    assert check(document)
    at = next(i for i, p in enumerate(document["points"]) if "multiplicity" in p)
    for key, value in (("multiplicity", 3), ("kind", "maximum"), ("W", [1e-9, 2e-9])):
        altered = json.loads(json.dumps(document))
        altered["points"][at][key] = value
        assert not check(sealed(altered)), key
    fewer = json.loads(json.dumps(document))
    del fewer["points"][at]
    assert not check(sealed(fewer))


def test_a_box_with_two_roots_is_no_box_of_algebra():
    document = json.loads(json.dumps(analyze(inflected()).certificate))
    tags, points = document["cover"]["tags"], document["cover"]["points"]
    first = next(i for i, tag in enumerate(tags) if tag not in "O+-")
    last = len(tags) - next(i for i, tag in enumerate(reversed(tags)) if tag not in "O+-")
    document["cover"]["points"] = [*points[: first + 1], *points[last:]]
    document["cover"]["tags"] = tags[:first] + "a" + tags[last:]
    verdict = check(sealed(document))
    assert not verdict
    assert "zeros" in verdict.reason or "is not 'a'" in verdict.reason


def test_without_algebra_the_stretches_stay_undecided(monkeypatch):
    monkeypatch.setattr(gradient.Algebra, "of", lambda *_: None)
    assert not analyze(degenerate()).is_complete


def test_roots_are_placed_exactly():
    from flint import fmpz_poly

    from benign.exact.algebra import RealRoot, isolate

    (bounds,) = isolate(fmpz_poly([-2, 0, 1]), Fraction(0), Fraction(2))  # √2
    root = RealRoot(*bounds, 1, fmpz_poly([-2, 0, 1]))
    below, above = Fraction(141421356, 10**8), Fraction(141421357, 10**8)
    assert root.side(below) < 0 < root.side(above)
    assert root.is_within(below, above)
    assert not root.is_within(above, Fraction(2))
    exactly = RealRoot(Fraction(1), Fraction(1), 1, fmpz_poly([-1, 1]))
    assert exactly.side(Fraction(1)) == 0
    assert root.narrowed(Fraction(1, 10**30)).hi - root.narrowed(Fraction(1, 10**30)).lo < Fraction(
        1, 10**30
    )


@pytest.mark.parametrize(
    ("a", "b"), [("0.5", "1e-4"), ("1.1", "1e-4"), ("0.5", "1e-6"), ("0.9", "1/3")]
)
def test_a_zero_of_the_quotient_on_a_rim_is_no_stationary_point(a, b):
    """f∘F tends to r/b² on both sides of the rim of g, where its quotient of polynomials is smooth."""
    problem = scalar_problem([scalar_plant(a, b)], eta="0.05")
    landscape = analyze(problem)
    verdict = check(landscape.certificate)
    assert verdict, verdict.reason
    two = scalar_problem([scalar_plant(a, b), scalar_plant(a, b, 1, 2)], eta="0.05")
    assert check(analyze(two).certificate)
