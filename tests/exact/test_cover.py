"""What the tags of a cover imply: the three facts, on small covers and on random ones."""

from __future__ import annotations

import numpy as np
import pytest

from benign.exact.cover import Cover, domain_pieces, known_signs, runs


def cover(tags: str) -> Cover:
    return Cover(tuple(float(i) for i in range(len(tags) + 1)), tags)


@pytest.mark.parametrize(
    ("tags", "joined"),
    [
        ("OO--vv++OO", "O-v+O"),
        ("O+O", "O"),
        ("O-O", "O"),
        ("-+", "O"),
        ("O-+O", "O"),
        ("+-v+", "O-v+"),
        ("-v+-v+", "-v+-v+"),
        ("O--++-v+O", "O-v+O"),
        ("-?+", "-?+"),
        ("O?-v^+?", "O?-v^+?"),
        ("-v+O+-v+", "-v+O-v+"),
    ],
)
def test_runs_without_a_point_of_the_domain_become_outside(tags, joined):
    found = runs(cover(tags))
    assert "".join(run.tag for run in found) == joined
    assert found[0].lo == 0.0
    assert found[-1].hi == float(len(tags))
    assert all(a.hi == b.lo for a, b in zip(found, found[1:], strict=False))


def test_signs_at_the_ends_of_runs_are_those_of_their_neighbours():
    found = runs(cover("O-v^+O"))
    assert [run.tag for run in found] == ["O", "-", "v", "^", "+", "O"]
    assert known_signs(found) == [0, -1, -1, 0, 1, 1, 0]


def test_pieces_of_the_domain_end_between_plus_and_minus():
    found = runs(cover("O-v+-v+O?O"))
    ends = [(first.lo, last.hi) for first, last in domain_pieces(found)]
    assert ends == [(1.0, 4.0), (4.0, 7.0), (8.0, 9.0)]


@pytest.mark.parametrize("seed", range(200))
def test_true_tags_of_a_random_coercive_function_never_lose_a_point(seed):
    """A domain of open intervals, h → ∞ at every rim: tag boxes truly, and read the tags again."""
    rng = np.random.default_rng(seed)
    points = np.unique([0.0, 20.0, *np.round(rng.uniform(0, 20, 40), 2)])
    ends = np.sort(rng.uniform(0.5, 19.5, 2 * int(rng.integers(1, 4))))
    domain = list(zip(ends[::2], ends[1::2], strict=True))
    minima = [a + (b - a) * rng.uniform(0.2, 0.8) for a, b in domain]

    def tag(lo: float, hi: float) -> str:
        touched = [(m, a, b) for m, (a, b) in zip(minima, domain, strict=True) if a < hi and lo < b]
        inside = any(a < lo and hi < b for _, a, b in touched)
        if not touched:
            return rng.choice(list("O+-"))  # of a box without a point of D any sign is true
        if all(hi < m for m, _, _ in touched):
            return "-"
        if all(lo > m for m, _, _ in touched):
            return "+"
        return "v" if inside else "?"

    tags = "".join(tag(lo, hi) for lo, hi in zip(points[:-1], points[1:], strict=True))
    found = runs(Cover(tuple(points.tolist()), tags))
    for m, (a, b) in zip(minima, domain, strict=True):
        assert all(run.tag in "v?" for run in found if run.lo <= m <= run.hi)
        for w in np.linspace(a, b, 50)[1:-1]:
            assert all(run.tag != "O" for run in found if run.lo < w < run.hi), (tags, w)
    if "?" not in tags:
        pieces = domain_pieces(found)
        assert len(pieces) == len(domain)
        for (first, last), (a, b) in zip(pieces, domain, strict=True):
            assert first.lo <= a <= first.hi
            assert last.lo <= b <= last.hi
