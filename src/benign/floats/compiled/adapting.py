"""Adapted gains and their derivatives for one task, in compiled code: see `benign.floats.boxes`.

J = (I − G g''(z))M,   K_i,jl = −Σ_a G_ia g'''_abc M_bj M_cl,   for further shots
J⁺ = J − G g''(F)J,   K⁺ = K − G(g''(F)K + g'''(F)[J, J]).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benign.floats import taylor
from benign.floats.boxes import DEGREE, HESSIAN_DEGREE
from benign.floats.compiled import models as rules
from benign.floats.compiled.costs import Along, OnBox, Task
from benign.floats.compiled.models import Model
from benign.floats.compiled.stabilising import beyond
from benign.floats.compiled.storing import Stored, Writer
from benign.floats.taylor import basis
from benign.kernels.lanes import Code, Flags, Place, Vector

Row = list[Stored]


@dataclass(frozen=True)
class Adapted:
    """What one task makes of a box.

    Attributes:
        f: the cost of the evaluation along the adapted gains.
        along: whether every gain before the last is shown to stabilise.
        J, K: the derivatives of F by y, J[i][j] and K[i][pair].
    """

    f: Along
    along: Flags
    J: list[Row]
    K: list[Row]


def start(task: Task, y0: Place, r: Place) -> OnBox:
    """g along a box."""
    w, p, B = task.w, task.shape.p, basis(task.shape.p, DEGREE)
    zero, y = w.code.fill(0.0), []
    for i in range(p):
        c = [zero] * B.size
        c[0], c[1 + i] = y0.load(i), r.load(i)  # degree one comes in the order of the axes
        y.append(w.put(Model(B, c, zero)))
    if task.shape.moved[1]:
        y = _points(task, "to g", y)
    return OnBox(task, y, y0, r)


def adapt(task: Task, at: Along, order: int) -> Adapted:
    """All shots, with derivatives of F by y up to an order."""
    w, shape = task.w, task.shape
    p, pairs = shape.p, _pairs(shape.p)
    along = at.signs()[0]
    J: list[Row] = _directions(task) if order else []
    K: list[Row] = []
    for shot in range(shape.shots):
        if shot:
            at = Along(task, "g", _minus(w, at.F, _step(task, at.first())))
            along = along & at.signs()[0]
        if order > 1:
            low = at.truncated(HESSIAN_DEGREE)
            K = _curvature(task, low, [[w.truncated(x, HESSIAN_DEGREE) for x in row] for row in J], K)
        if order:
            second = at.second()
            bent = _contract(w, second, J) if shot else [_turned(task, row) for row in second]
            stepped = [_step(task, [row[j] for row in bent]) for j in range(p)]
            J = [[w.subtract(J[i][j], stepped[j][i]) for j in range(p)] for i in range(p)]
    F = _minus(w, at.F, _step(task, at.first()))
    if shape.moved[0]:
        F = _points(task, "to f", F)
        J = _columns(task, J, p)
        K = _columns(task, K, len(pairs))
    return Adapted(Along(task, "f", F), along, J, K)


def thrown_out(task: Task, at: OnBox) -> Flags:
    """Whether the first shot leads from each gain of a box that stabilises g to one that cannot."""
    w, shape = task.w, task.shape
    p = shape.p
    square = w.multiply(at.d, at.d)
    step = _step(task, at.cleared())
    top = [w.subtract(w.multiply(F, square), s) for F, s in zip(at.F, step, strict=True)]
    name = "g" if shape.shots > 1 else "f"
    if name == "f" and shape.moved[0]:
        turned = _linear(task, "to f", top)
        numbers = task["to f"].numbers_on(2 * p * p)
        top = [_shifted(w, turned[i], square, numbers.numbers_on(i)) for i in range(p)]
    faces = shape.faces["gf".index(name)]
    to = w.vectors(1)
    B = square.basis

    def write(code: Code, to: Place, numbers: Place, *places: Place) -> None:
        models = [Stored(at, B).load() for at in places]
        to.store(beyond(numbers, faces, models[:-1], models[-1]).choose(1.0, 0.0))

    every = [*top, square]
    w.code.call(f"beyond_{p}_{faces}", write, to, task[f"{name} faces"], *(x.place for x in every))
    return to.load() > 0.5


def gradient(w: Writer, J: list[Row], slopes: Row) -> Row:
    """J'∇f."""
    return [w.dot([row[j] for row in J], slopes) for j in range(len(J))]


def hessian(w: Writer, at: Adapted) -> Row:
    """J'∇²f J + Σ_i ∂_if K_i on the pairs."""
    low = at.f.truncated(HESSIAN_DEGREE)
    J = [[w.truncated(x, HESSIAN_DEGREE) for x in row] for row in at.J]
    half, first, found = _contract(w, low.second(), J), low.first(), []
    for a, (j, l) in enumerate(_pairs(w.p)):
        curved = w.dot([row[j] for row in J], [row[l] for row in half])
        bent = w.dot([row[a] for row in at.K], first)
        found.append(w.add(curved, bent))
    return found


# --- parts -----------------------------------------------------------------------------------


def _pairs(p: int) -> list[tuple[int, int]]:
    return [(j, l) for j in range(p) for l in range(j, p)]


def _minus(w: Writer, left: Sequence[Stored], right: Sequence[Stored]) -> Row:
    return [w.subtract(a, b) for a, b in zip(left, right, strict=True)]


def _step(task: Task, models: Sequence[Stored]) -> Row:
    """Σ_j G_ij M_j."""
    p, G = task.shape.p, task["G"]
    return [task.w.combine(models, G.numbers_on(i * p), taylor.UNIT) for i in range(p)]


