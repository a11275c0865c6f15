"""Hard scalar problems by kind, each made from (kind, seed) alone.

A kind is a way in which a proof may go wrong: numbers far apart, numbers almost or exactly equal,
domains that hardly exist, points that are hardly there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import folds
import numpy as np

from benign.exact.problem import Plant, Problem, Task, make_family, make_step

Rng = np.random.Generator
Fractions = Sequence[Fraction]


@dataclass(frozen=True)
class Hard:
    """A problem, the ε asked about, and gains near which something hard to see is."""

    kind: str
    seed: int
    problem: Problem
    epsilon: Fraction = Fraction(0)
    hints: tuple[Fraction, ...] = ()

    def __str__(self) -> str:
        return f"{self.kind} {self.seed}"


@dataclass(frozen=True)
class Draw:
    """What a family is made of before it is exact: one row of numbers per task."""

    f: tuple[Plant, ...]
    g: tuple[Plant | None, ...]
    weights: tuple[Fraction, ...]
    kind: str
    eta: Fraction
    shots: int

    def problem(self) -> Problem:
        tasks = [Task(f"t{i}", f, g) for i, (f, g) in enumerate(zip(self.f, self.g, strict=True))]
        return Problem(make_family(tasks, self.weights), make_step(self.kind, self.eta, self.shots))


def plant(
    a: Fraction, b: Fraction, q: Fraction, r: Fraction, s: Fraction, y: Fraction = Fraction(1),
    noise: Fraction | None = None,
) -> Plant:  # fmt: skip
    a, b, q, r, s = (((x,),) for x in (a, b, q, r, s))
    return Plant(a, b, q, r, s, y, None if noise is None else ((noise,),))


def numbers(x: Plant) -> dict[str, Fraction]:
    names = zip("abqrs", (x.A, x.B, x.Q, x.R, x.S0), strict=True)
    return {name: matrix[0][0] for name, matrix in names} | {"y": x.discount}


def changed(x: Plant, **new: Fraction) -> Plant:
    noise = None if x.noise is None else x.noise[0][0]
    return plant(**({**numbers(x), "noise": noise} | new))  # type: ignore[arg-type]


def written(rng: Rng, x: float) -> Fraction:
    """A number as users have them: a float64, or a short decimal."""
    return Fraction(float(x)) if rng.random() < 0.5 else Fraction(f"{x:.4g}")


def shortened(x: Fraction, digits: int = 70) -> Fraction:
    """x to so many digits: long numerators make long certificates."""
    place = 10 ** (digits - len(str(int(x))))
    return Fraction(round(x * place), place)


def power(rng: Rng, low: float, high: float) -> float:
    return 10.0 ** rng.uniform(low, high)


def base(rng: Rng, *, tasks: int | None = None, kind: str = "", shots: int = 0) -> Draw:
    """Tasks that one gain stabilises; η in units of their curvature, or of their domain."""
    k = tasks or int(rng.choice([1, 2, 2, 3, 4]))
    centre = rng.uniform(0.3, 1.5) * rng.choice([-1, 1])
    made = []
    for _ in range(k):
        b = rng.uniform(0.7, 1.5)
        a = b * centre + rng.uniform(-0.4, 0.4)
        made.append(plant(*(written(rng, x) for x in (a, b, *(power(rng, -1, 1) for _ in range(3))))))
    kind = kind or str(rng.choice(["gradient", "normalized"]))
    shots = shots or int(rng.choice([1, 1, 2, 3]))
    draw = Draw(tuple(made), (None,) * k, (Fraction(1),) * k, kind, Fraction(1), shots)
    return with_step(rng, draw)


def with_step(rng: Rng, draw: Draw) -> Draw:
    """η so large that the landscape is not that of the mean cost."""
    g = [f if g is None else g for f, g in zip(draw.f, draw.g, strict=True)]
    if draw.kind == "gradient":
        eta = power(rng, -1.7, 0.3) / max(curvature(x) for x in g) / draw.shots**0.5
    else:
        widths = [1 / abs(float(numbers(x)["b"])) for x in g if numbers(x)["b"]]
        eta = power(rng, -2.5, -0.5) * min(widths) / draw.shots
    return replace(draw, eta=written(rng, eta))


def curvature(x: Plant) -> float:
    """C'' where the loop is closed to √γ(a − bw) = 0, which is near the optimum."""
    a, b, q, r, s, y = (float(v) for v in numbers(x).values())
    if x.noise is not None:
        s += y / (1 - y) * float(x.noise[0][0])
    if b == 0:
        return 2 * s * r / (1 - y * a * a)
    return 2 * s * (r + y * b * b * (q + r * (a / b) ** 2))


def price(x: Plant, w: Fraction) -> Fraction:
    """q for which W* = w, from the quadratic equation of the optimum, linear in q."""
    v = numbers(x)
    a, b, r, y = v["a"], v["b"], v["r"], v["y"]
    return (y * a * b * r * w * w + r * (1 - y * a * a) * w) / (y * b * (a - b * w))


def aimed(rng: Rng, x: Plant, w: Fraction) -> Plant | None:
    """The plant with another q, so that w is its optimum exactly; None if that would need q < 0."""
    if numbers(x)["a"] == numbers(x)["b"] * w:
        return None
    q = price(x, w)
    return changed(x, q=q) if 0 < q < 10**12 else None


# --- the kinds -------------------------------------------------------------------------------


def plain(rng: Rng) -> Draw:
    return base(rng)


def magnitudes(rng: Rng) -> Draw:
    """All gains and all costs in other units, by up to 1e±12."""
    draw = base(rng)
    gain, cost, state = (Fraction(10) ** int(rng.integers(-12, 13)) for _ in range(3))
    made = []
    for x in draw.f:
        v = numbers(x)
        # w = gain·w': b → b/gain, r → r/gain² · …, all costs times `cost`, s times `state`.
        made.append(
            changed(x, b=v["b"] * gain, q=v["q"] * cost, r=v["r"] * cost * gain**2, s=v["s"] * state)
        )
    if any(
        not 2.0**-100 <= float(n) <= 2.0**100 for x in made for n in (numbers(x)["r"], numbers(x)["q"])
    ):
        made = [changed(x, b=numbers(x)["b"] * gain) for x in draw.f]
    return with_step(rng, replace(draw, f=tuple(made)))


def mirror_ties(rng: Rng) -> Draw:
    """Tasks and their mirror images (−a, b): h is even, and its minima are equal in pairs."""
    draw = base(rng, tasks=int(rng.integers(1, 3)))
    made = [changed(x, a=numbers(x)["b"] * written(rng, rng.uniform(0.1, 0.7))) for x in draw.f]
    f = (*made, *(changed(x, a=-numbers(x)["a"]) for x in made))
    weights = tuple(Fraction(int(w)) for w in rng.integers(1, 4, len(made))) * 2
    return with_step(rng, replace(draw, f=f, g=(None,) * len(f), weights=weights))


def copies(rng: Rng) -> Draw:
    """The same task several times, or proportional ones: several global minima of one value."""
    draw = base(rng, tasks=1)
    t = [written(rng, power(rng, -1, 1)) if rng.random() < 0.5 else Fraction(1) for _ in range(3)]
    x, v = draw.f[0], numbers(draw.f[0])
    f = tuple(changed(x, q=v["q"] * u, r=v["r"] * u) for u in t[: int(rng.integers(1, 4))])
    weights = tuple(Fraction(int(w)) for w in rng.integers(1, 4, len(f)))
    return with_step(rng, replace(draw, f=f, g=(None,) * len(f), weights=weights))


def tiny_weights(rng: Rng) -> Draw:
    draw = base(rng, tasks=int(rng.integers(2, 5)))
    small = [Fraction(f"{power(rng, -15, -12):.3g}") for _ in draw.f[1:]]
    if rng.random() < 0.2:
        small[0] = Fraction(f"{power(rng, -32, -27):.3g}")
    return replace(draw, weights=(Fraction(1), *small))


def marginal(rng: Rng) -> Draw:
    """a = ±1, or a hair beside it, now and then with q = 0 as well: the cost is finite at a rim."""
    draw = base(rng)
    sign = int(rng.choice([-1, 1]))
    made = []
    for x in draw.f:
        beside = Fraction(0) if rng.random() < 0.6 else Fraction(int(rng.choice([-1, 1])), 2**53)
        q = Fraction(0) if draw.kind == "gradient" and rng.random() < 0.2 else numbers(x)["q"]
        made.append(changed(x, a=sign * (1 + beside), b=abs(numbers(x)["b"]), q=q))
    return with_step(rng, replace(draw, f=tuple(made)))


def static(rng: Rng) -> Draw:
    """b = 0 in some tasks, whose costs are parabolas around W = 0."""
    draw = base(rng, tasks=int(rng.integers(2, 5)))
    a = [written(rng, rng.uniform(-0.9, 0.9)) for _ in draw.f]
    made = [draw.f[0], *(changed(x, a=y, b=Fraction(0)) for x, y in zip(draw.f[1:], a, strict=False))]
    if len(made) > 2 and rng.random() < 0.5:
        made[2] = draw.f[2]
    return with_step(rng, replace(draw, f=tuple(made)))


def two_costs(rng: Rng) -> Draw:
    """f ≠ g: other prices, another plant, another start."""
    draw = base(rng)
    g = []
    for x in draw.f:
        v = numbers(x)
        new = {name: written(rng, power(rng, -1.5, 1.5)) for name in "qrs"}
        if rng.random() < 0.5:
            new["a"] = v["a"] + written(rng, rng.uniform(-0.3, 0.3))
        g.append(changed(x, **new))
    return with_step(rng, replace(draw, g=tuple(g)))


def discounted(rng: Rng) -> Draw:
    draw = base(rng)
    y = [written(rng, rng.uniform(0.5, 0.999)) for _ in draw.f]
    return with_step(
        rng, replace(draw, f=tuple(changed(x, y=u) for x, u in zip(draw.f, y, strict=True)))
    )


def noisy(rng: Rng) -> Draw:
    draw = discounted(rng)
    made = [replace(x, noise=((written(rng, power(rng, -3, 1)),),)) for x in draw.f]
    if rng.random() < 0.3:
        made = [changed(x, s=Fraction(0)) for x in made]
    return with_step(rng, replace(draw, f=tuple(made)))


def many_shots(rng: Rng) -> Draw:
    return base(rng, tasks=int(rng.integers(1, 4)), shots=int(rng.integers(4, 7)))


def one_ulp(rng: Rng) -> Draw:
    """Tasks that differ by one float64 in one number: their optima are a float or less apart."""
    draw = base(rng, tasks=1)
    x, f = draw.f[0], [draw.f[0]]
    for _ in range(int(rng.integers(1, 3))):
        name = str(rng.choice(list("abqrs")))
        value = float(numbers(x)[name])
        f.append(changed(x, **{name: Fraction(float(np.nextafter(value, rng.choice([-9e9, 9e9]))))}))
    weights = tuple(Fraction(int(w)) for w in rng.integers(1, 4, len(f)))
    return replace(draw, f=tuple(f), g=(None,) * len(f), weights=weights)


def near_breaks(rng: Rng) -> Draw:
    """Two breaks W* + jη within one float interval, or the same exactly."""
    while True:
        draw = base(rng, tasks=2, kind="normalized", shots=int(rng.integers(1, 5)))
        x, y = draw.f
        v = numbers(x)
        place = v["a"] / v["b"] * Fraction(int(rng.integers(60, 100)), 100)
        x = aimed(rng, x, place)
        jump = int(rng.integers(0, draw.shots)) if draw.shots > 1 else 0
        apart = Fraction(int(rng.integers(-1, 2))) * Fraction(1, 10 ** int(rng.integers(14, 31)))
        y = aimed(rng, y, place + jump * draw.eta + apart)
        if x is not None and y is not None:
            if rng.random() < 0.4:
                return _level(rng, replace(draw, f=(x, y)), place)
            return replace(draw, f=(x, y))


def _level(rng: Rng, draw: Draw, place: Fraction) -> Draw:
    """Weights for which the two limits at the first break are equal but for 1e-15, or less."""
    jumps = [_cost(x, place + draw.eta) - _cost(x, place - draw.eta) for x in draw.f]
    if draw.shots > 1 or jumps[0] * jumps[1] >= 0:
        return draw
    beside = Fraction(int(rng.integers(-1, 2)), 10 ** int(rng.integers(14, 40)))
    return replace(draw, weights=(shortened(abs(jumps[1] / jumps[0]) * (1 + beside)), Fraction(1)))


def _cost(x: Plant, w: Fraction) -> Fraction:
    a, b, q, r, s, y = numbers(x).values()
    return s * (q + r * w * w) / (1 - y * (a - b * w) ** 2)


def flat_breaks(rng: Rng) -> Draw:
    """Weights for which h' vanishes beside a break but for 1e-15, or less."""
    while True:
        draw = base(rng, tasks=3, kind="normalized", shots=1)
        v = numbers(draw.f[0])
        place = v["a"] / v["b"] * Fraction(int(rng.integers(60, 100)), 100)
        first = aimed(rng, draw.f[0], place)
        if first is None:
            continue
        f = (first, *draw.f[1:])
        # Exact slopes to the right of the break, after each task's own step.
        slopes = []
        for x in f:
            up = x is not first and _slope(x, place) < 0
            slopes.append(_slope(x, place + draw.eta * (1 if up else -1)))
        low = [i for i in range(3) if slopes[i] < 0]
        high = [i for i in range(3) if slopes[i] > 0]
        if not low or not high or any(_room(x, place) <= 0 for x in f):
            continue
        weights = [Fraction(1)] * 3
        total = sum((slopes[i] for i in low), Fraction(0))
        weights[high[0]] = Fraction(0)
        rest = -total - sum((slopes[i] for i in high[1:]), Fraction(0))
        if rest <= 0:
            continue
        beside = Fraction(int(rng.integers(-1, 2)), 10 ** int(rng.integers(8, 40)))
        weights[high[0]] = shortened(rest / slopes[high[0]] * (1 + beside))
        return replace(draw, f=f, weights=tuple(weights))


