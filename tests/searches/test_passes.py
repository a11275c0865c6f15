"""The path of least height, against a flood of a fine grid and against saddles."""

import numpy as np
import pytest

from benign.explorer.draft import draft_of
from benign.explorer.looks import look
from benign.meta import batched
from benign.results.landscape import Kind
from benign.searches import glance
from benign.searches.descent import Field
from benign.searches.passes import passage
from benign.tasks.files import load


@pytest.fixture(scope="module")
def masses():
    now = look(draft_of(load("four-masses")))
    met = glance.on_a_plane(now.objective, now.view.x, now.view.y)
    return now, [p for p in met if p.kind is Kind.MINIMUM], [p for p in met if p.kind is Kind.SADDLE]


def flooded(objective, view, a, b, side=241):
    """The least level at which a and b are in one piece of a grid, by joining cells as they drown."""
    gx, gy = np.linspace(*view.x, side), np.linspace(*view.y, side)
    X, Y = np.meshgrid(gx, gy)
    h = batched.values(objective, np.stack([X, Y], axis=-1).reshape(-1, 1, 2))
    root = np.arange(h.size)

    def find(i):
        while root[i] != i:
            root[i] = root[root[i]]
            i = root[i]
        return i

    def cell(W):
        return int(np.argmin(np.abs(gy - W[1]))) * side + int(np.argmin(np.abs(gx - W[0])))

    first, second, drowned = cell(a), cell(b), np.zeros(h.size, bool)
    for i in np.argsort(h):
        drowned[i] = True
        row, column = divmod(int(i), side)
        for r, c in ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)):
            j = r * side + c
            if 0 <= r < side and 0 <= c < side and drowned[j]:
                root[find(i)] = find(j)
        if drowned[first] and drowned[second] and find(first) == find(second):
            return float(h[i])
    return np.inf


@pytest.mark.parametrize("pair", [(0, 1), (0, 2), (1, 2)])
def test_the_crest_is_that_of_a_flood_and_of_a_saddle(masses, pair):
    now, minima, saddles = masses
    a, b = (minima[i] for i in pair)
    found = passage(Field(now.objective, length=1.0), a.W, b.W)
    assert np.allclose(found.gains[[0, -1]], [a.W, b.W], atol=1e-9)
    again = batched.values(now.objective, found.gains.reshape(-1, 1, 2))
    assert np.allclose(again, found.heights, rtol=1e-12)
    # A path on the grid is a path too, so that the pass is not above the flood.
    level = flooded(now.objective, now.view, a.W, b.W)
    assert found.crest < level * (1 + 1e-3)
    saddle = min(saddles, key=lambda p: abs(p.value - found.crest))
    assert saddle.value * (1 - 1e-6) <= found.crest < saddle.value * (1 + 1e-3)


def test_no_way_is_told_where_the_line_leaves_the_domain(masses):
    now, minima, _ = masses
    outside = np.array([now.view.x[1] + 50.0, 0.0])
    assert passage(Field(now.objective, length=1.0), minima[0].W, outside) is None