def _contract(w: Writer, M: list[Row], J: list[Row]) -> list[Row]:
    """Σ_l M_il J_lj."""
    columns = range(len(J[0]))
    return [[w.dot(row, [line[j] for line in J]) for j in columns] for row in M]


def _turned(task: Task, row: Row) -> Row:
    """Σ_l row_l M_lj, M the numbers of the task: what `_contract` gives for M as constants."""
    return [_weighed(task, j, row) for j in range(task.shape.p)]


def _weighed(task: Task, j: int, models: Row) -> Stored:
    """Σ_l M_lj f_l."""
    p = task.shape.p

    def rule(column: Place, *given: Model) -> Model:
        found = rules.combine(given, [column.number(l * p) for l in range(p)])
        rads = [column.number(p * p + l * p) for l in range(p)]
        error = rules.added([rad * f.reach() for rad, f in zip(rads, given, strict=True)])
        return Model(found.basis, found.c, (found.e + error) * taylor.GROWN)

    column = task["to g"].numbers_on(j)
    return task.w.apart("weighed", models[0].basis.degree, rule, column, *models)


def _directions(task: Task) -> list[Row]:
    """∂z/∂y = M as constants."""
    p, M = task.shape.p, task["to g"]
    return [
        [task.w.constant(M.number(i * p + j), DEGREE, M.number(p * p + i * p + j)) for j in range(p)]
        for i in range(p)
    ]


def _curvature(task: Task, at: Along, J: list[Row], K: list[Row]) -> list[Row]:
    """K − G(g''K + g'''[J, J]) on the pairs, J and K those before the shot; K = 0 at first."""
    w, p, pairs = task.w, task.shape.p, _pairs(task.shape.p)
    # T_ia,l = Σ_b g'''_iab J_bl, symmetric in i and a; then Σ_a J_aj T_ia,l. At first J = M.
    T: dict[tuple[int, int], Row] = {}
    for i, a in pairs:
        row = [at.third(i, a, b) for b in range(p)]
        T[i, a] = T[a, i] = _contract(w, [row], J)[0] if K else _turned(task, row)
    turned = [
        [
            w.dot([row[j] for row in J], column) if K else _weighed(task, j, column)
            for j, l in pairs
            for column in [[T[i, a][l] for a in range(p)]]
        ]
        for i in range(p)
    ]
    if K:
        bent = _contract(w, at.second(), K)
        turned = [
            [w.add(x, y) for x, y in zip(*rows, strict=True)] for rows in zip(bent, turned, strict=True)
        ]
    columns = [_step(task, [row[a] for row in turned]) for a in range(len(pairs))]
    if K:
        return [[w.subtract(K[i][a], columns[a][i]) for a in range(len(pairs))] for i in range(p)]
    return [[_negative(w, columns[a][i]) for a in range(len(pairs))] for i in range(p)]


def _negative(w: Writer, f: Stored) -> Stored:
    return w.apart(
        "negative", f.basis.degree, lambda x: Model(x.basis, [-y for y in x.c], x.e), f, into=f
    )


def _columns(task: Task, rows: list[Row], count: int) -> list[Row]:
    """M times each column."""
    if not rows:
        return rows
    columns = [_linear(task, "to f", [row[j] for row in rows]) for j in range(count)]
    return [[column[i] for column in columns] for i in range(len(rows))]


def _linear(task: Task, name: str, models: Sequence[Stored]) -> Row:
    """M times models."""
    p, numbers = task.shape.p, task[name]

    def rule(row: Place, *given: Model) -> Model:
        turned = rules.combine(given, [row.number(j) for j in range(p)])
        error = rules.added([row.number(p * p + j) * f.reach() for j, f in enumerate(given)])
        return Model(turned.basis, turned.c, (turned.e + error) * taylor.GROWN)

    degree = models[0].basis.degree
    return [task.w.apart("linear", degree, rule, numbers.numbers_on(i * p), *models) for i in range(p)]


def _points(task: Task, name: str, models: Sequence[Stored]) -> Row:
    """M times models plus s."""
    w, p = task.w, task.shape.p

    def rule(shift: Place, f: Model) -> Model:
        first = f.c[0] + shift.number()
        e = (f.e + shift.number(p) + 2.0 * taylor.UNIT * abs(first)) * taylor.GROWN
        return Model(f.basis, [first, *f.c[1:]], e)

    numbers = task[name].numbers_on(2 * p * p)
    return [
        w.apart("moved", f.basis.degree, rule, numbers.numbers_on(i), f, into=f)
        for i, f in enumerate(_linear(task, name, models))
    ]


def _shifted(w: Writer, turned: Stored, bottom: Stored, shift: Place) -> Stored:
    """M top + s bottom."""
    p = w.p

    def rule(shift: Place, turned: Model, bottom: Model) -> Model:
        mid, rad = shift.number(), shift.number(p)
        reach = rules.size_of(bottom.c) + bottom.e
        e = bottom.e * abs(mid) + (taylor.UNIT * abs(mid) + rad) * reach
        c = [x * mid for x in bottom.c]
        return turned + Model(bottom.basis, c, e * taylor.GROWN)

    return w.apart("scaled", turned.basis.degree, rule, shift, turned, bottom)


def chosen(w: Writer, flags: Flags, yes: Stored, no: Stored) -> Stored:
    """The one or the other, lane by lane."""
    bits: Vector = flags.choose(1.0, 0.0)
    at = w.stored([bits])

    def rule(at: Place, x: Model, y: Model) -> Model:
        mask = at.load() > 0.5
        c = [mask.choose(a, b) for a, b in zip(x.c, y.c, strict=True)]
        return Model(x.basis, c, mask.choose(x.e, y.e))

    return w.apart("chosen", yes.basis.degree, rule, at, yes, no)
