"""Where the families of a study come from: each number is a function of (seed, cell) alone.

Tasks are drawn one after another: a family of k tasks is the first k of any larger one of its seed, and
the same directions serve every spread. What is varied along an axis is then all that differs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

from benign.errors import BenignError, ProblemError
from benign.studies.draws import normal, uniform
from benign.studies.tasks import FIELDS, Array, Families
from benign.text import quoted

Numbers = Mapping[str, Array]
"""Of each field that is a number: one for every family, (F,)."""


@dataclass(frozen=True)
class Base:
    """The plant that the tasks are variations of: A, Q, S0 (n, n), B (n, m), R (m, m)."""

    A: Array
    B: Array
    Q: Array
    R: Array
    S0: Array


@dataclass(frozen=True)
class Draw:
    """What a generator is asked for: F families of k tasks."""

    seed: int
    keys: Array
    k: int
    n: int
    m: int
    base: Base | None
    numbers: Numbers

    def column(self, name: str) -> Array:
        """A number of each family, to be broadcast over (F, k, ·, ·)."""
        return self.numbers[name][:, None, None, None]

    def uniform(self, shape: tuple[int, ...], first: int) -> Array:
        """(F, k, *shape), from −1 to 1."""
        u = uniform(self.seed, self.keys, self.k, int(np.prod(shape)), first)
        return 2 * u.reshape(len(self.keys), self.k, *shape) - 1

    def common(self, shape: tuple[int, ...], first: int) -> Array:
        """(F, 1, *shape), normal, the same for all tasks of a family."""
        x = normal(self.seed, self.keys, 1, int(np.prod(shape)), first)
        return x.reshape(len(self.keys), 1, *shape)

    def repeated(self, X: Array) -> Array:
        """(F, k, *shape of X)."""
        return np.broadcast_to(X, (len(self.keys), self.k, *X.shape[-2:])).copy()


@dataclass(frozen=True)
class Generator:
    """A kind of families.

    Attributes:
        name, summary: for messages and the docs.
        make: the families.
        numbers: its fields that are numbers, with what they are by default; each can be an axis.
        needs_base: whether its tasks are variations of a plant; else n and m are settings.
        check: says what is wrong with the numbers; empty if nothing is.
    """

    name: str
    summary: str
    make: Callable[[Draw], Families]
    numbers: dict[str, float]
    needs_base: bool = True
    check: Callable[[dict[str, Any]], str] = field(default=lambda _: "")


# Where the numbers of each matrix begin among those of a task (`draws.MOST` of them).
_AT = {"A": 0, "B": 1024, "Q": 2048, "R": 2304, "S0": 2560, "size": 2816, "turn": 3072}


def _spread(draw: Draw, base: Base, parts: str) -> Families:
    """X(1 + δu) entry by entry for A and B; D X D, D² = diag(1 + δu), for Q and R."""
    made = {}
    for name in FIELDS:
        X = draw.repeated(getattr(base, name))
        if name in ("A", "B") and name in parts:
            X = X * (1 + draw.column("spread") * draw.uniform(X.shape[-2:], _AT[name]))
        elif name in ("Q", "R") and name in parts:
            u = draw.uniform((X.shape[-1],), _AT[name])
            d = np.sqrt(1 + draw.numbers["spread"][:, None, None] * u)
            X = d[..., :, None] * X * d[..., None, :]
        made[name] = X
    return Families(**made)


def _perturbed(draw: Draw) -> Families:
    assert draw.base is not None
    return _spread(draw, draw.base, "ABQR")


def _scaled(draw: Draw) -> Families:
    assert draw.base is not None
    plain = Families(*(draw.repeated(getattr(draw.base, name)) for name in FIELDS))
    u = draw.uniform((1,), _AT["size"])[:, :, 0]
    return plain.scaled((1 + draw.numbers["spread"][:, None]) ** u)


def _random_costs(draw: Draw) -> Families:
    assert draw.base is not None
    made = {name: draw.repeated(getattr(draw.base, name)) for name in ("A", "B", "S0")}
    low, high = draw.numbers["low"][:, None, None], draw.numbers["high"][:, None, None]
    for name in ("Q", "R"):
        size = getattr(draw.base, name).shape[-1]
        values = low + (high - low) * (draw.uniform((size,), _AT[name]) + 1) / 2
        made[name] = _turned(values, draw, _AT["turn"] + (0 if name == "Q" else 512))
    return Families(**made)


def _turned(values: Array, draw: Draw, first: int) -> Array:
    """U diag(values) U', U a random rotation of each task."""
    size = values.shape[-1]
    if size == 1:
        return values[..., None]
    G = normal(draw.seed, draw.keys, draw.k, size * size, first)
    U = np.linalg.qr(G.reshape(len(draw.keys), draw.k, size, size))[0]
    X = (U * values[..., None, :]) @ np.swapaxes(U, -1, -2)
    return (X + np.swapaxes(X, -1, -2)) / 2


