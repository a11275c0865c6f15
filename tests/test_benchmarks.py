"""The benchmarks on tiny problems: the contestants agree, and the harness says what it measured."""

import json
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from benchmarks import (
    boxes,
    equations,
    grids,
    kernels,
    ours,
    postfactum,
    proofs,
    reference,
    report,
    run,
    timing,
    training,
)
from benchmarks.agreement import DisagreementError, compare, compare_both
from benchmarks.peers import load, naive_jax, numpy_batched, numpy_closed, scipy_loop
from benchmarks.problems import random_bench

from benign.exact.documents import problem_to_json

needs_compiler = pytest.mark.skipif(reference.compiler() is None, reason="no C++ compiler")


def tiny(n, m, starts=13):
    """A problem of which some starts are infeasible, of a number no vector register divides."""
    bench = random_bench(n, m, k=3, starts=starts, eta=1e-2)
    return replace(bench, gains=bench.gains[:1] + 2.5 * (bench.gains - bench.gains[:1]))


@pytest.fixture(scope="module", params=[(1, 1), (2, 1), (4, 2)], ids=str)
def case(request):
    bench = tiny(*request.param, starts=29)
    values, gradients = ours.value_and_gradient(ours.objective(bench), bench.gains)
    feasible = np.isfinite(values)
    assert feasible.any()
    assert not feasible.all()
    return bench, (values, gradients)


@pytest.mark.parametrize(
    ("peer", "judges"), [(numpy_batched, True), (scipy_loop, False), (naive_jax, False)]
)
def test_peers_agree(case, peer, judges):
    bench, exact = case
    assert compare_both(peer.__name__, peer.value_and_gradient(bench), exact, judges) < 1e-9


def test_temporary_memory_is_told(case):
    bench, _ = case
    assert 0 < ours.temporary_bytes(ours.objective(bench), bench.gains) < 2**25


@needs_compiler
def test_the_reference_agrees_and_judges_alike(case):
    bench, exact = case
    answer = reference.value_and_gradient(bench)
    assert compare_both("C++", answer, exact, judges=True) < 1e-9
    assert np.all(answer[1][~np.isfinite(answer[0])] == 0)


@needs_compiler
@pytest.mark.parametrize(("n", "m"), [(3, 1), (8, 4)])
def test_the_reference_agrees_with_numpy(n, m):
    bench = tiny(n, m)
    exact = numpy_batched.value_and_gradient(bench)
    assert compare_both("C++", reference.value_and_gradient(bench), exact, judges=True) < 1e-9


@needs_compiler
def test_counted_operations():
    """Six equations of two products, and the powers of two loops: at least 28 n³ a doubling."""
    bench = random_bench(8, 4, k=2, starts=4)
    counts = reference.count(bench)
    doublings = len(numpy_batched.powers_of(bench.A - bench.B @ bench.gains[:, None])[0])
    assert counts["quotients"] == 0
    assert 0.5 * doublings < counts["flops"] / (28 * 8**3) < 1.5 * doublings
    assert reference.count(random_bench(1, 1, k=2, starts=4))["quotients"] == 2
    assert reference.least_seconds(bench) > 0


@needs_compiler
def test_the_reference_refuses_what_it_was_not_compiled_for():
    with pytest.raises(ValueError, match=r"\(5, 2\)"):
        reference.value_and_gradient(random_bench(5, 2, k=1, starts=1))


@pytest.mark.parametrize("bench", [grids.line(997, 3), grids.plane(900, 3)], ids=["line", "plane"])
def test_grids_agree(bench):
    exact, answer = ours.values(ours.objective(bench), bench.gains), numpy_closed.values(bench)
    feasible = np.isfinite(exact)
    assert 0.3 < feasible.mean() < 1
    assert np.array_equal(np.isfinite(answer), feasible)
    compare("NumPy", answer, exact, feasible & (exact < 1e3 * exact.min()))


def test_disagreement_is_refused():
    exact = np.array([1.0, 2.0, np.inf]), np.ones((3, 1, 2))
    feasible = np.array([True, True, False])
    with pytest.raises(DisagreementError, match="value"):
        compare_both("peer", (exact[0] * (1 + 1e-6), exact[1]), exact, judges=False)
    with pytest.raises(DisagreementError, match="gradient"):
        compare_both("peer", (exact[0], exact[1] + 1e-6), exact, judges=False)
    with pytest.raises(DisagreementError, match="nan"):
        compare("peer", np.full(3, np.nan), exact[0], feasible)
    with pytest.raises(DisagreementError, match="1 of 3 starts judged"):
        compare_both("peer", (np.array([1.0, 2.0, 3.0]), exact[1]), exact, judges=True)
    with pytest.raises(DisagreementError, match="no feasible"):
        compare("peer", exact[0], exact[0], np.zeros(3, bool))


def test_a_peer_that_is_not_installed_is_left_out(monkeypatch):
    monkeypatch.delitem(sys.modules, "benchmarks.peers.numba_grid", raising=False)
    monkeypatch.setitem(sys.modules, "numba", None)
    assert load("numba_grid") is None
    assert load("numpy_batched") is numpy_batched
    with pytest.raises(ModuleNotFoundError):
        load("of_that_name_there_is_none")


def test_kernels_section():
    section = kernels.run(starts=8, k=2, budget=0.0, sizes=((2, 1),))
    found = {f.quantity: f for f in section.figures}
    assert found["ours, µs"].value > 0
    assert found["NumPy doubling"].target == 200
    assert found["largest difference"].value < 1e-9
    assert found["feasible, %"].value == 100


