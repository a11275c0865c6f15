"""From the tables of a family file to exact, well-posed tasks.

Defaults are merged, shapes compared, continuous plants sampled, and every matrix checked; a message
names the task and the field.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from benign.errors import FileFormatError, ProblemError
from benign.exact.definite import said_of_raised
from benign.exact.problem import Family, Matrix, Plant, Task, make_family
from benign.tasks.sampling import is_sampled, zero_order_hold
from benign.tasks.schema import task_place
from benign.tasks.wellposed import (
    definite,
    definite_beside,
    require_stabilisable,
    symmetrised,
)

if TYPE_CHECKING:
    from benign.tasks.schema import Document, TaskTable


def build(document: Document) -> tuple[Family, bool, tuple[str, ...]]:
    """The family, whether some plant of it was sampled from continuous time, and what was changed.

    Raises:
        FileFormatError: a matrix is missing.
        ProblemError: a task is not well posed.
    """
    builder = _Builder(document)
    tasks = [builder.task(i, table) for i, table in enumerate(document.tasks)]
    family = make_family(tasks, [table.weight for table in document.tasks])
    return family, builder.sampled, tuple(builder.remarks)


@dataclass
class _Builder:
    """Tables to tasks. Matrices that tasks share, by [defaults], are checked once."""

    document: Document
    sampled: bool = False
    remarks: list[str] = field(default_factory=list)
    _done: dict[tuple[Any, ...], Any] = field(default_factory=dict)

    def task(self, index: int, table: TaskTable) -> Task:
        name = table.name or f"task {index}"
        place = task_place(index, name)
        given = self.document.defaults.given() | table.given()
        evaluation = self.plant(given, place)
        changed = table.adaptation.given()
        if not changed:
            return Task(name, evaluation)
        adaptation = self.plant(given | changed, f"{place}, adaptation")
        return Task(name, evaluation, adaptation)

    def plant(self, given: dict[str, Any], place: str) -> Plant:
        """A checked `Plant` from the merged fields."""
        for key in ("A", "B", "Q", "R"):
            if key not in given:
                raise FileFormatError(
                    f"{place}: the key `{key}` is missing; give it in the task or in [defaults]"
                )
        n, m = len(given["A"]), len(given["B"][0])
        for key, shape in _shapes(n, m).items():
            if key in given and (len(given[key]), len(given[key][0])) != shape:
                raise ProblemError(
                    f"{place}: `{key}` is {len(given[key])} × {len(given[key][0])}; it must be "
                    f"{shape[0]} × {shape[1]}, for {_count(n, 'state')} and {_count(m, 'input')}"
                )
        S0 = given.get("S0") or _identity(n)
        discount = given.get("discount", Fraction(1))
        noise = given.get("noise")
        if noise is not None and not any(x for row in noise for x in row):
            noise = None  # no noise, said aloud: lets a task switch off the noise of [defaults]
        if noise is not None and discount == 1:
            raise ProblemError(
                f"{place}: `noise` makes the cost infinite without a discount; "
                "give a `discount` below 1"
            )
        A, B = self.dynamics(given, discount, place)
        Q, R = (self.definite(given[key], key, place) for key in ("Q", "R"))
        N = given.get("N")
        if N is not None and any(x for row in N for x in row):
            Q = self.beside(Q, R, N, place)
        return Plant(
            A,
            B,
            Q,
            R,
            self.definite(S0, "S0", place),
            discount,
            None if noise is None else self.definite(noise, "noise", place),
            N,
        )

    def beside(self, Q: Matrix, R: Matrix, N: Matrix, place: str) -> Matrix:
        """Q, raised where only a rounding keeps [[Q, N], [N', R]] from being ⪰ 0."""
        done = ("N", id(Q), id(R), id(N))
        if done not in self._done:
            try:
                found = definite_beside(Q, R, N)
            except ProblemError as error:
                raise ProblemError(f"{place}: {error}") from error
            if found is not Q:
                self.remark(f"{place}: {said_of_raised('Q', Q, found, crossed=True)}")
            self._done[done] = (found, Q, R, N)
        return self._done[done][0]

    def remark(self, text: str) -> None:
        # A name may hold line breaks or terminal codes; they never reach the screen.
        self.remarks.append("".join(c if c.isprintable() else "�" for c in text))

    def definite(self, M: Matrix, key: str, place: str) -> Matrix:
        # Keyed by identity: comparing large matrices of fractions would cost more than it saves.
        # The document keeps its matrices alive, so an identity is not used twice.
        done = (key, id(M))
        if done not in self._done:
            try:
                exact = symmetrised(M)
                found = definite(exact, strict=key == "R")
                if found is not exact:
                    self.remark(f"{place}: {said_of_raised(key, exact, found)}")
            except ProblemError as error:
                raise ProblemError(f"{place}: `{key}` {error}") from error
            self._done[done] = (found, M)
        return self._done[done][0]

    def dynamics(self, given: dict[str, Any], discount: Fraction, place: str) -> tuple[Matrix, Matrix]:
        A, B, dt = given["A"], given["B"], given.get("dt")
        time = given.get("time")
        done = (id(A), id(B), time, dt, discount)
        if done in self._done:
            return self._done[done]
        try:
            if is_sampled(time, dt):
                A, B = zero_order_hold(A, B, given["dt"])
                self.sampled = True
            require_stabilisable(A, B, discount)
        except ProblemError as error:
            raise ProblemError(f"{place}: {error}") from error
        self._done[done] = A, B
        return A, B


def _shapes(n: int, m: int) -> dict[str, tuple[int, int]]:
    return {
        "A": (n, n),
        "B": (n, m),
        "Q": (n, n),
        "R": (m, m),
        "S0": (n, n),
        "noise": (n, n),
        "N": (n, m),
    }


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


@lru_cache(maxsize=8)
def _identity(n: int) -> Matrix:
    return tuple(tuple(Fraction(int(i == j)) for j in range(n)) for i in range(n))
