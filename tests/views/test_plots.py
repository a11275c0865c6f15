import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from view_problems import PROBLEMS

from benign.exact.problem import Problem, make_step
from benign.prove.line.enumeration import analyze
from benign.results.landscape import Kind
from benign.tasks.files import load
from benign.views import draw_landscape
from benign.views.curves import PlainObjective, sample
from benign.views.save import render
from benign.views.window import choose_window
from benign.views.words import headline


@pytest.mark.parametrize("name", PROBLEMS)
def test_every_landscape_can_be_drawn(landscapes, name):
    figure = draw_landscape(landscapes[name])
    assert isinstance(figure, Figure)
    pictures = render(figure)
    assert pictures["png"].startswith(b"\x89PNG")
    assert len(pictures["png"]) > 15_000
    assert b"</svg>" in pictures["svg"][-50:]


@pytest.mark.parametrize("name", PROBLEMS)
def test_minima_lie_in_the_window(landscapes, name):
    landscape = landscapes[name]
    window = choose_window(landscape)
    for point in landscape.minima:
        assert window.x[0] < point.at.mid < window.x[1]
        assert window.y[0] < point.value.mid < window.y[1]


@pytest.mark.parametrize("name", PROBLEMS)
def test_the_line_of_h_passes_through_the_proved_points(landscapes, name):
    landscape = landscapes[name]
    h = PlainObjective(landscape.problem)
    for point in landscape.stationary_points[:20]:
        if point.kind in (Kind.MINIMUM, Kind.MAXIMUM):
            assert h(np.array([point.at.mid]))[0] == pytest.approx(point.value.mid, rel=1e-6)


def test_lines_end_outside_the_domain_and_break_at_jumps(landscapes):
    pieces = landscapes["two pieces"]
    gap = (pieces.domain[0].hi.hi, pieces.domain[1].lo.lo)
    curves = sample(pieces, 0.0, 2.0)
    assert np.isnan(curves.h[(gap[0] < curves.W) & (gap[1] > curves.W)]).all()
    jumps = landscapes["jumps"]
    curves = sample(jumps, 0.2, 1.0, drawn=[0, 1])
    for point in jumps.stationary_points:
        if point.limits:
            at = np.searchsorted(curves.W, point.at.mid)
            assert np.isnan(curves.h[at])
            left, right = point.limits
            assert curves.h[at - 1] == pytest.approx(left.mid, rel=1e-6)
            assert curves.h[at + 1] == pytest.approx(right.mid, rel=1e-6)


def test_minima_that_look_alike_get_a_second_panel(landscapes):
    assert len(draw_landscape(landscapes["one task"]).axes) == 2
    assert len(draw_landscape(landscapes["equal minima"]).axes) == 1


def legend(landscape):
    return [t.get_text() for t in draw_landscape(landscape).axes[-1].get_legend().get_texts()]


def test_the_key_gives_values_that_differ_and_names_up_to_twelve_tasks(landscapes):
    figure = draw_landscape(landscapes["one task"])
    main = next(axes for axes in figure.axes if axes.get_legend())
    texts = [text.get_text() for text in main.get_legend().get_texts()]
    assert any("h = 3.236068" in text and "global" in text for text in texts)
    assert any("h = 3.236414" in text and "spurious" in text for text in texts)
    assert any("Q = 5, R = 3" in text for text in legend(landscapes["eleven tasks"]))
    assert "60 of 1000 tasks" in legend(landscapes["many tasks"])


def test_the_title_is_the_verdict(landscapes):
    assert headline(landscapes["one task"]) == "Refuted: 1 of 2 local minima of h is spurious"
    assert headline(landscapes["equal minima"]) == "Proved: all 3 local minima of h are global"
    assert headline(landscapes["narrow and undecided"]).startswith("Undecided")


def test_nothing_lies_outside_the_figure(landscapes):
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    for landscape in landscapes.values():
        figure = draw_landscape(landscape)
        renderer = FigureCanvasAgg(figure).get_renderer()
        figure.draw(renderer)
        for text in figure.texts:
            box = text.get_window_extent(renderer)
            assert box.x0 >= 0
            assert box.x1 <= figure.bbox.x1
        for axes in figure.axes:
            if axes.get_legend():
                box = axes.get_legend().get_window_extent(renderer)
                assert box.y0 >= 0
                assert box.x1 <= figure.bbox.x1


def test_settings_of_matplotlib_are_left_alone(landscapes):
    import matplotlib

    before = dict(matplotlib.rcParams)
    render(draw_landscape(landscapes["one task"]))
    assert dict(matplotlib.rcParams) == before


def test_pictures_need_neither_jax_nor_pyplot():
    code = (
        "import sys, benign.views\n"
        "assert 'matplotlib' not in sys.modules\n"
        "from benign.prove.line.enumeration import analyze\n"
        "from benign.exact.problem import Problem, make_step\n"
        "from benign.tasks.files import bundled_path, load\n"
        "family = load(bundled_path('paper-figure-1')).family\n"
        "landscape = analyze(Problem(family, make_step('gradient', '0.1')))\n"
        "from benign.views.save import render\n"
        "render(benign.views.draw_landscape(landscape))\n"
        "assert not {'jax', 'matplotlib.pyplot'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", ["hang_price", "e50", "hang_rim"])
def test_a_domain_that_floats_hardly_tell_from_a_point_is_drawn(name):
    file = load(Path(__file__).parents[1] / "cases" / f"{name}.toml")
    step = make_step("gradient", "1e-10") if name == "hang_price" else make_step("normalized", "0.05")
    step = file.step.steps[0] if name == "e50" else step
    landscape = analyze(Problem(file.family, step))
    figure = draw_landscape(landscape)
    assert render(figure)["png"].startswith(b"\x89PNG")
