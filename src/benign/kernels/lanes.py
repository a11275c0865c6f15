"""A small language for compiled code: numbers of several gains in one register, loops, functions.

A `Vector` holds the same quantity of LANES gains; an operation on it is one instruction for all of
them, so that the code of a kernel reads like that for one gain and leaves nothing to a compiler's guess
at what can be done side by side. Python runs it once, when a kernel is built: what Python knows then
(sizes, shapes, the kind of step) is constant in the compiled code, Python's own loops are written out,
and those of `Code.loop` become loops.

Why not Numba, which would compile the same from functions with loops: LLVM optimises each function of
Numba's again inside each that calls it, and the kernel for three and more states took 60 s to compile.
Here a kernel is one module, optimised once, in .1 to 2 s; Numba's import alone takes .5 s.

Products and sums may be fused (a · b + c rounded once), as XLA does it too; nothing else is reordered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir

DOUBLE, INT, BIT, SHORT = ir.DoubleType(), ir.IntType(64), ir.IntType(1), ir.IntType(32)
POINTER = DOUBLE.as_pointer()
VOID = ir.VoidType()

FUSED = ("contract",)


@cache
def wide() -> bool:
    """Whether registers have 512 bits."""
    return bool(llvm.get_host_cpu_features().get("avx512f"))


LANES = 8 if wide() else 4
"""Gains in a vector: what a register holds."""

VECTOR, FLAGS = ir.VectorType(DOUBLE, LANES), ir.VectorType(BIT, LANES)
BITS = ir.IntType(LANES)

ALL = 2**LANES - 1
"""The flags of all lanes, as bits."""


# --- values -----------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Value:
    """Something that the compiled code computes."""

    code: Code
    value: Any


class Vector(Value):
    """One number of each gain. What is neither a vector nor a constant decides for itself."""

    def _with(self, other: Any, how: Callable[[Any, Any], Any]) -> Any:
        if not isinstance(other, (Vector, float, int)):
            return NotImplemented
        return Vector(self.code, how(self.value, self.code.lanes_of(other)))

    def __add__(self, other: Any) -> Any:
        return self._with(other, lambda x, y: self.code.builder.fadd(x, y, flags=FUSED))

    def __sub__(self, other: Any) -> Any:
        return self._with(other, lambda x, y: self.code.builder.fsub(x, y, flags=FUSED))

    def __mul__(self, other: Any) -> Any:
        return self._with(other, lambda x, y: self.code.builder.fmul(x, y, flags=FUSED))

    def __truediv__(self, other: Any) -> Any:
        return self._with(other, self.code.builder.fdiv)

    __radd__, __rmul__ = __add__, __mul__

    def __rsub__(self, other: float) -> Vector:
        return self.code.fill(other) - self

    def __rtruediv__(self, other: float) -> Vector:
        return self.code.fill(other) / self

    def __neg__(self) -> Vector:
        return Vector(self.code, self.code.builder.fneg(self.value))

    def __lt__(self, other: Vector | float) -> Flags:
        return self._compared("<", other)

    def __le__(self, other: Vector | float) -> Flags:
        return self._compared("<=", other)

    def __gt__(self, other: Vector | float) -> Flags:
        return self._compared(">", other)

    def __ge__(self, other: Vector | float) -> Flags:
        return self._compared(">=", other)

    def _compared(self, how: str, other: Vector | float) -> Flags:
        """False where either is no number."""
        return Flags(
            self.code, self.code.builder.fcmp_ordered(how, self.value, self.code.lanes_of(other))
        )

    def __abs__(self) -> Vector:
        return self.code.of_lanes("fabs", self)

    def root(self) -> Vector:
        """The square root."""
        return self.code.of_lanes("sqrt", self)


class Flags(Value):
    """One truth value of each gain."""

    def __and__(self, other: Flags) -> Flags:
        return Flags(self.code, self.code.builder.and_(self.value, other.value))

    def __or__(self, other: Flags) -> Flags:
        return Flags(self.code, self.code.builder.or_(self.value, other.value))

    def __invert__(self) -> Flags:
        return Flags(self.code, self.code.builder.not_(self.value))

    def choose(self, x: Vector | float, y: Vector | float) -> Vector:
        """In each lane x where the flag is set, else y."""
        return Vector(self.code, self.code.builder.select(self.value, *map(self.code.lanes_of, (x, y))))

    def bits(self) -> Int:
        """A whole number with a bit for each lane, lane 0 the lowest."""
        builder = self.code.builder
        return Int(self.code, builder.zext(builder.bitcast(self.value, BITS), INT))


class Int(Value):
    """A whole number, the same for all gains."""

    def _do(self, name: str, other: Int | int) -> Int:
        return Int(self.code, getattr(self.code.builder, name)(self.value, self.code.whole(other)))

    def __add__(self, other: Int | int) -> Int:
        return self._do("add", other)

    def __sub__(self, other: Int | int) -> Int:
        return self._do("sub", other)

    def __mul__(self, other: Int | int) -> Int:
        return self._do("mul", other)

    def __and__(self, other: Int | int) -> Int:
        return self._do("and_", other)

    __radd__, __rmul__ = __add__, __mul__

    def flags(self) -> Flags:
        """The flags whose bits these are."""
        builder = self.code.builder
        return Flags(self.code, builder.bitcast(builder.trunc(self.value, BITS), FLAGS))

    def compared(self, how: str, other: Int | int) -> Any:
        """A condition, for `Code.when` and `leave`."""
        return self.code.builder.icmp_signed(how, self.value, self.code.whole(other))


class Place(Value):
    """An address of numbers; `load` and `store` count vectors, `number` numbers."""

    def __add__(self, vectors: Int | int) -> Place:
        return self.numbers_on(vectors * LANES)

    def numbers_on(self, count: Int | int) -> Place:
        """The address so many numbers further on."""
        if isinstance(count, int) and count == 0:
            return self
        return Place(self.code, self.code.builder.gep(self.value, [self.code.whole(count)]))

    def load(self, index: Int | int = 0) -> Vector:
        """The vector with this index."""
        builder = self.code.builder
        address = builder.bitcast((self + index).value, VECTOR.as_pointer())
        return Vector(self.code, builder.load(address, align=8))

    def store(self, x: Vector | float, index: Int | int = 0) -> None:
        """Put a vector at an index."""
        builder = self.code.builder
        address = builder.bitcast((self + index).value, VECTOR.as_pointer())
        builder.store(self.code.lanes_of(x), address, align=8)

    def number(self, index: Int | int = 0) -> Vector:
        """The number with this index, in every lane."""
        return self.code.spread(self.code.builder.load(self.numbers_on(index).value))

    def gathered(self, stride: Int | int) -> Vector:
        """The numbers 0, 1, … strides further on, one in each lane."""
        builder, x = self.code.builder, ir.Constant(VECTOR, ir.Undefined)
        for lane in range(LANES):
            one = builder.load(self.numbers_on(stride * lane).value)
            x = builder.insert_element(x, one, SHORT(lane))
        return Vector(self.code, x)

    def scatter(self, x: Vector, stride: Int | int) -> None:
        """Put each lane's number one stride further on."""
        builder = self.code.builder
        for lane in range(LANES):
            one = builder.extract_element(x.value, SHORT(lane))
            builder.store(one, self.numbers_on(stride * lane).value)


