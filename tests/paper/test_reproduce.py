import json

import numpy as np
import pytest
from rich.console import Console
from scipy.optimize import minimize_scalar

from benign.errors import BenignError, FileFormatError, OutputError
from benign.paper import claims_table, draw, minimisers_table, redraw, reproduce
from benign.paper.figures import FIGURES, SETTINGS, paper_problem
from benign.paper.reproduction import REFERENCE
from benign.views.curves import PlainObjective


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    return reproduce(tmp_path_factory.mktemp("reproduce"))


@pytest.mark.parametrize(("figure", "eta"), REFERENCE)
def test_minima_are_those_found_by_another_route(result, figure, eta):
    rows = [row for row in result.minima if (row.figure, row.eta) == (figure, eta)]
    assert len(rows) == len(REFERENCE[figure, eta])
    for row, (W, h) in zip(rows, REFERENCE[figure, eta], strict=True):
        assert abs(row.W.mid - W) < 0.51e-6
        assert abs(row.value.mid - h) < 0.51e-6
        assert row.W.width <= 1e-10
        assert row.value.width <= 1e-10
        assert row.reference == (W, h)


@pytest.mark.parametrize(("figure", "eta"), REFERENCE)
def test_the_reference_is_what_a_dense_grid_and_brent_find(figure, eta):
    h = PlainObjective(paper_problem(figure, eta))
    W = np.linspace(0.0, 2.0, 20001)
    y = np.nan_to_num(h(W), nan=np.inf)
    found = []
    for i in np.flatnonzero((y[1:-1] < y[:-2]) & (y[1:-1] <= y[2:])) + 1:
        bracket = (W[i - 1], W[i], W[i + 1])
        best = minimize_scalar(lambda x: float(h(np.array([x]))[0]), bracket, options={"xtol": 1e-10})
        found.append((best.x, best.fun))
    np.testing.assert_allclose(found, REFERENCE[figure, eta], atol=0.6e-6)


# (figure, start of the claim): verdicts at η = 0.1 and at η = 0.05.
VERDICTS = {
    ("1", "h is not convex"): "pp",
    ("1", "h has three"): "rp",
    ("1", "every local minimum"): "rp",
    ("1", "the middle"): "rp",
    ("1", "the side ones"): "rp",
    ("2", "each task"): "rp",
    ("2", "the tasks share"): "pp",
    ("2", "W* is the global"): "pp",
    ("2", "the mean has a spurious"): "rp",
    ("2", "it has one on each side"): "rr",
    ("2", "with the normalised step"): "pp",
    ("2", "h bends"): "rp",
    ("3a", "the figure has five"): "rr",
    ("3a", "h is almost global"): "pp",
    ("3a", "h bends"): "pp",
    ("3b", "at the global minimiser"): "rp",
    ("3b", "the global minimiser is not"): "rp",
    ("3b", "from there"): "pp",
    ("3b", "h bends"): "pp",
    ("3c", "h bends"): "rp",
    ("3d", "h has one"): "pp",
    ("3d", "it is within 5 % of the mean"): "pr",
    ("3d", "it is within 5 % of the minimiser"): "pr",
    ("3d", "h bends"): "rp",
    ("3b–3d", "more tasks, fewer"): "pp",
    ("3b–3d", "more tasks, smaller"): "pr",
}


@pytest.mark.parametrize(("figure", "start"), VERDICTS)
def test_verdicts(result, figure, start):
    (claim,) = [c for c in result.claims if c.figure == figure and c.text.startswith(start)]
    statuses = "".join(claim.findings[eta].status.value[0] for eta in SETTINGS)
    assert statuses == VERDICTS[figure, start]
    assert all(finding.reason for finding in claim.findings.values())


def test_every_claim_has_an_expected_verdict(result):
    assert len(result.claims) == len(VERDICTS)


def test_the_spurious_minimum_of_figure_1_sits_where_the_jacobian_vanishes(result):
    (claim,) = [c for c in result.claims if c.text.startswith("the side ones")]
    numbers = claim.findings["0.1"].numbers
    assert 0.0 in numbers["jacobian 2"]
    assert numbers["miss 2"].lo > 0.007


def test_all_files_are_there(result):
    assert all(path.stat().st_size > 200 for path in result.files)
    names = {path.name for path in result.files}
    assert {f"figure-{name}.png" for name in FIGURES} <= names
    assert "figure-3b-eta-0.1.json" in names
    assert "figure-3b-eta-0.1.certificate.json" in names
    for path in result.files:
        if path.suffix == ".png":
            assert path.read_bytes().startswith(b"\x89PNG")
            assert path.stat().st_size > 20_000
    document = json.loads((result.directory / "claims.json").read_text())
    assert len(document["claims"]) == len(result.claims)
    assert "| figure | claim |" in (result.directory / "claims.md").read_text()


def test_figures_are_drawn_again_from_stored_results_without_proving(result, monkeypatch):
    def refuse(*_):
        raise AssertionError("proved again")

    monkeypatch.setattr("benign.paper.reproduction.analyze", refuse)
    before = (result.directory / "figure-3b.svg").read_bytes()
    redraw("3b", result.directory)
    assert (result.directory / "figure-3b.svg").read_bytes() == before


def test_one_figure_alone_and_progress(tmp_path):
    steps = []
    result = reproduce(tmp_path, ["2b"], progress=lambda done, total: steps.append((done, total)))
    assert steps == [(i, 4) for i in range(1, 5)]
    assert {claim.figure for claim in result.claims} == {"2"}
    assert not (tmp_path / "figure-2a.png").exists()


def test_tables_print_at_eighty_columns(result):
    console = Console(width=80, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    with console.file:
        console.print(minimisers_table(result))
        console.print(claims_table(result))
    shown = console.export_text()
    assert "0.873963" in shown
    assert "refuted" in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_bad_names_and_bad_directories(tmp_path):
    with pytest.raises(BenignError, match="no figure '9'"):
        reproduce(tmp_path, ["9"])
    with pytest.raises(BenignError, match="no figure"):
        draw("9", tmp_path)
    with pytest.raises(FileFormatError, match=r"figure-1-eta-0\.1\.json"):
        draw("1", tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="in the way"):
        reproduce(tmp_path / "file")