def _room(x: Plant, w: Fraction) -> Fraction:
    a, b, _, _, _, y = numbers(x).values()
    return 1 - y * (a - b * w) ** 2


def _slope(x: Plant, w: Fraction) -> Fraction:
    a, b, q, r, s, y = numbers(x).values()
    D, D1 = 1 - y * (a - b * w) ** 2, 2 * y * b * (a - b * w)
    return s * (2 * r * w * D - (q + r * w * w) * D1) / (D * D)


def scales(rng: Rng) -> Draw:
    """Tasks whose costs and inputs are of very different size."""
    draw = base(rng, tasks=int(rng.integers(2, 4)))
    made = []
    for x in draw.f:
        v, cost, start = numbers(x), power(rng, -8, 8), power(rng, -8, 8)
        made.append(changed(x, q=v["q"] * written(rng, cost), s=v["s"] * written(rng, start)))
    weights = tuple(written(rng, power(rng, -8, 0)) for _ in made)
    return with_step(rng, replace(draw, f=tuple(made), weights=weights))


def tiny_domain(rng: Rng) -> Draw:
    """Two tasks whose stabilising sets overlap in a sliver."""
    draw = base(rng, tasks=2)
    x, y = draw.f
    v, u = numbers(x), numbers(y)
    sliver = Fraction(f"{power(rng, -14, -1):.3g}")
    # The right rim of x is (a + 1)/b; the left rim of y is put just below it.
    y = changed(y, a=u["b"] * ((v["a"] + 1) / v["b"] - sliver) + 1)
    draw = with_step(rng, replace(draw, f=(x, y)))
    small = Fraction(f"{power(rng, -3, 0):.3g}") * sliver
    small = small**4 if draw.kind == "gradient" and rng.random() < 0.7 else small
    return replace(draw, eta=max(small, Fraction(1, 10**29)) if rng.random() < 0.8 else draw.eta)


