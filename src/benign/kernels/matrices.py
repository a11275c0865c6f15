"""Matrices of vectors in memory: products in tiles of registers, and Lyapunov equations by doubling.

    X = Σ Lᵏ S L'ᵏ   by   X ← X + L^(2^j) X L'^(2^j),   L^(2^(j+1)) = (L^(2^j))²,

the powers kept, since all equations of one loop share them. Whether ρ(L) < 1 they tell as well: see
`linalg.is_stable`. A norm is asked of a loop in balanced units (`linalg.balance`): in those of its
task, and, if they leave a doubt, in units of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from benign.kernels.lanes import ALL, Cell, Code, Int, Place, Value, Vector, wide

SET, ADD, SUBTRACT = "set", "add", "sub"

MOST_POWERS, MAX_SQUARINGS = 100, 50
"""What has not begun to decay after fifty squarings counts as unstable."""

DIVERGED, DECAYED, EPSILON = 1e200, 1e-9, 2.0**-52
"""Of squared norms; see `linalg.powers`."""

ROWS, COLUMNS = (4, 4) if wide() else (2, 4)
"""A tile of sums fills the registers: 32 of them, or 16."""

WRITTEN_OUT = 128
"""A product of no more multiplications is written out; a larger one is a few loops."""

COUPLING = 2.0**-40
"""The square of a coupling so weak that it does not count in the choice of units."""

SWEEPS = 8
"""Passes over the states that choose units."""


@dataclass(frozen=True)
class Matrix:
    """rows × columns at a place: entry (i, j) is number i · row + j · column from there.

    Attributes:
        same: whether entries are numbers, the same in all lanes, rather than vectors.
    """

    place: Place
    rows: int
    columns: int
    row: int
    column: int = 1
    same: bool = False

    @property
    def T(self) -> Matrix:
        """The transpose, which is another way to read it."""
        return replace(self, rows=self.columns, columns=self.rows, row=self.column, column=self.row)

    def entry(self, i: Int | int, j: Int | int) -> Vector:
        """In every lane its own."""
        index = i * self.row + j * self.column
        return self.place.number(index) if self.same else self.place.load(index)

    def store(self, i: Int | int, j: Int | int, x: Vector | float) -> None:
        """Change an entry."""
        self.place.store(x, i * self.row + j * self.column)

    @property
    def shape(self) -> str:
        """What a product of it is compiled for."""
        return f"{self.rows}x{self.columns}:{self.row},{self.column}{'s' if self.same else ''}"


def matrix(place: Place, rows: int, columns: int, *, same: bool = False) -> Matrix:
    """By rows."""
    return Matrix(place, rows, columns, columns, 1, same)


# --- products ---------------------------------------------------------------------------------


def product(
    code: Code, Z: Matrix, X: Matrix, Y: Matrix, how: str = SET, *, upper: bool = False
) -> None:
    """Z = X Y, Z + X Y or Z − X Y; a symmetric Z from the entries above its diagonal, if `upper`."""
    name = f"product {how} {Z.shape} = {X.shape} * {Y.shape}{' upper' if upper else ''}"
    large = X.rows * X.columns * Y.columns > 8

    def write(code: Code, z: Place, x: Place, y: Place) -> None:
        one, two, three = (replace(M, place=p) for M, p in ((Z, z), (X, x), (Y, y)))
        _write_product(code, one, two, three, how, upper)

    code.call(name, write, Z.place, X.place, Y.place, apart=large)


def _parts(size: int, most: int) -> list[tuple[int, int]]:
    """Starts and lengths of parts of nearly one length."""
    count = -(-size // most)
    cuts = [size * i // count for i in range(count + 1)]
    return [(a, b - a) for a, b in zip(cuts, cuts[1:], strict=False)]


def _write_product(code: Code, Z: Matrix, X: Matrix, Y: Matrix, how: str, upper: bool) -> None:
    rows, columns = X.rows, Y.columns
    if rows * X.columns * columns <= WRITTEN_OUT:
        most = 3 if rows == columns == 3 and not wide() else ROWS
        for i, r in _parts(rows, most):
            if upper:
                _tile(code, Z, X, Y, how, (i, i), (r, r), upper=True)
            first = i + r if upper else 0
            for j, c in _parts(columns - first, COLUMNS) if first < columns else ():
                _tile(code, Z, X, Y, how, (i, first + j), (r, c), mirrored=upper)
        return
    full = rows // ROWS * ROWS
    with code.loop(full, step=ROWS) as i:
        _across(code, Z, X, Y, how, i, ROWS, i & -COLUMNS if upper else 0)
    if full < rows:
        _across(code, Z, X, Y, how, full, rows - full, full & -COLUMNS if upper else 0)
    if upper:
        with code.loop(rows) as i, code.loop(i) as j:
            Z.store(i, j, Z.entry(j, i))


def _across(
    code: Code, Z: Matrix, X: Matrix, Y: Matrix, how: str, i: Int | int, r: int, first: Int | int
) -> None:
    """A row of tiles from a column on, which is a multiple of COLUMNS."""
    full = Y.columns // COLUMNS * COLUMNS
    with code.loop(full, first, COLUMNS) as j:
        _tile(code, Z, X, Y, how, (i, j), (r, COLUMNS))
    if full < Y.columns:
        _tile(code, Z, X, Y, how, (i, full), (r, Y.columns - full))


def _tile(
    code: Code, Z: Matrix, X: Matrix, Y: Matrix, how: str, at: tuple, size: tuple[int, int], *,
    upper: bool = False, mirrored: bool = False,
) -> None:  # fmt: skip
    (i, j), (r, c), inner = at, size, X.columns
    wanted = [(a, b) for a in range(r) for b in range(c) if not upper or a <= b]

    def terms(k: Int | int) -> list[Vector]:
        x = [X.entry(i + a, k) for a in range(r)]
        y = [Y.entry(k, j + b) for b in range(c)]
        return [x[a] * y[b] for a, b in wanted]

    if inner <= 8:
        sums = terms(0)
        for k in range(1, inner):
            sums = [s + t for s, t in zip(sums, terms(k), strict=True)]
    else:
        cells = [Cell(code, x) for x in terms(0)]
        with code.loop(inner, 1) as k:
            for cell, t in zip(cells, terms(k), strict=True):
                cell.set(cell.get() + t)
        sums = [cell.get() for cell in cells]
    for (a, b), x in zip(wanted, sums, strict=True):
        if how != SET:
            old = Z.entry(i + a, j + b)
            x = old + x if how == ADD else old - x
        Z.store(i + a, j + b, x)
        if mirrored or (upper and a < b):
            Z.store(j + b, i + a, x)


# --- entry by entry ---------------------------------------------------------------------------


def each(code: Code, count: int, *places: Place):
    """For every entry: the index; written out where there are few."""
    if count <= 32:
        yield from range(count)
        return
    with code.loop(count) as e:
        yield e


def copy(code: Code, Z: Place, X: Matrix) -> None:
    """Z = X, by rows."""

    def write(code: Code, z: Place, x: Place) -> None:
        for e in each(code, X.rows * X.columns):
            z.store(x.number(e) if X.same else x.load(e), e)

    code.call(f"copy {X.shape}", write, Z, X.place)


def inner(code: Code, X: Matrix, Y: Matrix) -> Vector:
    """tr(X'Y)."""
    total = Cell(code, code.fill(0.0))
    for i in range(X.rows):
        for j in each(code, X.columns):
            total.set(total.get() + X.entry(i, j) * Y.entry(i, j))
    return total.get()


def symmetric_sum(code: Code, Z: Place, X: Place, n: int, sign: float = 1.0) -> None:
    """Z = ±(X + X')."""

    def write(code: Code, z: Place, x: Place) -> None:
        Z, X = matrix(z, n, n), matrix(x, n, n)

        def entry(i: Int | int, j: Int | int) -> None:
            both = X.entry(i, j) + X.entry(j, i)
            both = both if sign > 0 else -both
            Z.store(i, j, both)
            Z.store(j, i, both)

        if n <= 6:
            for i in range(n):
                for j in range(i + 1):
                    entry(i, j)
            return
        with code.loop(n) as i, code.loop(i + 1) as j:
            entry(i, j)

    code.call(f"symmetric sum {n} {sign}", write, Z, X)


# --- Lyapunov equations -----------------------------------------------------------------------


def solve(
    code: Code, X: Place, powers: Place, steps: Int, room: Place, n: int, *, adjoint: bool = False
) -> None:
    """X = L X L' + S in place of a symmetric S; X = L'X L + S if `adjoint`."""

    def write(code: Code, x: Place, powers: Place, steps: Int, room: Place) -> None:
        X, T = matrix(x, n, n), matrix(room, n, n)
        with code.loop(steps) as k:
            L = matrix(powers + k * (n * n), n, n)
            L = L.T if adjoint else L
            product(code, T, L, X)
            product(code, X, T, L.T, ADD, upper=True)

    code.call(f"solve {n} {adjoint}", write, X, powers, steps, room)


def _squared_norm(code: Code, L: Place, units: Place, n: int) -> Vector:
    """‖D L D⁻¹‖², by the squares of the ratios of the units."""
    total = [Cell(code, code.fill(0.0)) for _ in range(2)]

    def term(e: Int | int) -> Vector:
        x = L.load(e)
        return x * x * units.load(e)

    half = n * n // 2
    if n <= 4:
        for e in range(n * n):
            total[e % 2].set(total[e % 2].get() + term(e))
    else:
        with code.loop(half) as e:
            total[0].set(total[0].get() + term(e))
            total[1].set(total[1].get() + term(e + half))
        if n % 2:
            total[0].set(total[0].get() + term(n * n - 1))
    return total[0].get() + total[1].get()


def _powers(code: Code, L: Place, units: Place, out: Place, n: int) -> Int:
    """The powers of L that its equations need, behind it.

    Puts 1 at out[0] in the stable lanes, and at out[1] in the doubtful ones: given up though no power's
    trace came to n, as it does where an eigenvalue that has left the unit disc makes the norm grow.

    Returns:
        How many there are.
    """
    one, zero, nn = code.fill(1.0), code.fill(0.0), n * n
    growth, count, bad = Cell(code, one), Cell(code, one), Cell(code, zero)
    steps = Cell(code, code.int(0))
    with code.forever() as leave:
        power = L + steps.get() * nn
        norm = _squared_norm(code, power, units, n)
        late = code.builder.icmp_signed(">=", steps.get().value, code.whole(MAX_SQUARINGS))
        limit = code.builder.select(late, one.value, code.fill(DIVERGED).value)
        fine = norm < Vector(code, limit)
        count.set((norm >= 1.0).choose(count.get() + count.get(), count.get()))
        larger = (growth.get() < norm).choose(norm, growth.get())
        growth.set(fine.choose(larger, 1e300))
        kept = Cell(code, norm)
        with code.when(fine.bits().compared("!=", ALL)):
            trace = Cell(code, code.fill(0.0))
            with code.loop(n) as i:
                trace.set(trace.get() + power.load(i * (n + 1)))
            gone = ~fine & (abs(trace.get()) >= float(n))
            bad.set(gone.choose(one, bad.get()))
            with code.loop(nn) as e:
                power.store(fine.choose(power.load(e), zero), e)
            kept.set(fine.choose(norm, zero))
        steps.set(steps.get() + 1)
        leave(steps.get().compared(">=", MOST_POWERS))
        leave((kept.get() > DECAYED).bits().compared("==", 0))
        M = matrix(power, n, n)
        product(code, matrix(power + nn, n, n), M, M)
    size = growth.get()
    stable = (size < 1e300) & (EPSILON * size * size.root() * count.get() < 1.0)
    out.store(stable.choose(one, zero), 0)
    out.store((~stable & (bad.get() < 1.0)).choose(one, zero), 1)
    return steps.get()


def _own_units(code: Code, L: Place, units: Place, e: Place, n: int) -> None:
    """Units in which rows and columns of L are of like size: squares of their ratios; e has room for n.

    Osborne's iteration for the Euclidean norm; only norms are taken in these units, so that they need
    no powers of two.
    """
    M = matrix(L, n, n)
    row, column = (Cell(code, code.fill(COUPLING)) for _ in range(2))

    def coupled(i: Int, j: Int) -> None:
        x, y, ratio = M.entry(i, j), M.entry(j, i), e.load(i) / e.load(j)
        row.set(row.get() + x * x * ratio)
        column.set(column.get() + y * y / ratio)

    with code.loop(n) as i:
        e.store(1.0, i)
    with code.loop(SWEEPS), code.loop(n) as i:
        row.set(code.fill(COUPLING))
        column.set(code.fill(COUPLING))
        with code.loop(i) as j:
            coupled(i, j)
        with code.loop(n, i + 1) as j:
            coupled(i, j)
        moved = e.load(i) * (column.get() / row.get()).root()
        e.store(((moved > 1e-200) & (moved < 1e200)).choose(moved, e.load(i)), i)
    with code.loop(n) as i, code.loop(n) as j:
        units.store(e.load(i) / e.load(j), i * n + j)


def powers(code: Code, L: Place, units: Place, alive: Int, flags: Place, room: Place, n: int) -> Int:
    """The powers of L behind it, and 1 at `flags` in the stable lanes. Returns how many there are.

    Args:
        code: where this goes.
        L: n² vectors, with room for MOST_POWERS times as many.
        units: (n, n) squares of the ratios of the units that norms are taken in.
        alive: the lanes whose verdict matters, as bits.
        flags: room for three vectors.
        room: for 2 n² + n more.
        n: the number of states.
    """

    def first(code: Code, L: Place, units: Place, out: Place) -> Int:
        return _powers(code, L, units, out, n)

    def own(code: Code, L: Place, units: Place, e: Place) -> Value | None:
        return _own_units(code, L, units, e, n)

    def write(code: Code, L: Place, units: Place, alive: Int, flags: Place, room: Place) -> Int:
        copy(code, room, matrix(L, n, n))
        steps = Cell(code, code.call(f"powers {n}", first, L, units, flags))
        doubtful = (flags.load(1) > 0.5).bits() & alive
        with code.when(doubtful.compared("!=", 0)):
            copy(code, L, matrix(room, n, n))
            before = flags.load(0)
            flags.store(before, 2)
            mine, again = room + n * n, doubtful.flags()
            code.call(f"own units {n}", own, L, mine, room + 2 * n * n)
            with code.loop(n * n) as e:
                mine.store(again.choose(mine.load(e), units.load(e)), e)
            steps.set(code.call(f"powers {n}", first, L, mine, flags))
        return steps.get()

    return code.call(f"verdict {n}", write, L, units, alive, flags, room)
