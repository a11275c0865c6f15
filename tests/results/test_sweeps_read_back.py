"""Sweeps come back from the files that they were saved to."""

import benign
from benign.sweeps.bifurcation import bifurcation_document
from benign.sweeps.recommendation import recommendation_document


def test_a_recommendation_comes_back(tmp_path):
    found = benign.recommend("paper-figure-2", etas=["0.02", "0.05"], starts=4, out=tmp_path)
    again = benign.read(tmp_path)
    assert recommendation_document(again) == recommendation_document(found)
    assert again.family == found.family
    assert str(again) == str(found)


def test_a_diagram_comes_back(tmp_path):
    found = benign.bifurcate("paper-figure-3b", ["0.01", "0.05", "0.1"], out=tmp_path)
    again = benign.read(tmp_path)
    assert bifurcation_document(again) == bifurcation_document(found)
    assert again.branches == found.branches
    assert again.events == found.events
    assert str(again) == str(found)
