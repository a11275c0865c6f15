"""The picture of a recommendation: what it draws, and that nothing leaves it or overlaps."""

from fractions import Fraction

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from benign.results.enclosure import Enclosure
from benign.sweeps.recommendation import Advice, Cell, Recommendation, Variant, Word
from benign.views.recommendation import FLOOR, _epsilon, draw_recommendation
from helpers import paper_problem


def cell(variant, eta, epsilon, best, worst, reached, word=Word.PROVED):
    bounds = Enclosure(epsilon * best, epsilon * best if word is Word.PROVED else np.inf)
    low = Enclosure(best, best)
    return Cell(
        variant,
        Fraction(eta),
        word,
        "local minima",
        bounds,
        low,
        np.zeros((1, 1)),
        best,
        worst,
        64,
        reached,
    )


def recommendation(kind):
    cells = [
        cell(Variant.GRADIENT, "0.01", 0.2, 2.4, 2.9, 12),
        cell(Variant.GRADIENT, "0.05", 0.01, 2.37, 2.39, 30),
        cell(Variant.GRADIENT, "0.11", 0.0, 2.366, 2.366, 64),
        cell(Variant.COSTS, "0.01", 1e-7, 2.4, 2.41, 0),
        cell(Variant.COSTS, "0.11", 0.03, 2.4, 2.5, 60, Word.OBSERVED),
        cell(Variant.NORMALIZED, "0.2", 0.3, 2.4, 3.0, 50, Word.OBSERVED),
    ]
    optimum = 2.366
    if kind == "one cell":
        cells = cells[2:3]
    elif kind == "infeasible":
        nothing = Enclosure(np.inf, np.inf)
        gone = Cell(Variant.GRADIENT, Fraction(9), Word.INFEASIBLE, "no gain is feasible", nothing,
                    nothing, np.zeros((1, 1)), np.inf, np.inf, 0, 0)  # fmt: skip
        cells, optimum = [*cells, gone], np.inf
    elif kind == "huge":
        cells = [cell(c.variant, c.eta, 1e4, c.best, 1e9, 1) for c in cells[:3]]
    present = cells[1] if len(cells) > 1 else None
    advice = Advice.DISTINCT if kind == "huge" else Advice.RAISE
    chosen = cells[-1 if len(cells) < 3 else 2]
    tasks = paper_problem("3b", "0.05").family
    return Recommendation(tasks, 1, tuple(cells), present, advice, chosen, "reason", optimum)


@pytest.mark.parametrize("kind", ["usual", "one cell", "infeasible", "huge"])
def test_nothing_leaves_the_figure_or_overlaps(kind):
    figure = draw_recommendation(recommendation(kind))
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    (key,) = figure.legends
    box = key.get_window_extent(renderer)
    assert box.x1 <= figure.bbox.x1
    assert box.y0 >= 0
    boxes = [axes.get_tightbbox(renderer, for_layout_only=True) for axes in figure.axes]
    for above, below in zip(boxes, boxes[1:], strict=False):
        assert above.y0 > below.y1
    for one in boxes:
        assert one.x0 >= 0
        assert one.y0 >= 0
        assert one.x1 <= box.x0
    titles = [text.get_window_extent(renderer) for text in figure.texts]
    for text in titles:
        assert text.x0 >= 0
        assert text.x1 <= figure.bbox.x1
        assert text.y0 > boxes[0].y1
    assert titles[0].y0 > titles[1].y1
    for axes in figure.axes:
        labels = [t.get_window_extent(renderer) for t in axes.yaxis.get_ticklabels() if t.get_text()]
        shown = sorted((b for b in labels if b.height), key=lambda b: b.y0)
        assert all(low.y1 <= high.y0 for low, high in zip(shown, shown[1:], strict=False))
        assert all(axes.yaxis.label.get_window_extent(renderer).x1 <= label.x0 for label in shown)


def test_each_panel_shows_its_numbers_filled_where_they_are_proved():
    found = recommendation("usual")
    top, _, bottom = draw_recommendation(found).axes
    marks = [line for line in top.lines if line.get_marker() == "o" and len(line.get_xdata())]
    proved = [line for line in marks if line.get_markerfacecolor() != "white"]
    assert np.concatenate([line.get_ydata() for line in proved]) == pytest.approx([20, 1, FLOOR])
    squares = [line for line in top.lines if line.get_marker() == "s"]
    hollow = [line for line in squares if line.get_markerfacecolor() == "white"]
    assert [tuple(line.get_xdata()) for line in hollow] == [(0.11,)]
    shares = [line for line in bottom.lines if line.get_marker() == "o" and len(line.get_xdata())]
    assert all(line.get_markerfacecolor() == "white" for line in shares)
    assert shares[0].get_ydata() == pytest.approx([100 * 12 / 64, 100 * 30 / 64, 100])


def test_bounds_in_the_table_are_rounded_outwards():
    assert _epsilon(cell(Variant.GRADIENT, "0.1", 0.0123412, 1.0, 1.1, 1)) == "1.24"
    assert _epsilon(cell(Variant.GRADIENT, "0.1", 0.0, 1.0, 1.0, 1)) == "0"
    assert _epsilon(cell(Variant.GRADIENT, "0.1", 0.0129, 1.0, 1.1, 1, Word.OBSERVED)) == "≥ 1.2"
