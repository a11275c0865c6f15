"""Numbers with derivatives along some directions, and small matrices of numbers.

Forward differentiation of a program: a `Jet` is x and its derivatives ẋ, and whatever is computed with
jets has the derivatives of its result. A matrix is a list of rows, of jets or of vectors.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benign.kernels.lanes import Flags, Vector

Scalars = list[list[Any]]
"""A matrix, entry by entry: of `Vector` or of `Jet`."""


@dataclass(frozen=True, eq=False)
class Jet:
    """x, and ẋ for each direction."""

    x: Vector
    d: tuple[Vector, ...]

    def _made(self, x: Vector, f: Callable[[Vector], Vector]) -> Jet:
        return Jet(x, tuple(map(f, self.d)))

    def __add__(self, y: Any) -> Jet:
        if isinstance(y, Jet):
            return Jet(self.x + y.x, tuple(a + b for a, b in zip(self.d, y.d, strict=True)))
        return Jet(self.x + y, self.d)

    def __sub__(self, y: Any) -> Jet:
        if isinstance(y, Jet):
            return Jet(self.x - y.x, tuple(a - b for a, b in zip(self.d, y.d, strict=True)))
        return Jet(self.x - y, self.d)

    def __rsub__(self, y: Any) -> Jet:
        return self._made(y - self.x, lambda a: -a)

    def __mul__(self, y: Any) -> Jet:
        if isinstance(y, Jet):
            pairs = zip(self.d, y.d, strict=True)
            return Jet(self.x * y.x, tuple(a * y.x + self.x * b for a, b in pairs))
        return self._made(self.x * y, lambda a: a * y)

    __radd__, __rmul__ = __add__, __mul__

    def __truediv__(self, y: Any) -> Jet:
        if isinstance(y, Jet):
            inverse = 1.0 / y.x
            q = self.x / y.x
            return Jet(q, tuple((a - q * b) * inverse for a, b in zip(self.d, y.d, strict=True)))
        return self._made(self.x / y, lambda a: a / y)

    def __rtruediv__(self, y: Any) -> Jet:
        q = y / self.x
        slope = q / self.x
        return self._made(q, lambda a: -(slope * a))

    def __neg__(self) -> Jet:
        return self._made(-self.x, lambda a: -a)

    def root(self) -> Jet:
        """The square root."""
        x = self.x.root()
        half = 0.5 / x
        return self._made(x, lambda a: half * a)


def bare(x: Vector | Jet) -> Vector:
    """Without its derivatives."""
    return x.x if isinstance(x, Jet) else x


def choose(flags: Flags, x: Any, y: Any) -> Any:
    """In each lane x where the flag is set, else y, which may be constants."""
    jets = [z for z in (x, y) if isinstance(z, Jet)]
    if not jets:
        return flags.choose(x, y)
    zeros = (0.0,) * len(jets[0].d)
    pairs = zip(*(z.d if isinstance(z, Jet) else zeros for z in (x, y)), strict=True)
    both = [bare(z) if isinstance(z, Jet) else z for z in (x, y)]
    return Jet(flags.choose(*both), tuple(flags.choose(a, b) for a, b in pairs))


# --- matrices ---------------------------------------------------------------------------------


def product(*factors: Scalars) -> Scalars:
    """The product of the matrices, from left to right."""
    X = factors[0]
    for Y in factors[1:]:
        X = [[dot(row, column) for column in zip(*Y, strict=True)] for row in X]
    return X


def dot(x: Any, y: Any) -> Any:
    """Σ x_i y_i."""
    terms = [a * b for a, b in zip(x, y, strict=True)]
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


def transpose(X: Scalars) -> Scalars:
    """X'."""
    return [list(column) for column in zip(*X, strict=True)]


def combine(f: Callable[..., Any], *matrices: Scalars) -> Scalars:
    """The function of corresponding entries."""
    return [
        [f(*entries) for entries in zip(*rows, strict=True)] for rows in zip(*matrices, strict=True)
    ]


def flat(X: Scalars) -> list[Any]:
    """The entries, row by row."""
    return [entry for row in X for entry in row]


def by_rows(entries: list[Any], columns: int) -> Scalars:
    """The matrix with these entries."""
    return [entries[i : i + columns] for i in range(0, len(entries), columns)]


def inner(X: Scalars, Y: Scalars) -> Any:
    """tr(X'Y)."""
    return dot(flat(X), flat(Y))
