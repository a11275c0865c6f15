"""Taylor models contain what they stand for: their floats evaluated exactly, at exact points."""

from fractions import Fraction
from types import SimpleNamespace

import compiled_rules
import numpy as np
import pytest

from benign.floats import taylor
from benign.floats.compiled import models as compiled_models
from benign.floats.taylor import Model, basis, multiply
from helpers import plant_error


def at(c, exponents, x) -> Fraction:
    """Σ c_k xᵏ, exactly."""
    value = Fraction(0)
    for k, coefficient in zip(exponents.tolist(), c, strict=True):
        term = Fraction(float(coefficient))
        for power, entry in zip(k, x, strict=True):
            term *= entry**power
        value += term
    return value


def model(rng, p, degree, batch, *, used=None, error=0.0, decay=1.0) -> Model:
    """Random models; only monomials up to a degree are used.

    The first of the batch has positive coefficients: at x = (1, …, 1) its bounds are reached.
    """
    B = basis(p, degree)
    c = rng.normal(size=(B.size, *batch)) * decay ** B.totals.reshape(-1, *[1] * len(batch))
    c[..., 0] = np.abs(c[..., 0])
    if used is not None:
        c[B.totals > used] = 0.0
    return Model(B, c, error * rng.uniform(size=batch))


def points(rng, p, count=6) -> list[list[Fraction]]:
    made = [[Fraction(int(x), 1000) for x in rng.integers(-1000, 1001, p)] for _ in range(count)]
    return [*made, [Fraction(1)] * p, [Fraction(-1)] * p, [Fraction(0)] * p]


def member(f: Model, index, x, share) -> Fraction:
    """A function that a model stands for, at x: the polynomial plus a share of the error."""
    return at(f.c[:, *index], f.basis.exponents, x) + share * Fraction(float(f.e[index]))


def in_numpy() -> SimpleNamespace:
    """The rules as they are now."""
    return SimpleNamespace(
        add=lambda f, g: f + g,
        subtract=lambda f, g: f - g,
        multiply=taylor.multiply,
        combine=taylor.combine,
        total=taylor.total,
        times=lambda f, factor, error: f.times(factor, error),
        truncated=lambda f, degree: f.truncated(degree),
        padded=lambda f, degree: f.padded(degree),
        inverse=taylor.inverse,
        composed=lambda f, z: taylor.substitute(f, taylor.monomials(z)),
        derivative=taylor.derivative,
        bounds=lambda f: f.bounds(),
    )


ROUTES = {"NumPy": in_numpy, "compiled": lambda: compiled_rules}


@pytest.fixture(params=ROUTES)
def route(request, monkeypatch):
    """The rules in NumPy, and those in compiled code, which is not kept."""
    monkeypatch.setenv("BENIGN_CACHE", "")
    return ROUTES[request.param]()


def assert_holds(f: Model, index, x, value: Fraction, bounds=None) -> None:
    assert abs(value - at(f.c[:, *index], f.basis.exponents, x)) <= Fraction(float(f.e[index]))
    low, high = f.bounds() if bounds is None else bounds
    assert Fraction(float(low[index])) <= value <= Fraction(float(high[index]))


SHARES = (Fraction(-1), Fraction(1), Fraction(0))
PAIRS = ((1, 1), (-1, 1), (1, -1), (0, 0))


def check_arithmetic(route, seed: int, p: int, degree: int, used: int | None, error: float) -> None:
    rng = np.random.default_rng(seed)
    f, g = (model(rng, p, degree, (3,), used=used, error=error) for _ in range(2))
    w = rng.normal(size=3)
    third = Fraction(1, 3)
    made = [
        (route.add(f, g), lambda a, b: a + b),
        (route.subtract(f, g), lambda a, b: a - b),
        (route.multiply(f, g), lambda a, b: a * b),
        (route.times(f, float(third), taylor.UNIT), lambda a, b: a * third),
        (route.padded(f, degree + 1), lambda a, b: a),
    ]
    if degree > 1:
        made.append((route.truncated(f, degree - 1), lambda a, b: a))
    made = [(found, rule, route.bounds(found)) for found, rule in made]
    combined, summed = route.combine(f[:, None], w[:, None]), route.total(f[:, None], 0)
    for x in points(rng, p):
        for share, other in PAIRS:
            for i in range(3):
                a, b = member(f, (i,), x, share), member(g, (i,), x, other)
                for found, rule, bounds in made:
                    assert_holds(found, (i,), x, rule(a, b), bounds)
            every = [member(f, (i,), x, share) for i in range(3)]
            exact = sum(Fraction(float(v)) * y for v, y in zip(w, every, strict=True))
            assert_holds(combined, (0,), x, exact)
            assert_holds(summed, (0,), x, sum(every))


@pytest.mark.parametrize("error", [0.0, 0.1])
@pytest.mark.parametrize(("p", "degree", "used"), [(2, 3, None), (2, 3, 1), (3, 2, 1), (4, 3, None)])
def test_sums_and_products(route, p, degree, used, error):
    check_arithmetic(route, p, p, degree, used, error)


