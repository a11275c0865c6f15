"""Pictures of landscapes in several dimensions: what they show is where they say it is."""

import os

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benign import LQR, GradientStep, MetaObjective, TaskFamily
from benign.searches.search import search
from benign.views import contours, grids, slices
from benign.views.contours import choose_window, draw_plane, levels_of, whole_plane
from benign.views.grids import Plane, radius, side, values
from benign.views.picture import draw_observed, draw_scene
from benign.views.save import render
from benign.views.scenes import Mark, Scene, observed_scene


def planar():
    first = LQR([[1, 0.2], [0, 0.9]], [0.1, 1], np.eye(2), 1, name="first")
    other = LQR([[1, 0.3], [0.1, 1.1]], [0.2, 0.8], np.eye(2), 0.5, name="other")
    return MetaObjective(TaskFamily([first, other]), GradientStep("0.02"))


def wide():
    """Two states and two inputs: four parameters."""
    first = LQR([[1, 0.2], [0, 0.9]], [[0.1, 0], [1, 0.3]], np.eye(2), np.eye(2))
    other = LQR([[1, 0.3], [0.1, 1.1]], [[0.2, 0.1], [0.8, 0.4]], np.eye(2), np.eye(2) / 2)
    return MetaObjective(TaskFamily([first, other]), GradientStep("0.02"))


def two_inputs():
    tasks = [LQR(1.1, [[1, 0.4]], 1, np.eye(2)), LQR(0.9, [[0.8, 0.9]], 1, np.eye(2))]
    return MetaObjective(TaskFamily(tasks), GradientStep("0.02"))


def scalar():
    return MetaObjective(TaskFamily([LQR(1, 1, 1, 2), LQR(1, 1, 2, 1)]), GradientStep("0.05"))


def single():
    """Twice the same well-damped task: one minimum. (The shape of `wide`, hence compiled once.)"""
    task = LQR(np.eye(2) / 2, np.eye(2), np.eye(2), np.eye(2))
    return MetaObjective(TaskFamily([task, task]), GradientStep("0.01"))


MAKE = {"planar": planar, "wide": wide, "two inputs": two_inputs, "scalar": scalar, "single": single}


@pytest.fixture(scope="session")
def observed():
    return {name: search(make(), starts=32) for name, make in MAKE.items()}


@pytest.fixture(scope="session")
def figures(observed):
    return {name: draw_observed(landscape) for name, landscape in observed.items()}


# --- grids -----------------------------------------------------------------------------------


def test_values_are_those_of_the_objective():
    h = planar()
    W = np.random.default_rng(0).uniform(-0.5, 2.0, (5, 5, 1, 2))
    truth = np.array([[float(h.value(w)) for w in row] for row in W])
    assert np.isinf(truth).any()
    assert np.isfinite(truth).any()
    found = values(h, W)
    assert found.shape == (5, 5)
    assert (np.isnan(found) == np.isinf(truth)).all()
    np.testing.assert_allclose(found[np.isfinite(truth)], truth[np.isfinite(truth)], rtol=1e-12)
    assert values(h, np.empty((0, 1, 2))).shape == (0,)


def test_the_radius_is_that_of_the_worst_task_whatever_the_chunk(monkeypatch):
    h = wide()
    monkeypatch.setattr(grids, "ROOM", 16)  # two gains at a time
    W = np.random.default_rng(1).normal(size=(5, 2, 2))
    for one, found in zip(W, radius(h, W), strict=True):
        loops = [np.asarray(t.A) - np.asarray(t.B) @ one for t in h.family]
        assert found == pytest.approx(max(np.abs(np.linalg.eigvals(L)).max() for L in loops))


def test_pictures_of_large_families_are_coarser():
    task = LQR(np.eye(6) / 2, np.eye(6), np.eye(6), np.eye(6))
    large = MetaObjective(TaskFamily([task] * 30), GradientStep("0.01"))
    assert side(large) < side(planar()) == grids.FINEST


def test_a_plane_gives_back_its_points():
    rng = np.random.default_rng(2)
    across = rng.normal(size=(2, 2))
    across /= np.linalg.norm(across)
    up = rng.normal(size=(2, 2))
    up -= np.sum(up * across) * across
    plane = Plane(rng.normal(size=(2, 2)), across, up / np.linalg.norm(up))
    W = plane.gains(np.array(0.3), np.array(-0.7))
    assert plane.place(W) == pytest.approx((0.3, -0.7))


# --- what is seen ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MAKE)
def test_every_landscape_can_be_drawn(figures, name):
    assert isinstance(figures[name], Figure)
    pictures = render(figures[name])
    assert pictures["png"].startswith(b"\x89PNG")
    assert b"</svg>" in pictures["svg"][-50:]


def test_minima_and_optima_lie_in_the_window(observed):
    for name in ("planar", "two inputs"):
        scene = observed_scene(observed[name])
        plane = whole_plane(scene)
        window = choose_window(scene, plane)
        for W in [*(p.W for p in scene.minima), *scene.optima]:
            x, y = plane.place(W)
            assert window.x[0] < x < window.x[1]
            assert window.y[0] < y < window.y[1]
        assert window.top > max(p.value for p in scene.minima)