def _random_systems(draw: Draw) -> Families:
    """A normal and scaled to a spectral radius of its own, B normal, Q = R = S0 = I; then spread."""
    n, m = draw.n, draw.m
    A = draw.common((n, n), _AT["turn"])
    radius = np.abs(np.linalg.eigvals(A)).max(axis=-1)[..., None, None]
    u = uniform(draw.seed, draw.keys, 1, 1, _AT["size"])[..., None]
    low, high = draw.column("radius_low"), draw.column("radius_high")
    A = A * ((low + (high - low) * u) / radius)
    B = draw.common((n, m), _AT["turn"] + 512) / np.sqrt(n)
    base = Base(A, B, np.eye(n), np.eye(m), np.eye(n))
    return _spread(draw, base, "ABQR")


def _spread_is_small(numbers: dict[str, Any]) -> str:
    return "" if 0 <= numbers["spread"] < 1 else "spread: must be from 0 to below 1"


def _scale_is_one(numbers: dict[str, Any]) -> str:
    return "" if numbers["spread"] >= 0 else "spread: must not be negative"


def _costs_are_positive(numbers: dict[str, Any]) -> str:
    return "" if 0 < numbers["low"] <= numbers["high"] else "low, high: 0 < low ≤ high is needed"


def _radius_is_one(numbers: dict[str, Any]) -> str:
    if not 0 < numbers["radius_low"] <= numbers["radius_high"]:
        return "radius_low, radius_high: 0 < radius_low ≤ radius_high is needed"
    return _spread_is_small(numbers)


GENERATORS = {
    one.name: one
    for one in (
        Generator(
            "perturbed",
            "one plant, every entry of A, B, Q, R of each task off by a share of up to `spread`",
            _perturbed,
            {"spread": 0.1},
            check=_spread_is_small,
        ),
        Generator(
            "scaled-costs",
            "one plant, the cost of each task times (1 + spread)^u, u uniform in [−1, 1]",
            _scaled,
            {"spread": 1.0},
            check=_scale_is_one,
        ),
        Generator(
            "random-costs",
            "common A, B, S0; the eigenvalues of Q and R uniform in [low, high], turned at random",
            _random_costs,
            {"low": 1.0, "high": 5.0},
            check=_costs_are_positive,
        ),
        Generator(
            "random-systems",
            "a random plant a family, of a spectral radius uniform in [radius_low, radius_high], and "
            "spread as `perturbed`",
            _random_systems,
            {"spread": 0.1, "radius_low": 0.5, "radius_high": 1.1},
            needs_base=False,
            check=_radius_is_one,
        ),
    )
}
"""The generators, by name."""


@cache
def base_of(name: str) -> Base:
    """The first task of a bundled family, or a plant of `benign.tasks.plants`, in float64.

    Raises:
        ProblemError: there is none of that name.
    """
    from benign.tasks.files import bundled_names, bundled_path, load
    from benign.tasks.plants import prepare, record

    if name in bundled_names():
        plant = load(bundled_path(name)).family.tasks[0].f
    else:
        try:
            plant = prepare(record(name)).plant
        except BenignError as error:
            raise ProblemError(
                f"generator: plant: {quoted(name)} is neither a bundled family nor a bundled plant; "
                "`benign examples` and docs/plants.md list those"
            ) from error
    return Base(*(np.array(getattr(plant, key), dtype=float) for key in FIELDS))
