"""Models in memory, and functions on them: a box needs more of them than registers hold.

A stored model is its coefficients and its error, one vector after another. Every operation is a
function of addresses, compiled once for a number of variables and a degree; a kernel is a list of
calls.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benign.floats.compiled import models as rules
from benign.floats.compiled.models import Model
from benign.floats.taylor import Basis, basis
from benign.kernels.lanes import Code, Place, Vector


@dataclass(frozen=True)
class Stored:
    """A model in memory."""

    place: Place
    basis: Basis

    def load(self) -> Model:
        """The model in registers, where code is being written."""
        size = self.basis.size
        return Model(self.basis, [self.place.load(i) for i in range(size)], self.place.load(size))

    def store(self, model: Model) -> None:
        """Put a model there."""
        for i, x in enumerate(model.c):
            self.place.store(x, i)
        self.place.store(model.e, self.basis.size)


@dataclass(frozen=True)
class Powers:
    """All powers of p models, one after another: each a model and then its Σ|c|."""

    place: Place
    basis: Basis

    def __getitem__(self, index: int) -> Stored:
        return Stored(self.place + index * (self.basis.size + 2), self.basis)


class Writer:
    """Where instructions go, and the memory that models are put into.

    Args:
        code: the kernel.
        room: memory; how much is used, in vectors, is in `most` when all is written.
        p: variables.
    """

    def __init__(self, code: Code, room: Place, p: int) -> None:
        self.code, self.p, self._room = code, p, room
        self._next, self.most = 0, 0

    def vectors(self, count: int) -> Place:
        """Memory for so many vectors."""
        place = self._room + self._next
        self._next += count
        self.most = max(self.most, self._next)
        return place

    def new(self, degree: int) -> Stored:
        """Memory for a model."""
        B = basis(self.p, degree)
        return Stored(self.vectors(B.size + 1), B)

    @property
    def mark(self) -> int:
        """What is in use now, for `release`."""
        return self._next

    def release(self, mark: int) -> None:
        """Use again what was taken since."""
        self._next = mark

    def put(self, model: Model) -> Stored:
        """Store a model."""
        stored = self.new(model.basis.degree)
        stored.store(model)
        return stored

    def stored(self, vectors: Sequence[Vector]) -> Place:
        """Store numbers."""
        place = self.vectors(len(vectors))
        for i, x in enumerate(vectors):
            place.store(x, i)
        return place

    def apart(
        self,
        name: str,
        degree: int,
        rule: Callable[..., Model],
        *given: Stored | Place,
        into: Stored | None = None,
    ) -> Stored:
        """A model that a function makes of others: `rule` writes it, from models and addresses.

        Args:
            name: what the rule is called, with all that it is written for but basis and degree.
            degree: of what it makes.
            into: where it goes; new memory if it is None. It may be one of those given.
        """
        to = self.new(degree) if into is None else into
        bases = [x.basis if isinstance(x, Stored) else None for x in given]

        def write(code: Code, place: Place, *places: Place) -> None:
            arguments = [
                at if B is None else Stored(at, B).load() for at, B in zip(places, bases, strict=True)
            ]
            Stored(place, to.basis).store(rule(*arguments))

        degrees = "".join("x" if B is None else str(B.degree) for B in bases)
        places = [x.place if isinstance(x, Stored) else x for x in given]
        self.code.call(f"{name}_{self.p}_{degree}_{degrees}", write, to.place, *places)
        return to

    # --- rules -------------------------------------------------------------------------------

    def add(self, a: Stored, b: Stored) -> Stored:
        """a + b."""
        return self.apart("add", a.basis.degree, lambda x, y: x + y, a, b)

    def subtract(self, a: Stored, b: Stored, *, into: Stored | None = None) -> Stored:
        """a − b."""
        return self.apart("subtract", a.basis.degree, lambda x, y: x - y, a, b, into=into)

    def multiply(self, a: Stored, b: Stored, *, into: Stored | None = None) -> Stored:
        """a b."""
        return self.apart("multiply", a.basis.degree, lambda x, y: x * y, a, b, into=into)

    def less(self, a: Stored, b: Stored, c: Stored, *, into: Stored | None = None) -> Stored:
        """a − b c."""
        to = self.new(a.basis.degree) if into is None else into
        mark = self.mark
        product = self.multiply(b, c)
        self.subtract(a, product, into=to)
        self.release(mark)
        return to

    def dot(self, left: Sequence[Stored], right: Sequence[Stored]) -> Stored:
        """Σ left·right."""
        degree = left[0].basis.degree
        to = self.new(degree)
        mark = self.mark
        products = [self.multiply(a, b) for a, b in zip(left, right, strict=True)]
        name = f"total{len(products)}"
        self.apart(name, degree, lambda *given: rules.total(given), *products, into=to)
        self.release(mark)
        return to

    def combine(self, models: Sequence[Stored], weights: Place, error: float = 0.0) -> Stored:
        """Σ w_i f_i; the weights are numbers in memory, one after another, the same for all boxes."""

        def rule(weights: Place, *given: Model) -> Model:
            return rules.combine(given, [weights.number(i) for i in range(len(given))], error)

        name = f"combine{len(models)}" + ("_inexact" if error else "")
        return self.apart(name, models[0].basis.degree, rule, weights, *models)

    def inverse(self, d: Stored) -> Stored:
        """1/d."""
        return self.apart("inverse", d.basis.degree, rules.inverse, d)

    def truncated(self, f: Stored, degree: int, *, into: Stored | None = None) -> Stored:
        """The same with a lower degree."""
        if degree >= f.basis.degree:
            return f
        return self.apart("truncate", degree, lambda x: x.truncated(degree), f, into=into)

    def powers(self, z: Sequence[Stored]) -> Powers:
        """All zᵏ, |k| ≤ degree."""
        found = self._powers(z[0].basis)
        B = found.basis
        self.constant(1.0, B.degree, into=found[0])
        where = {tuple(k): i for i, k in enumerate(B.exponents.tolist())}
        for i, k in enumerate(B.exponents.tolist()[1:], 1):
            axis = next(i for i, power in enumerate(k) if power)
            lower = where[(*k[:axis], k[axis] - 1, *k[axis + 1 :])]
            self.multiply(found[lower], z[axis], into=found[i])
        self._sized(found)
        return found

    def truncated_powers(self, powers: Powers, degree: int) -> Powers:
        """Those up to a lower degree, as models of that degree."""
        found = self._powers(basis(self.p, degree))
        for i in range(found.basis.size):
            self.truncated(powers[i], degree, into=found[i])
        self._sized(found)
        return found

    def _powers(self, B: Basis) -> Powers:
        return Powers(self.vectors(B.size * (B.size + 2)), B)

    def _sized(self, powers: Powers) -> None:
        """Put Σ|c| behind each."""
        B = powers.basis

        def write(code: Code, place: Place) -> None:
            with code.loop(B.size) as k:
                at = place + k * (B.size + 2)
                at.store(rules.size_of(Stored(at, B).load().c), B.size + 1)

        self.code.call(f"sized_{B.p}_{B.degree}", write, powers.place)

    def substitute(self, f: Stored, powers: Powers) -> Stored:
        """f(z), from all powers of z."""
        to, B = self.new(f.basis.degree), f.basis

        def write(code: Code, to: Place, f: Place, powers: Place) -> None:
            Stored(to, B).store(rules.substitute(code, f, powers, B))

        self.code.call(f"substitute_{B.p}_{B.degree}", write, to.place, f.place, powers.place)
        return to

    def bounds(self, f: Stored) -> tuple[Vector, Vector]:
        """Lower and upper bounds over the cube."""
        to = self.vectors(2)

        def write(code: Code, to: Place, place: Place) -> None:
            low, high = Stored(place, f.basis).load().bounds()
            to.store(low, 0)
            to.store(high, 1)

        self.code.call(f"bounds_{self.p}_{f.basis.degree}", write, to, f.place)
        return to.load(0), to.load(1)

    def constant(
        self,
        x: Vector | float,
        degree: int,
        error: Vector | float = 0.0,
        *,
        into: Stored | None = None,
    ) -> Stored:
        """A constant with its error."""
        zero, code = self.code.fill(0.0), self.code
        x, error = (y if isinstance(y, Vector) else code.fill(y) for y in (x, error))
        B = basis(self.p, degree)
        stored = self.new(degree) if into is None else into
        stored.store(Model(B, [x, *[zero] * (B.size - 1)], error))
        return stored
