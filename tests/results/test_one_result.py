"""One result for every size: what README does with a landscape works on every bundled family."""

import json
from dataclasses import replace

import numpy as np
import pytest

import benign
from benign.errors import FileFormatError
from benign.results.documents import VERSION
from benign.tasks.files import bundled_names

SCALAR = ("cruise-control", "dc-motor-speed", *(f"paper-figure-{x}" for x in ("1", "2", "3a")))
QUICK = {"budget": 20.0, "starts": 8}


@pytest.fixture(scope="module")
def landscapes():
    """Each family analysed once."""
    done = {}

    def of(name, **settings):
        key = name, *settings.items()
        if key not in done:
            done[key] = benign.analyze(name, **settings, **QUICK)
        return done[key]

    return of


def loop(landscape):
    """README's, with what the documentation says of each part."""
    assert isinstance(landscape, benign.Landscape)
    assert isinstance(landscape.verdict, benign.Verdict)
    assert bool(landscape.verdict) == (landscape.verdict.status == "proved")
    assert isinstance(landscape.epsilon, benign.Enclosure)
    assert 0 <= landscape.minimum.lo <= landscape.minimum.hi
    m, n = landscape.problem.family.m, landscape.problem.family.n
    values = []
    for point in landscape.minimizers:
        assert point.W.shape == (m, n)
        assert point.radius is None or (point.radius.shape == (m, n) and (point.radius >= 0).all())
        assert isinstance(point.value, benign.Enclosure)
        assert isinstance(point.kind, benign.Kind)
        assert point.gap >= 0
        assert point.certificate is None or point.certificate["benign"] == "certificate"
        values.append(float(point.value))
    assert values == sorted(values)
    assert str(landscape.coverage)
    assert len(str(landscape).splitlines()) <= 40
    assert max(map(len, str(landscape).splitlines())) < 400
    assert repr(landscape.epsilon)


def same_when_read(landscape, folder):
    paths = landscape.save(folder)
    assert paths[0].name == "landscape.json"
    for again in (benign.read(folder), benign.read(paths[0])):
        assert type(again) is type(landscape)
        assert again == landscape
        assert again.certificates == landscape.certificates
        assert str(again) == str(landscape)
        assert again.to_dict() == landscape.to_dict()
    document = json.loads(paths[0].read_text())
    assert (document["benign"], document["version"]) == ("landscape", VERSION)
    assert len(document["minimizers"]) == len(landscape.minimizers)


@pytest.mark.parametrize("name", SCALAR)
@pytest.mark.parametrize("step", ["gradient", "normalized"])
def test_readme_on_a_scalar_family(name, step, landscapes, tmp_path):
    landscape = landscapes(name, eta="0.05", step=step)
    loop(landscape)
    same_when_read(landscape, tmp_path)
    assert all(benign.check(certificate) for certificate in landscape.certificates)
    best = landscape.minimizers[0]
    assert benign.check(benign.certify(name, best.W, "regret bound", eta="0.05", step=step))


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in bundled_names() if name not in SCALAR])
def test_readme_on_every_other_family(name, landscapes, tmp_path):
    landscape = landscapes(name)
    loop(landscape)
    same_when_read(landscape, tmp_path)


def test_readme_on_two_parameters(tmp_path):
    """A proof below a level, and the search before it."""
    task = benign.LQR([[1, 0.2], [0, 0.9]], [0.1, 1], np.eye(2), 1)
    landscape = benign.analyze([task], eta="0.02", level=200, starts=8)
    loop(landscape)
    same_when_read(landscape, tmp_path / "proof")
    assert landscape.observed is not None
    loop(landscape.observed)
    same_when_read(landscape.observed, tmp_path / "search")
    assert not landscape.observed.verdict
    assert landscape.observed.verdict.status == "observed"
    figure = landscape.plot()
    assert figure is not None


def test_what_differs_is_not_equal(landscapes):
    one = landscapes("paper-figure-1", eta="0.05", step="gradient")
    other = landscapes("paper-figure-2", eta="0.05", step="gradient")
    assert one == replace(one, facts={})
    assert one != other
    assert one != replace(one, certificate=None)
    assert one != replace(one, epsilon=benign.Enclosure(0.0, one.epsilon.hi * 2 + 1))
    assert one != 3