def test_medians_of_interleaved_rounds(monkeypatch):
    clock = iter(np.cumsum([0.0, 1, 0, 4, 0, 2, 0, 8, 0, 3, 0, 3]))
    fake = SimpleNamespace(process_time=lambda: next(clock), perf_counter=lambda: 0.0)
    monkeypatch.setattr(timing, "time", fake)
    contestant = timing.Contestant(lambda: None, work=2.0)
    times = timing.interleave({"a": contestant, "b": contestant}, budget=-1.0, most=3, least=3)
    assert times.rounds == {"a": [0.5, 1.0, 1.5], "b": [2.0, 4.0, 1.5]}
    assert times.median("b") == 2.0
    assert times.ratio("b", "a") == 4.0  # not 2: within a round, whatever slowed that round


def test_report(tmp_path):
    section = report.Section("Title", "Words.")
    section.add("row", "fast", 12.3456, 10)
    section.add("row", "slow", 9.99, 10)
    section.add("row", "small", 1e-16, 3e-15, at_most=True)
    section.add("other", "fast", 1234.5)
    text = report.write([section], {"processor": "x"}, tmp_path)
    assert "| row | 12.3 (≥ 10.0) | **9.99** (missed ≥ 10.0) | 1e-16 (≤ 3e-15) |" in text
    assert "| other | 1,234 |  |  |" in text
    assert "2 of 3 targets reached" in text
    assert "- Title: row, slow" in text
    assert (tmp_path / "table.md").read_text(encoding="utf-8") == text
    document = json.loads((tmp_path / "table.json").read_text(encoding="utf-8"))
    assert [f["reached"] for f in document["sections"][0]["figures"]] == [True, False, True, None]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["table.json", "table.md"]


def test_a_broken_section_fails_the_run_and_keeps_the_others(monkeypatch, tmp_path, capsys):
    good = report.Section("Good", "")
    good.add("row", "column", 1.0)

    def section(name):
        def measure():
            if name == "grids":
                raise DisagreementError("planted")
            return good

        return measure

    monkeypatch.setattr(run, "prepare", lambda: None)
    monkeypatch.setattr(run, "section", section)
    assert run.main(["kernels", "--out", str(tmp_path)]) == 0
    assert run.main(["kernels", "grids", "--out", str(tmp_path)]) == 1
    out, err = capsys.readouterr()
    assert "## Good" in out
    assert "planted" in err
    assert "broken sections grids" in (tmp_path / "table.md").read_text(encoding="utf-8")
    with pytest.raises(SystemExit):
        run.main(["nonsense"])


@pytest.mark.parametrize("name", run.SECTIONS)
def test_every_section_can_be_imported(name):
    assert callable(run.section(name))


def test_solution_in_many_bits():
    L = equations.loops(1, 3, 0.9)[0]
    X = equations.exact_solution(L, np.eye(3))
    assert np.abs(L @ X @ L.T + np.eye(3) - X).max() < 1e-14 * np.abs(X).max()
    assert 0 < equations.scaled_error(2, 3) <= 3e-15


def test_equations_agree():
    section = equations.run(count=8, budget=0.0, each=1)
    found = {f.quantity: f for f in section.figures}
    assert found["largest relative residual"].value < 1e-12
    assert found["largest ρ"].value < 1
    assert found["error × (1 − ρ)"].reached


def test_boxes_are_counted_on_both_routes():
    section = boxes.run([(2, 1, 1, 2.0, None)], seconds=0.5)
    rates = {figure.quantity: figure.value for figure in section.figures}
    assert rates["compiled, one thread"] > rates["NumPy, one thread"] > 0
    assert rates["compiled / NumPy"] > 1


def test_share_of_proofs():
    row = proofs.Row(2, 1, 2, "0.02", 10, families=4, within=100.0, target=90)
    seen = []

    def prove(problem, level, seconds):
        seen.append(problem_to_json(problem))
        return proofs.Outcome(decided=len(seen) % 4 != 0, boxes=10 * len(seen))

    section = proofs.run(prove, [row])
    found = {f.quantity: f for f in section.figures}
    assert found["decided, %"].value == 75
    assert not found["decided, %"].reached
    assert found["median boxes"].value == 25
    assert all(len(p["tasks"]) == 2 and p["step"]["eta"] == "1/50" for p in seen)
    assert len({json.dumps(p) for p in seen}) == 4
    again = proofs.random_problem(2, 1, 2, "0.02", seed=0)
    assert problem_to_json(again) == seen[0]


def test_training_section():
    section = training.run(steps=20, many=16, budget=0.0, repeat=1)
    found = {(f.case, f.quantity): f for f in section.figures}
    assert found["µs a step, 16 tasks", "in a run"].value > 0
    assert found["multiple, 16 tasks", "NumPy doubling"].target == 5
    for row in ("cold process", "with the cache"):
        assert found[row, "s of processor"].value > 0


def test_the_problem_of_the_report_has_the_parameters_asked_for():
    for count in (10_000, 1_000_000):
        sizes = postfactum.widths(count)
        assert sum((i + 1) * o for i, o in zip(sizes, sizes[1:], strict=False)) == pytest.approx(
            count, rel=0.05
        )


def test_postfactum_section():
    section = postfactum.run(parameters=3000)
    found = {f.quantity: f for f in section.figures if f.case == "jax"}
    assert found["products"].value > 0
    assert found["peak memory"].value >= found["before"].value > 0