def hardly_feasible(rng: Rng) -> Draw:
    """A step so long that next to nothing, or nothing, is left of the domain."""
    draw = base(rng)
    return replace(draw, eta=draw.eta * Fraction(f"{power(rng, 0.2, 2.5):.3g}"))


def free_states(rng: Rng) -> Draw:
    """q = 0, with |a| beside 1: the optimum is W = 0, or the gain that mirrors the pole."""
    draw = base(rng)
    made = [changed(x, q=Fraction(0)) for x in draw.f]
    return with_step(rng, replace(draw, f=tuple(made)))


def degenerate(rng: Rng) -> Draw:
    """One task with rational W*, η = 1/C''(W*) exactly or nearly: three stationary points in one."""
    while True:
        draw = base(rng, tasks=1, kind="gradient", shots=int(rng.choice([1, 1, 2])))
        v = numbers(draw.f[0])
        place = v["a"] / v["b"] * Fraction(int(rng.integers(60, 100)), 100)
        x = aimed(rng, draw.f[0], place)
        if x is None:
            continue
        eta = 1 / _curvature(x, place)
        beside = Fraction(int(rng.integers(-1, 2)), 10 ** int(rng.integers(3, 17)))
        return replace(draw, f=(x,), eta=eta * (1 + beside))


def _curvature(x: Plant, w: Fraction) -> Fraction:
    """C'' at the optimum, where C' = 0: C''·D = N'' − C·D''."""
    _, b, _, r, s, y = numbers(x).values()
    return (2 * s * r + 2 * y * b * b * _cost(x, w)) / _room(x, w)