def test_gaps_are_bounds(landscapes):
    landscape = landscapes("paper-figure-3a", eta="0.05", step="gradient")
    for point in landscape.points:
        assert point.gap >= point.value.hi - landscape.minimum.hi
    worst = max(landscape.minimizers, key=lambda point: point.gap)
    assert worst.gap <= landscape.epsilon.hi


def test_a_missing_certificate_is_a_missing_certificate(landscapes, tmp_path):
    landscape = landscapes("paper-figure-1", eta="0.05", step="gradient")
    landscape.save(tmp_path)
    (tmp_path / "certificate.json").unlink()
    assert benign.read(tmp_path).certificates == (landscape.start.certificate,)
    (tmp_path / "certificate-start.json").unlink()
    assert benign.read(tmp_path).certificates == ()
    assert benign.read(tmp_path) != landscape


def test_a_table_of_the_points(landscapes):
    pandas, xarray = pytest.importorskip("pandas"), pytest.importorskip("xarray")
    landscape = landscapes("paper-figure-3a", eta="0.05", step="gradient")
    frame, dataset = landscape.to_frame(), landscape.to_xarray()
    assert isinstance(frame, pandas.DataFrame)
    assert isinstance(dataset, xarray.Dataset)
    assert list(frame["W[0,0]"]) == [float(p.W[0, 0]) for p in landscape.points]
    assert (dataset["h"].values == np.array(frame["h"])).all()


def test_a_notebook_is_shown_a_picture_and_the_words(landscapes):
    landscape = landscapes("paper-figure-1", eta="0.05", step="gradient")
    assert landscape._repr_png_().startswith(b"\x89PNG")
    html = landscape._repr_html_()
    assert "every local minimum" in html
    assert "<pre>" in html


def test_nothing_is_left_of_what_the_checker_refuses(landscapes, monkeypatch):
    """No ε, no minimum, no list that is complete, and no advice that rests on them."""
    from benign.verbs import analyze as verb
    from benign.views.report import advice

    refused = benign.Verdict(benign.Status.REFUTED, "the certificate proves its claim", "a reason")
    monkeypatch.setattr(verb, "check", lambda document: refused)
    landscape = benign.analyze("paper-figure-1", eta="0.05")
    assert landscape.verdict.status == "undecided"
    assert "does not confirm the proof (a reason)" in landscape.verdict.reason
    assert landscape.certificates == ()
    assert not landscape.is_complete
    assert tuple(landscape.epsilon) == tuple(landscape.minimum) == (0.0, float("inf"))
    assert all(point.gap == float("inf") for point in landscape.minimizers)
    assert "may be incomplete" in advice(landscape)


def test_a_verdict_that_was_changed_is_refused(tmp_path):
    benign.analyze("paper-figure-1", eta="0.05", out=tmp_path)
    path = tmp_path / "landscape.json"
    document = json.loads(path.read_text())
    assert benign.read(path).verdict.status == document["verdict"]["status"] == "proved"
    document["verdict"]["status"] = "refuted"
    path.write_text(json.dumps(document))
    with pytest.raises(benign.FileFormatError, match="this file was changed"):
        benign.read(path)


def test_what_is_no_result_is_named(tmp_path):
    benign.train("paper-figure-3b", eta="0.05", steps=3, out=tmp_path)
    (tmp_path / "claims.json").write_text('{"benign": "claims"}')
    for name, said in {
        "manifest.json": "give the directory",
        "claims.json": "plain JSON",
        "checkpoint.npz": "goes on from it",
    }.items():
        with pytest.raises(FileFormatError, match=said):
            benign.read(tmp_path / name)


def test_several_step_sizes_in_one_document_are_read_as_a_list(landscapes, tmp_path):
    found = [benign.analyze("paper-figure-3b", eta=eta) for eta in ("0.05", "0.1")]
    (tmp_path / "all.json").write_text(json.dumps([one.to_dict() for one in found]))
    again = benign.read(tmp_path / "all.json")
    assert [one.to_dict()["minimum"] for one in again] == [one.to_dict()["minimum"] for one in found]
    (tmp_path / "none.json").write_text("[1, 2]")
    with pytest.raises(FileFormatError, match="no JSON object"):
        benign.read(tmp_path / "none.json")