def test_many_boxes_at_once_give_the_same_products(monkeypatch):
    rng = np.random.default_rng(0)
    f, g = (model(rng, 3, 3, (4, 5), error=0.1) for _ in range(2))
    few = multiply(f, g)
    monkeypatch.setattr(taylor, "FEW", 0)
    many = multiply(f, g)
    np.testing.assert_allclose(many.c, few.c, rtol=1e-13, atol=1e-14)
    x = points(rng, 3, 2)[0]
    assert_holds(many, (1, 2), x, member(f, (1, 2), x, 1) * member(g, (1, 2), x, 1))


def check_inverse(route, seed: int, p: int, error: float, decay: float) -> None:
    rng = np.random.default_rng(seed)
    d = model(rng, p, 3, (4,), error=error, decay=decay)
    d.c[0] = 1.0 + rng.uniform(size=4)
    found = route.inverse(d)
    assert np.isfinite(found.e).all()
    for x in points(rng, p):
        for share in SHARES:
            for i in range(4):
                assert_holds(found, (i,), x, 1 / member(d, (i,), x, share))


@pytest.mark.parametrize(("error", "decay"), [(0.0, 0.1), (1e-3, 0.05), (0.0, 1e-6)])
@pytest.mark.parametrize("p", [2, 3])
def test_inverses(route, p, error, decay):
    check_inverse(route, p, p, error, decay)


def test_nothing_is_known_of_an_inverse_where_the_divisor_may_vanish(route):
    rng = np.random.default_rng(0)
    d = model(rng, 2, 3, (5,))
    d.c[0] = [0.0, -5.0, 0.1, np.nan, np.inf]
    with np.errstate(all="ignore"):
        found = route.inverse(d)
        low, high = route.bounds(found)
    assert not np.isfinite(found.e).any()
    assert not ((low > 0) | (high < 0)).any()


def check_substitution(
    route, seed: int, p: int, size: float, *, used: int = 2, error: float = 0.01
) -> None:
    rng = np.random.default_rng(seed)
    z = model(rng, p, 2, (p, 3), used=used, error=error * size)
    z.c[0] = 0.0
    scale = 1.001 * (np.abs(z.c).sum(axis=0) + z.e) / size
    z = Model(z.basis, z.c / scale, z.e / scale)
    f = model(rng, p, 2, (2, 3), used=used, error=error * size)
    found = route.composed(f, z)
    for x in points(rng, p):
        for share in SHARES:
            for i in range(3):
                inner = [member(z, (q, i), x, share) for q in range(p)]
                assert all(abs(y) <= 1 for y in inner)
                for q in range(2):
                    assert_holds(found, (q, i), x, member(f, (q, i), inner, share))


@pytest.mark.parametrize("size", [1.0, 0.01])
@pytest.mark.parametrize("p", [2, 3])
def test_substitution(route, p, size):
    check_substitution(route, p, p, size)


@pytest.mark.parametrize("order", [(), (0,), (1,), (0, 1), (1, 1), (0, 0, 1)])
@pytest.mark.parametrize("target", [0, 1, 2, 4])
def test_derivatives(route, order, target):
    rng = np.random.default_rng(1)
    B = basis(2, 4)
    c = rng.normal(size=(B.size, 2))
    found = route.derivative(2, 4, c, np.zeros(2), order, target)
    for x in points(rng, 2, 3):
        for i in range(2):
            exact = Fraction(0)
            for k, coefficient in zip(B.exponents.tolist(), c[:, i], strict=True):
                term, left = Fraction(float(coefficient)), list(k)
                for axis in order:
                    term *= left[axis]
                    left[axis] = max(left[axis] - 1, 0)
                exact += term * x[0] ** left[0] * x[1] ** left[1]
            assert_holds(found, (i,), x, exact)


def test_what_overflows_shows_nothing(route):
    B = basis(2, 2)
    f = Model(B, np.full((B.size, 1), 1e200), np.zeros(1))
    with np.errstate(all="ignore"):
        low, high = route.bounds(route.multiply(f, f))
    assert not low[0] > 0
    assert not high[0] < 0


def sum_of_errors(many: int) -> tuple[Fraction, float]:
    """1 and many numbers of just below half its last place, by Fractions and by `combine`."""
    errors = np.full((many + 1, 9), 0.99 * taylor.UNIT)  # of nine boxes: NumPy adds row by row
    errors[0] = 1.0
    models = Model(taylor.basis(1, 2), np.zeros((3, *errors.shape)), errors)
    found = taylor.combine(models, np.ones(errors.shape))
    return sum(map(Fraction, errors[:, 0].tolist()), Fraction(0)), float(found.e[0])