def test_contours_are_where_h_has_their_value(observed, monkeypatch):
    """Every vertex of a contour line, asked again of the objective itself."""
    monkeypatch.setattr(grids, "FINEST", 160)
    landscape = observed["planar"]
    scene = observed_scene(landscape)
    axes = draw_plane(scene).axes[0]
    sets = [c for c in axes.collections if hasattr(c, "levels") and not c.filled]
    lines = max(sets, key=lambda c: len(c.levels))
    checked = 0
    for level, path in list(zip(lines.levels, lines.get_paths(), strict=True))[4:10]:
        vertices = path.vertices[:: max(1, len(path.vertices) // 20)]
        h = np.array([float(landscape.objective.value(v.reshape(1, 2))) for v in vertices])
        # Where walls are steep a cell of the grid spans much of h; most vertices are on gentle ground.
        assert np.median(np.abs(h - level)) < 0.02 * (level - scene.minima[0].value)
        checked += len(vertices)
    assert checked > 50


def test_levels_reach_from_the_lowest_minimum_to_the_top(observed):
    scene = observed_scene(observed["planar"])
    levels = levels_of(scene, np.array([[4.2, 9.0]]), 10.0)
    assert levels[0] <= scene.minima[0].value
    assert levels[-1] == pytest.approx(10.0)
    assert (np.diff(np.diff(levels)[1:]) > 0).all()


def test_segments_begin_and_end_at_minima(observed):
    scene = observed_scene(observed["wide"])
    assert len(scene.minima) >= 2
    axes = slices.draw_slices(scene).axes[0]
    drawn = [line for line in axes.get_lines() if len(line.get_xdata()) == slices.ALONG]
    pairs = [(i, j) for i, j in slices.PAIRS if j < len(scene.minima)]
    assert len(drawn) == len(pairs)
    for line, (i, j) in zip(drawn, pairs, strict=True):
        t, h = line.get_data()
        for place, number in ((0, i), (1, j)):
            at = int(np.argmin(np.abs(t - place)))
            assert h[at] == pytest.approx(scene.minima[number].value, rel=1e-3)


def test_the_plane_of_a_cut_holds_its_minima(observed):
    for name in ("wide", "single"):
        scene = observed_scene(observed[name])
        directions = slices.flattest_and_steepest(scene) if len(scene.minima) < 3 else []
        plane, window, words = slices.plane_of(scene, directions)
        assert np.sum(plane.across * plane.up) == pytest.approx(0, abs=1e-12)
        for mark in scene.minima[:3]:
            x, y = plane.place(mark.W)
            np.testing.assert_allclose(plane.gains(np.array(x), np.array(y)), mark.W, atol=1e-9)
            assert window.x[0] < x < window.x[1]
            assert window.y[0] < y < window.y[1]
        assert str(min(3, len(scene.minima))) in words or len(scene.minima) == 1


def test_a_proved_level_is_drawn_and_named(observed):
    scene = observed_scene(observed["planar"])
    higher = Scene(scene.objective, scene.minima, scene.others, scene.optima, "Proved", "", level=8.0)
    texts = [t.get_text() for t in draw_scene(higher).axes[0].get_legend().get_texts()]
    assert "below this line the list is complete" in texts
    assert "below this line the list is complete" not in legend(draw_scene(scene))


def legend(figure):
    return [t.get_text() for t in figure.axes[0].get_legend().get_texts()]


def test_the_key_numbers_minima_and_tells_kinds_apart(observed, figures):
    texts = legend(figures["planar"])
    minima = observed["planar"].minimizers
    assert [t.split(":")[0] for t in texts[: len(minima)]] == [
        str(i) for i in range(1, len(minima) + 1)
    ]
    assert "lowest" in texts[0]
    assert all("higher" in t for t in texts[1 : len(minima)])
    assert {"saddle", "W*, a task’s own optimum", "rim of the domain of h"} <= set(texts)
    shapes = [shape for shape, _, _, _ in contours.MARKS.values()]
    assert len(set(shapes)) == len(shapes)


def test_many_minima_are_counted_not_listed():
    scene = observed_scene(search(planar(), starts=32))
    low = scene.minima[0]
    marks = [low] + [Mark(low.W + 0.01 * i, low.value + i, "higher") for i in range(1, 12)]
    many = Scene(scene.objective, tuple(marks), (), scene.optima, "", "")
    texts = legend(draw_scene(many))
    assert sum("local minimum" in t for t in texts) <= contours.NAMED + 1
    assert any(t.startswith("6 more") for t in texts)


@pytest.mark.parametrize("name", MAKE)
def test_nothing_overlaps_the_key_or_leaves_the_figure(figures, name):
    figure = figures[name]
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    key = figure.axes[0].get_legend().get_window_extent(renderer)
    assert key.x1 <= figure.bbox.x1
    assert key.y0 >= 0
    for axes in figure.axes:
        assert axes.get_tightbbox(renderer, for_layout_only=True).x0 >= 0
        assert axes.get_window_extent(renderer).x1 < key.x0
        for tick in axes.yaxis.get_ticklabels() if axes is figure.axes[-1] else []:
            assert tick.get_window_extent(renderer).x1 < key.x0
    for text in figure.texts:
        box = text.get_window_extent(renderer)
        assert box.x0 >= 0
        assert box.x1 <= figure.bbox.x1


def test_without_a_minimum_there_is_no_cut_and_a_plane_all_the_same(observed):
    scene = observed_scene(observed["wide"])
    none = Scene(scene.objective, (), (), scene.optima, "none", "")
    assert draw_scene(none) is None
    with pytest.raises(ValueError, match="needs a minimum"):
        slices.draw_slices(none)
    plane = observed_scene(observed["planar"])
    assert isinstance(draw_scene(Scene(plane.objective, (), (), plane.optima, "", "")), Figure)


def test_saving_writes_the_picture_and_leaves_matplotlib_alone(observed, tmp_path):
    import matplotlib

    before = dict(matplotlib.rcParams)
    observed["two inputs"].save(tmp_path)
    assert sorted(os.listdir(tmp_path)) == [
        "landscape.json", "landscape.png", "landscape.svg", "manifest.json",
    ]  # fmt: skip
    assert dict(matplotlib.rcParams) == before
