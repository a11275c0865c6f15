"""Both ways to look at boxes see the same; the faster one is taken where there is time to make it."""

from __future__ import annotations

import numpy as np
import pytest

from benign.clock import Clock
from benign.floats import looks
from benign.floats.boxes import BoxObjective
from benign.floats.compiled import kernels
from benign.floats.compiled.evaluation import Compiled, InCompiled
from benign.floats.frames import frame_of
from benign.floats.looks import InNumPy, looker
from benign.kernels import batch
from several import random_problem

ALMOST = 0.999
"""The share of boxes of which both say the same: rounding decides some."""


def objective(n=2, m=1, size=0.6, **settings) -> BoxObjective:
    problem = random_problem(np.random.default_rng(1), n, m, **settings)
    return BoxObjective(problem, frame_of(np.zeros(n * m), size * np.eye(n * m)))


def boxes(p, count=1001):
    """Of many sizes, and of a number that no register divides."""
    rng = np.random.default_rng(0)
    y = rng.uniform(-1, 1, (p, count))
    return y, 2.0 ** rng.uniform(-12, -3, (p, count))


def nearly(a, b) -> bool:
    return bool(np.mean(np.asarray(a) == np.asarray(b)) >= ALMOST)


@pytest.mark.parametrize(
    ("n", "m", "settings"),
    [(2, 1, {"eta": "0.1"}), (1, 2, {"shots": 2, "split": True}), (3, 1, {"size": 1.5})],
)
def test_both_see_the_same(n, m, settings):
    h = objective(n, m, **settings)
    one, other = InNumPy.of(h)(*boxes(n * m)), Compiled(h).look(*boxes(n * m))
    with np.errstate(all="ignore"):
        first, second = one.before(), other.before()
        assert nearly(first.signs, second.signs)
        assert nearly(first.thrown_out, second.thrown_out)
        assert len(np.unique(first.signs)) > 1
        np.testing.assert_allclose(second.least, first.least, rtol=1e-6, atol=1e-6)
        first, second = one.after(), other.after()
        assert nearly(first.along, second.along)
        assert nearly(first.signs, second.signs)
        keep = np.flatnonzero(first.along.all(axis=0) & second.along.all(axis=0))
        assert len(keep) > 50
        inside = first.inside[keep]
        one, other = one[keep], other[keep]
        wanted = np.ones(len(keep), bool)
        first, second = one.slopes(wanted), other.slopes(wanted)
        left = ~(first.slope & inside)
        assert np.mean(first.slope[inside] == second.slope[inside]) >= 0.99
        assert np.mean(first.steep[left] == second.steep[left]) >= 0.99
        first, second = one.second(), other.second()
        known = np.isfinite(first.hessian.e).all(axis=0) & inside
        np.testing.assert_allclose(
            second.hessian.e[:, known], first.hessian.e[:, known], rtol=1e-2, atol=1e-9
        )


def test_a_box_alone_is_seen_as_among_others():
    h = objective()
    y, r = boxes(2, 20)
    made = Compiled(h)
    many = made.look(y, r).after()
    for i in range(20):
        one = made.look(y[:, i : i + 1], r[:, i : i + 1]).after()
        np.testing.assert_array_equal(one.low[..., 0], many.low[..., i])
    assert made.look(y[:, :0], r[:, :0]).before().signs.shape == (2, 0)


def test_the_way_is_chosen(monkeypatch):
    h = objective()
    assert isinstance(looker(h)(*boxes(2)), InCompiled)
    assert isinstance(looker(h, Clock(1.0))(*boxes(2)), InCompiled)  # it is there by now
    monkeypatch.setenv("BENIGN_CACHE", "")
    monkeypatch.setattr(kernels, "VARIANT", "never made")
    assert isinstance(looker(h, Clock(1.0))(*boxes(2)), InNumPy)
    assert isinstance(looker(objective(shots=4))(*boxes(2)), InNumPy)
    monkeypatch.setattr(looks, "WORTH", 1e9)  # a compiler that takes longer is not waited for
    monkeypatch.setattr(Compiled, "seconds", 0.0)
    assert isinstance(looker(h, Clock(60.0))(*boxes(2)), InNumPy)
    monkeypatch.setattr(batch, "available", lambda: False)
    assert isinstance(looker(h)(*boxes(2)), InNumPy)