@pytest.mark.parametrize("many", [10, 1000, 100_000])
def test_sums_over_many_tasks_are_rounded_up(many):
    exact, found = sum_of_errors(many)
    assert exact <= Fraction(found) <= exact * (1 + Fraction(1, 10**9))


# --- planted errors --------------------------------------------------------------------------


def test_both_routes_agree(monkeypatch):
    """The same polynomials but for rounding, and the same bounds of what they leave out."""
    monkeypatch.setenv("BENIGN_CACHE", "")
    rng, one, other = np.random.default_rng(5), in_numpy(), compiled_rules
    f, g = (model(rng, 3, 3, (50,), error=0.01, decay=0.3) for _ in range(2))
    f.c[0] += 3.0
    for name, given in {
        "add": (f, g), "multiply": (f, g), "inverse": (f,), "truncated": (f, 2),
        "times": (f, 0.3, taylor.UNIT),
    }.items():  # fmt: skip
        a, b = getattr(one, name)(*given), getattr(other, name)(*given)
        np.testing.assert_allclose(b.c, a.c, rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(b.e, a.e, rtol=1e-9)
        np.testing.assert_allclose(other.bounds(b), one.bounds(a), rtol=1e-9)


def test_uncounted_roundings_are_caught(monkeypatch, route):
    monkeypatch.setattr(taylor, "UNIT", 0.0)
    monkeypatch.setattr(taylor, "GROWN", 1.0)
    for check in (
        lambda: check_arithmetic(route, 2, 2, 3, 1, 0.0),
        lambda: check_inverse(route, 2, 2, 0.0, 1e-6),
        lambda: check_substitution(route, 2, 2, 1.0, used=1, error=0.0),
    ):
        with pytest.raises(AssertionError):
            check()


def test_a_slack_for_few_terms_is_too_small_for_many(monkeypatch):
    monkeypatch.setattr(taylor, "grown", lambda terms: taylor.GROWN)
    exact, found = sum_of_errors(100_000)
    assert exact > Fraction(found)


CHECKS = {
    "sums": lambda route: check_arithmetic(route, 2, 2, 3, None, 0.1),
    "products": lambda route: check_arithmetic(route, 2, 2, 3, None, 0.0),
    "linear": lambda route: check_arithmetic(route, 2, 2, 3, 1, 0.0),
    "inverse": lambda route: check_inverse(route, 2, 2, 0.0, 0.1),
    "inverse of little": lambda route: check_inverse(route, 2, 2, 0.0, 1e-6),
    "inverse of models": lambda route: check_inverse(route, 2, 2, 1e-3, 0.05),
    "substitution": lambda route: check_substitution(route, 2, 2, 1.0),
}


@pytest.mark.parametrize(
    ("owner", "name", "old", "new", "check"),
    [
        (taylor, "multiply", "size_a * b.e", "0.0 * b.e", "sums"),
        (taylor, "multiply", "range(1, B.degree + 1)", "range(2, B.degree + 1)", "products"),
        (taylor, "multiply", "UNIT * (B.most + 2)", "0.0", "linear"),
        (taylor, "inverse", "(beyond + rounding", "(rounding", "inverse"),
        (taylor, "inverse", "(beyond + rounding", "(beyond", "inverse of little"),
        (taylor, "inverse", "d.e * size", "0.0 * size", "inverse of models"),
        (taylor, "substitute", "f.e + weighted", "f.e", "substitution"),
        (taylor, "combine", "inherited * (1.0 + 2.0 * error)", "0.0 * inherited", "sums"),
        (Model, "truncated", "self.e + rest", "self.e", "products"),
        (compiled_models, "multiply", "size_a * b.e", "0.0 * b.e", "sums"),
        (compiled_models, "multiply", "e = e + A_d[d] * high", "pass", "products"),
        (compiled_models, "multiply", "taylor.UNIT * (B.most + 2)", "0.0", "linear"),
        (compiled_models, "inverse", "[*beyond, rounding]", "[rounding]", "inverse"),
        (compiled_models, "inverse", "[*beyond, rounding]", "beyond", "inverse of little"),
        (compiled_models, "inverse", "d.e * size", "0.0 * size", "inverse of models"),
        (compiled_models, "substitute", "+ weighted.get()", "", "substitution"),
        (compiled_models, "combine", "inherited * (1.0 + 2.0 * error)", "0.0 * inherited", "sums"),
        (compiled_models.Model, "truncated", "(self.e + lost)", "self.e", "products"),
        (compiled_models.Model, "bounds", "rest = self.e + taylor.TINY", "rest = self.e * 0.0", "sums"),
    ],
)  # fmt: skip
def test_terms_left_out_are_caught(monkeypatch, owner, name, old, new, check):
    monkeypatch.setenv("BENIGN_CACHE", "")
    compiled = owner in (compiled_models, compiled_models.Model)
    plant_error(monkeypatch, owner, name, old, new)
    with pytest.raises(AssertionError):
        CHECKS[check](compiled_rules if compiled else in_numpy())