class Cell(Value):
    """Something that changes: a place in the stack, or a register once it is optimised."""

    def __init__(self, code: Code, first: Value):
        with code.builder.goto_entry_block():
            pointer = code.builder.alloca(first.value.type)
        object.__setattr__(self, "code", code)
        object.__setattr__(self, "value", pointer)
        object.__setattr__(self, "kind", type(first))
        self.set(first)

    def set(self, x: Value) -> None:
        """Change it."""
        self.code.builder.store(x.value, self.value)

    def get(self) -> Any:
        """What it is now."""
        return self.kind(self.code, self.code.builder.load(self.value))  # type: ignore[attr-defined]


# --- code -------------------------------------------------------------------------------------


class Code:
    """Where instructions go: the end of a function that is being written.

    Args:
        function: of LLVM; what it is given becomes `given`, wrapped.
    """

    def __init__(self, function: Any):
        self.function, self.module = function, function.module
        self.builder: Any = ir.IRBuilder(function.append_basic_block())
        self.given: tuple[Any, ...] = tuple(_wrapped(self, x) for x in function.args)

    # numbers

    def whole(self, x: Int | int) -> Any:
        """A whole number for LLVM."""
        return x.value if isinstance(x, Int) else ir.Constant(INT, int(x))

    def int(self, x: Int | int) -> Int:
        """A whole number."""
        return Int(self, self.whole(x))

    def fill(self, x: float) -> Vector:
        """A constant in every lane."""
        return Vector(self, ir.Constant(VECTOR, [float(x)] * LANES))

    def lanes_of(self, x: Vector | float) -> Any:
        """A vector for LLVM."""
        return x.value if isinstance(x, Vector) else self.fill(x).value

    def spread(self, x: Any) -> Vector:
        """A number of LLVM's in every lane."""
        nothing = ir.Constant(VECTOR, ir.Undefined)
        one = self.builder.insert_element(nothing, x, SHORT(0))
        zeros = ir.Constant(ir.VectorType(SHORT, LANES), [0] * LANES)
        return Vector(self, self.builder.shuffle_vector(one, nothing, zeros))

    def of_lanes(self, name: str, *given: Vector | float) -> Vector:
        """One of LLVM's functions of numbers, lane by lane.

        Of two numbers `minimum` and `maximum` are none where either is, `maxnum` is the other one.
        """
        full = f"llvm.{name}.v{LANES}f64"
        found = self.module.globals.get(full)
        if found is None:
            found = ir.Function(self.module, ir.FunctionType(VECTOR, [VECTOR] * len(given)), full)
        return Vector(self, self.builder.call(found, [self.lanes_of(x) for x in given]))

    def fused(self, x: Vector, y: Vector, z: Vector) -> Vector:
        """x · y + z, rounded once on every processor."""
        return self.of_lanes("fma", x, y, z)

    def alone(self, name: str, x: Vector, y: Vector) -> Vector:
        """`fadd`, `fsub` or `fmul` rounded by itself, whatever comes before and after."""
        return Vector(self, getattr(self.builder, name)(x.value, y.value))

    def vectors_in_stack(self, count: int) -> Place:
        """Memory for so many vectors until the function ends."""
        with self.builder.goto_entry_block():
            return Place(self, self.builder.alloca(DOUBLE, ir.Constant(INT, count * LANES)))

    def sum_of_lanes(self, x: Vector) -> Any:
        """Their sum, a number of LLVM's."""
        total = self.builder.extract_element(x.value, SHORT(0))
        for lane in range(1, LANES):
            total = self.builder.fadd(total, self.builder.extract_element(x.value, SHORT(lane)))
        return total

    def table(self, name: str, numbers: Sequence[int]) -> Callable[[Int], Int]:
        """Whole numbers that are constants of the module, to be read at a computed index."""
        known = self.module.globals.get(name)
        if known is None:
            kind = ir.ArrayType(INT, len(numbers))
            known = ir.GlobalVariable(self.module, kind, name)
            known.linkage, known.global_constant = "internal", True
            known.initializer = ir.Constant(kind, [*map(int, numbers)])  # type: ignore[assignment]

        def read(index: Int) -> Int:
            address = self.builder.gep(known, [ir.Constant(INT, 0), index.value])
            return Int(self, self.builder.load(address))

        return read

    # what comes when

    @contextmanager
    def loop(self, stop: Int | int, start: Int | int = 0, step: int = 1) -> Iterator[Int]:
        """For i = start, start + step, … < stop."""
        builder = self.builder
        before = builder.block
        head, body, end = (builder.append_basic_block() for _ in range(3))
        builder.branch(head)
        builder.position_at_end(head)
        i = builder.phi(INT)
        i.add_incoming(self.whole(start), before)
        builder.cbranch(builder.icmp_signed("<", i, self.whole(stop)), body, end)
        builder.position_at_end(body)
        yield Int(self, i)
        i.add_incoming(builder.add(i, ir.Constant(INT, step)), builder.block)
        builder.branch(head)
        builder.position_at_end(end)

    @contextmanager
    def forever(self) -> Iterator[Callable[[Any], None]]:
        """Again and again, until what is yielded is called with a condition that holds."""
        builder = self.builder
        body, end = builder.append_basic_block(), builder.append_basic_block()
        builder.branch(body)
        builder.position_at_end(body)

        def leave(condition: Any) -> None:
            on = builder.append_basic_block()
            builder.cbranch(condition, end, on)
            builder.position_at_end(on)

        yield leave
        builder.branch(body)
        builder.position_at_end(end)

    @contextmanager
    def when(self, condition: Any) -> Iterator[None]:
        """If the condition holds."""
        with self.builder.if_then(condition):
            yield

    def call(
        self, name: str, write: Callable[..., Value | None], *given: Value, apart: bool = True
    ) -> Any:
        """A function of this name, written by `write(code, *given)` when it is first called.

        Not `apart`, it is copied to where it is called.
        """
        known = self.module.globals.get(name)
        if known is None:
            kinds = [x.value.type for x in given]
            # What it returns is known when it is written; only whole numbers are.
            probe = ir.Function(self.module, ir.FunctionType(INT, kinds), name)
            probe.linkage = "internal"
            probe.attributes.add("noinline" if apart else "alwaysinline")
            probe.attributes.add("nounwind")
            code = Code(probe)
            result = write(code, *code.given)
            code.builder.ret(ir.Constant(INT, 0) if result is None else result.value)
            known = probe
        return Int(self, self.builder.call(known, [x.value for x in given]))


def _wrapped(code: Code, x: Any) -> Value:
    kinds: dict[Any, type[Value]] = {POINTER: Place, INT: Int, VECTOR: Vector}
    return kinds[x.type](code, x)
