"""The rules of compiled Taylor models as functions of arrays, with the names of `benign.floats.taylor`.

Every call compiles its rule anew, so that a test sees what was changed in it.
"""

from __future__ import annotations

import ctypes
from itertools import count

import numpy as np
from llvmlite import ir

from benign.floats.compiled import models as rules
from benign.floats.compiled import shifting
from benign.floats.compiled.storing import Stored, Writer
from benign.floats.taylor import Model, basis
from benign.kernels import machine
from benign.kernels.lanes import LANES, POINTER, VOID, Code

_number = count()


def run(write, given: list[np.ndarray], results: int) -> np.ndarray:
    """(results, N): what `write(code, inputs, out)` makes of the rows (N,) of each array given."""
    name = f"test_{next(_number)}_{id(write)}"
    columns = np.concatenate([np.asarray(x, float).reshape(-1, x.shape[-1]) for x in given])
    N = columns.shape[1]
    groups = -(-N // LANES)
    padded = np.concatenate([columns, np.repeat(columns[:, :1], groups * LANES - N, axis=1)], axis=1)
    blocks = np.ascontiguousarray(padded.reshape(-1, groups, LANES).swapaxes(0, 1))
    out, room = np.full((groups, results, LANES), np.nan), np.empty(1 << 16)
    sizes = np.cumsum([0, *(len(x.reshape(-1, x.shape[-1])) for x in given)]).tolist()

    def whole(module: ir.Module) -> None:
        code = Code(ir.Function(module, ir.FunctionType(VOID, [POINTER] * 3), name))
        source, to, memory = code.given
        with code.loop(groups) as g:
            at = source + g * len(columns)
            write(Writer(code, memory, P[0]), [at + size for size in sizes[:-1]], to + g * results)
        code.builder.ret_void()

    function = machine.function(name, whole, (ctypes.c_void_p,) * 3)
    function(blocks.ctypes.data, out.ctypes.data, room.ctypes.data)
    return out.swapaxes(0, 1).reshape(results, -1)[:, :N]


P = [0]
"""Variables of the models at hand."""


def flat(f: Model) -> np.ndarray:
    """Coefficients and errors, (monomials + 1, N), for a batch of one axis."""
    return np.concatenate([f.c, f.e[None]])


def apply(rule, *given: Model | np.ndarray, degree: int | None = None) -> Model:
    """A rule of models and vectors in registers, over a batch of one axis."""
    first = next(x for x in given if isinstance(x, Model))
    B = first.basis if degree is None else basis(first.basis.p, degree)
    P[0] = B.p

    def write(w, places, out):
        arguments = [
            Stored(at, x.basis).load() if isinstance(x, Model) else at.load()
            for at, x in zip(places, given, strict=True)
        ]
        Stored(out, B).store(rule(*arguments))

    arrays = [flat(x) if isinstance(x, Model) else np.asarray(x, float)[None] for x in given]
    found = run(write, arrays, B.size + 1)
    return Model(B, found[:-1], found[-1])


def bounds(f: Model) -> tuple[np.ndarray, np.ndarray]:
    P[0] = f.basis.p

    def write(w, places, out):
        for i, x in enumerate(Stored(places[0], f.basis).load().bounds()):
            out.store(x, i)

    low, high = run(write, [flat(f)], 2)
    return low, high


def add(f: Model, g: Model) -> Model:
    return apply(lambda x, y: x + y, f, g)


def subtract(f: Model, g: Model) -> Model:
    return apply(lambda x, y: x - y, f, g)


def multiply(f: Model, g: Model) -> Model:
    return apply(lambda x, y: x * y, f, g)


def combine(models: Model, weights: np.ndarray) -> Model:
    """(terms, N) models and weights."""
    terms = len(weights)
    wide = [np.broadcast_to(w, models.e.shape[1:]) for w in weights]
    parts = [models[i] for i in range(terms)]
    return apply(lambda *x: rules.combine(x[:terms], x[terms:]), *parts, *wide)


def total(models: Model, axis: int) -> Model:
    assert axis == 0
    return apply(lambda *x: rules.total(x), *(models[i] for i in range(len(models.e))))


def times(f: Model, factor: float, error: float) -> Model:
    wide = np.full(f.e.shape, factor)
    return apply(lambda x, y: x.times(y, error), f, wide)


def truncated(f: Model, degree: int) -> Model:
    return apply(lambda x: x.truncated(degree), f, degree=degree)


def padded(f: Model, degree: int) -> Model:
    return apply(lambda x: x.padded(degree), f, degree=degree)


def inverse(d: Model) -> Model:
    return apply(rules.inverse, d)


def composed(f: Model, z: Model) -> Model:
    """f_q(z) for f (q, N) and z (p, N) without constant terms."""
    B = z.basis
    P[0] = B.p
    found = []
    for q in range(len(f.e)):

        def write(w, places, out, size=B.size):
            inner = [Stored(at, B) for at in places[1:]]
            stored = w.substitute(Stored(places[0], B), w.powers(inner))
            Stored(out, B).store(stored.load())

        made = run(write, [flat(f[q]), *(flat(z[i]) for i in range(B.p))], B.size + 1)
        found.append(made)
    every = np.array(found)
    return Model(B, every[:, :-1].swapaxes(0, 1), every[:, -1])


def derivative(p: int, degree: int, c: np.ndarray, error: np.ndarray, order, target: int) -> Model:
    source = Model(basis(p, degree), c, error)
    return apply(lambda f: rules.derivative(f.basis, f.c, f.e, order, target), source, degree=target)


def shifted(polynomial, y0: np.ndarray, r: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`Polynomials.shifted` of one task; y₀ and r (p, N)."""
    B = polynomial.basis
    P[0] = B.p
    parts = (polynomial.c, polynomial.rest, polynomial.spread)
    row = np.concatenate([x[:, 0, 0] for x in parts])
    numbers = np.repeat(row[:, None], y0.shape[1], axis=1)

    def write(w, places, out):
        # One number a lane is asked for as one number for all of them: put them side by side.
        inner = [[at.load(i) for i in range(B.p)] for at in places[1:]]
        shifting.shifted(B, out, _Row(places[0]), *inner)

    found = run(write, [numbers, y0, r], B.size + B.degree + 1)
    return found[: B.size], found[B.size :]


class _Row:
    """Numbers of a task that stand in every lane of vectors."""

    def __init__(self, place) -> None:
        self.place = place

    def number(self, index: int = 0):
        return self.place.load(index)
