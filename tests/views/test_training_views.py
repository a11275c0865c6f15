"""The pictures of runs and of bifurcations: what is marked is what was found."""

import numpy as np
import pytest

from benign.sweeps.bifurcate import bifurcate
from benign.tasks.family import TaskFamily
from benign.training.train import train
from benign.views.bifurcation import draw_bifurcation
from benign.views.save import render
from benign.views.training import draw_training
from helpers import paper_problem


@pytest.fixture(scope="module")
def result():
    return train(paper_problem("3b", "0.05").family, eta="0.05")


def test_a_run_is_drawn_with_its_proved_bound(result):
    figure = draw_training(result)
    cost, norm, tasks = figure.axes
    curve = cost.get_lines()[0]
    np.testing.assert_array_equal(curve.get_ydata(), result.trace.value)
    bound = next(line for line in cost.get_lines() if "proved" in str(line.get_label()))
    assert bound.get_ydata()[0] == result.value - result.gap
    assert norm.get_yscale() == "log"
    widths = sorted(bar.get_width() for bar in tasks.patches)
    assert widths == sorted(result.task_values)
    assert figure.texts[0].get_text().startswith("Proved")


def test_a_run_without_certificate_claims_nothing():
    found = train(paper_problem("3b", "0.05").family, "imaml", lam=20.0)
    figure = draw_training(found)
    words = [text.get_text() for text in figure.texts]
    labels = [str(line.get_label()) for axes in figure.axes for line in axes.get_lines()]
    assert words[0].startswith("Observed")
    assert not [word for word in (*words, *labels) if "proved" in word.lower()]


def test_many_tasks_are_drawn_without_names(result):
    many = TaskFamily.stack(np.ones(40), np.ones(40), np.linspace(1, 2, 40), np.ones(40))
    figure = draw_training(train(many, eta="0.02", steps=20, certified=False))
    assert len(figure.axes[2].get_yticks()) == 0
    assert len(figure.axes[2].patches) == 40


def test_the_same_run_is_the_same_picture(result):
    assert render(draw_training(result)) == render(draw_training(result))


def test_a_bifurcation_is_drawn_branch_by_branch():
    found = bifurcate(paper_problem("3b", "0.05").family, ["0.04", "0.055", "0.07", "0.1"])
    figure = draw_bifurcation(found)
    place = figure.axes[0]
    drawn = {
        (float(x), float(y))
        for line in place.get_lines()
        for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)
    }
    for branch in found.branches:
        for point in branch:
            assert (float(found.samples[point.sample].eta), point.at.mid) in drawn
    assert len([line for line in place.get_lines() if line.get_label() == "a minimum dies"]) == 1
    assert f"Proved at {len(found.samples)} step sizes" in figure.texts[0].get_text()
