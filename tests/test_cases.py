"""Inputs that once failed, each with what must come out; the files are in tests/cases."""

import time
from math import exp
from pathlib import Path

import pytest

from benign.certificates.check import check
from benign.exact.problem import Problem, make_step
from benign.results.line import LineLandscape
from benign.tasks.files import load
from benign.verbs.analyze import analyze
from benign.verdict import Status

CASES = Path(__file__).parent / "cases"


def problem(name: str, eta: object, kind: str = "gradient", shots: int = 1) -> Problem:
    return Problem(load(CASES / f"{name}.toml").family, make_step(kind, eta, shots))


# --- loops that waited for a comparison that a NaN never satisfies -------------------------------


@pytest.mark.parametrize(
    ("name", "eta", "gain", "cost"),
    [("hang_price", "1e-10", 1e-16, 1.0), ("e50", "1e-30", 50.0, 2501.0)],
)
def test_optima_are_enclosed_however_much_cancels(name, eta, gain, cost):
    landscape = analyze(problem(name, eta))
    assert isinstance(landscape, LineLandscape)
    (optimum,) = landscape.optima
    assert optimum.W.mid == pytest.approx(gain, rel=1e-6)
    assert optimum.cost.mid == pytest.approx(cost, rel=1e-3)
    assert optimum.cost.width <= 4e-16 * optimum.cost.mid
    assert check(landscape.certificate)


def test_a_plant_sampled_slowly_is_read_for_what_it_is():
    (task,) = load(CASES / "e50.toml").family.tasks
    assert float(task.f.A[0][0]) == pytest.approx(exp(50.0), rel=1e-12)


@pytest.mark.parametrize("eta", ["0.05", "0.3", "1e-9"])
def test_a_cost_that_is_finite_at_one_rim_is_analysed_and_checked(eta):
    landscape = analyze(problem("hang_rim", eta, "normalized"))
    assert isinstance(landscape, LineLandscape)
    assert landscape.minimizers or landscape.undecided
    assert check(landscape.certificate)


# --- work without a limit ------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["dos_shots", "dos_mem"])
def test_what_would_cost_too_much_is_refused_at_once(name):
    began = time.process_time()
    verdict = check(CASES / f"{name}.json")
    assert verdict.status is Status.REFUTED
    assert "shots: expected at most 1000" in verdict.reason
    assert time.process_time() - began < 1.0


# --- an answer that changed its truth with the budget --------------------------------------------


def test_a_minimum_above_the_level_refutes_nothing_below_it():
    """The least value is 8.137, the next 8.244: only one of them is at or below 8.14."""
    found = analyze(problem("above_the_level", "0.01"), level=8.14, proof="required", budget=8.0)
    assert found.verdict.status is not Status.REFUTED
    assert "h ≤ 8.14" in found.verdict.statement


@pytest.mark.slow
def test_the_same_statement_is_proved_with_more_time():
    found = analyze(problem("above_the_level", "0.01"), level=8.14, proof="required", budget=120.0)
    assert found.verdict.status is Status.PROVED
    assert check(found.certificate)
    above = analyze(problem("above_the_level", "0.01"), level=8.3, proof="required", budget=120.0)
    assert above.verdict.status is Status.REFUTED
    assert "not every local minimum of h with h ≤ 8.3" in str(above.verdict)


# --- certificates of our own ---------------------------------------------------------------------


@pytest.mark.slow
def test_leaves_next_to_a_rim_are_proved_again():
    found = analyze(problem("output_weight_rank1", "0.001"), level=5.3, proof="required", budget=45.0)
    assert check(found.certificate)