FOLDS = "folds"

KINDS: dict[str, Callable[[Rng], Draw]] = {
    function.__name__: function
    for function in (
        plain, magnitudes, mirror_ties, copies, tiny_weights, marginal, static, two_costs, discounted,
        noisy, many_shots, one_ulp, near_breaks, flat_breaks, scales, tiny_domain, hardly_feasible,
        free_states, degenerate,
    )
}  # fmt: skip
NAMES = (*KINDS, FOLDS)


def make(kind: str, seed: int) -> Hard:
    """The family of a kind that a seed stands for."""
    rng = np.random.default_rng([NAMES.index(kind), seed])
    epsilon = Fraction(0) if rng.random() < 0.7 else Fraction(f"{power(rng, -9, 1):.3g}")
    if kind != FOLDS:
        return Hard(kind, seed, KINDS[kind](rng).problem(), epsilon)
    while True:
        draw = base(rng, tasks=int(rng.integers(1, 4)), kind="gradient", shots=int(rng.integers(1, 3)))
        fold = folds.find(draw.problem())
        if fold is not None:
            beside = Fraction(int(rng.choice([-1, 1])), 10 ** int(rng.integers(3, 16)))
            problem = replace(draw, eta=fold.eta * (1 + beside)).problem()
            return Hard(kind, seed, problem, epsilon, (fold.w,))
