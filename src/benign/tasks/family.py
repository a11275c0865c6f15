"""A weighted family of tasks of one shape, stacked so that one `vmap` runs through all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any, ClassVar, NamedTuple

import numpy as np
from jaxtyping import Float

from benign.errors import ProblemError, UsageError
from benign.exact.definite import least_weight
from benign.exact.numbers import exact as to_exact
from benign.exact.numbers import summed
from benign.exact.problem import Family, Matrix, Plant, Task, make_family
from benign.exact.words import size_in_words, tasks_in_words
from benign.precision import Array, in_float64, is_traced, kept
from benign.records import Record
from benign.tasks.checks import (
    SYMMETRIC,
    check_finite,
    check_stack,
    check_symmetric,
    raised_or_refused,
    raised_stack,
)
from benign.tasks.exact_stack import exact_plants, stacked_plants
from benign.tasks.given import described, several
from benign.tasks.lqr import ARRAYS, LQR, Label, bare, concrete
from benign.tasks.numbers import (
    Place,
    Unseen,
    floats_of,
    fractions_of,
    mean_with_transpose,
    name_of,
    require_plain,
)
from benign.text import quoted

Plants = tuple[Plant | None, Plant | None]
"""The exact evaluation and adaptation cost of a task; None where the floats say it all."""


class FamilyLabel(NamedTuple):
    """What is known of a family besides its arrays.

    Attributes:
        names: One a task.
        adapting: Whether a task has an adaptation cost of its own.
        plants: Exact costs, task by task, or None if the floats of every task say it all.
        weights: The weights as given, before they were normalised; None if uniform.
    """

    names: tuple[str, ...]
    adapting: tuple[bool, ...]
    plants: tuple[Plants, ...] | None
    weights: tuple[Fraction, ...] | None


class TaskFamily(Record):
    """Tasks τ of one shape (n, m) with weights ω_τ > 0, Σ ω_τ = 1.

    The arrays are stacked: ``family.tasks`` is one `LQR` whose leaves have a leading task axis, and
    ``jax.vmap(lambda task: task.cost(W))(family.tasks)`` evaluates all k of them at once.

    Args:
        tasks: The tasks. One without a name is called "task" and its position.
        weights: One positive number a task (floats, or exact strings and fractions), normalised to
            sum to one; uniform by default.

    Attributes:
        tasks: The stacked tasks. If any task has an adaptation cost, all have one here: their own
            evaluation cost where they were given none.
        weights: (k,) normalised weights.

    Raises:
        ProblemError: no task; tasks of different shapes; weights of the wrong number or sign. The
            message names the tasks.
    """

    tasks: LQR
    weights: Float[Array, " k"]
    label: Unseen[FamilyLabel]
    STATIC: ClassVar[tuple[str, ...]] = ("label",)

    @in_float64
    def __init__(self, tasks: Sequence[LQR], weights: Sequence[Any] | None = None):
        tasks = several(tasks, "tasks", "TaskFamily")
        if not tasks:
            raise ProblemError("the family has no task; give at least one")
        for i, task in enumerate(tasks):
            if not isinstance(task, LQR):
                raise UsageError(f"TaskFamily: task {i}: expected an LQR, got {described(task)}")
        names = tuple(task.name or f"task{i}" for i, task in enumerate(tasks))
        for i, task in enumerate(tasks):
            if (task.n, task.m) != (tasks[0].n, tasks[0].m):
                raise ProblemError(
                    f"task {i} {quoted(names[i])}: it has {task.n} states and {task.m} inputs, task 0 "
                    f"{quoted(names[0])} has {tasks[0].n} and {tasks[0].m}; one family holds one shape"
                )
        adapting = tuple(task.adaptation is not None for task in tasks)
        plants: tuple[Plants, ...] | None = tuple(
            (task.label.value.plant, own.label.value.plant if (own := task.adaptation) else None)
            for task in tasks
        )
        if all(pair == (None, None) for pair in plants):
            plants = None
        adaptation = bare(_stacked([t.g for t in tasks])) if any(adapting) else None
        self._set(tasks=bare(_stacked(tasks), adaptation))
        self._set_weights(names, weights, adapting, plants)

    def __repr__(self) -> str:
        return f"TaskFamily({tasks_in_words(self.names)}; {size_in_words(self.n, self.m)})"

    def _set_weights(
        self,
        names: tuple[str, ...],
        weights: Sequence[Any] | None,
        adapting: tuple[bool, ...],
        plants: tuple[Plants, ...] | None,
    ) -> None:
        """The rest of every constructor: normalised weights and the label."""
        given = None if weights is None else _exact_weights(weights, names)
        normalised = np.full(len(names), 1 / len(names)) if given is None else _normalised(given)
        label = Unseen(FamilyLabel(names, adapting, plants, given))
        self._set(weights=kept(normalised), label=label)

    @classmethod
    @in_float64
    def from_arrays(
        cls,
        A: Any,
        B: Any,
        Q: Any,
        R: Any,
        S0: Any = None,
        *,
        discount: Any = 1.0,
        noise: Any = None,
        adaptation: Any = None,
        weights: Any = None,
        names: Any = None,
        N: Any = None,
    ) -> TaskFamily:
        """A family from stacked float arrays: the constructor for thousands of tasks (also `stack`).

        A hundred thousand tasks of one state take a fifth of a second; each made as an `LQR` of its own
        costs a quarter of a millisecond. Exact numbers are made when a proof asks for them.

        Args:
            A: (k, n, n), or (k,) for n = 1; it says how many tasks there are.
            B, Q, R, S0, noise, N: Stacked likewise, or one matrix (a scalar for 1×1) for all tasks.
            discount: (k,) or one number.
            adaptation: Another family of k tasks whose costs are those adapted on.
            weights, names: One a task; uniform and "task0", "task1", … by default.

        Raises:
            ProblemError: as `LQR` and `TaskFamily`; the message names the first task that is wrong.
        """
        A = _floats(A, "A")
        if A.ndim not in (1, 3) or A.size == 0 or (A.ndim == 3 and A.shape[1] != A.shape[2]):
            raise ProblemError(f"family: `A` must have shape (k, n, n) or (k,), got {A.shape}")
        k, n = A.shape[0], A.shape[-1] if A.ndim == 3 else 1
        B = _floats(B, "B")
        m = B.shape[-1] if B.ndim >= 2 else 1
        titles = tuple(f"task{i}" for i in range(k)) if names is None else names_of(names)
        if len(titles) != k:
            raise ProblemError(f"names: {len(titles)} names for {k} tasks")
        fields = {
            "A": (A, (n, n)),
            "B": (B, (n, m)),
            "Q": (Q, (n, n)),
            "R": (R, (m, m)),
            "S0": (np.eye(n) if S0 is None else S0, (n, n)),
            "discount": (discount, ()),
        }
        if noise is not None:
            fields["noise"] = (noise, (n, n))
        if N is not None:
            fields["N"] = (N, (n, m))
        arrays = {f: _broadcast(_floats(x, f), f, k, core) for f, (x, core) in fields.items()}
        tasks = _checked(arrays, titles)
        if adaptation is not None:
            if not isinstance(adaptation, TaskFamily):
                raise UsageError(
                    f"TaskFamily.stack: adaptation: expected a TaskFamily, got {described(adaptation)}"
                )
            if (len(adaptation), adaptation.n, adaptation.m) != (k, n, m):
                raise ProblemError(
                    f"family: `adaptation` holds {len(adaptation)} tasks of {adaptation.n} states "
                    f"and {adaptation.m} inputs, the family {k} of {n} and {m}"
                )
            tasks = bare({f: getattr(tasks, f) for f in ARRAYS}, _plain(adaptation.tasks))
        family = object.__new__(cls)
        family._set(tasks=tasks)
        family._set_weights(titles, weights, (adaptation is not None,) * k, None)
        return family

    stack = from_arrays

    @classmethod
    @in_float64
    def from_exact(cls, family: Family) -> TaskFamily:
        """The family whose numbers are those of an exact one, each rounded to float64.

        Raises:
            ProblemError: a task is not well posed.
        """
        if not isinstance(family, Family):
            raise UsageError(
                f"TaskFamily.from_exact: expected an exact Family, got {described(family)}"
            )
        names = tuple(task.name for task in family.tasks)
        adapting = tuple(task.adaptation is not None for task in family.tasks)
        f, g = [task.f for task in family.tasks], [task.g for task in family.tasks]
        tasks = _checked(stacked_plants(f), names, f)
        if any(adapting):
            other = _checked(stacked_plants(g), names, g)
            tasks = bare({f: getattr(tasks, f) for f in ARRAYS}, other)
        made = object.__new__(cls)
        made._set(tasks=tasks)
        plants = tuple(
            (mine, own if has else None) for mine, own, has in zip(f, g, adapting, strict=True)
        )
        made._set_weights(names, family.weights, adapting, plants)
        return made

    @property
    def n(self) -> int:
        """Number of states of every task."""
        return self.tasks.n

    @property
    def m(self) -> int:
        """Number of inputs of every task."""
        return self.tasks.m

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the tasks."""
        return self.label.value.names

    def __len__(self) -> int:
        return self.weights.shape[0]

    @in_float64
    def __getitem__(self, i: int) -> LQR:
        """Task i as an `LQR` of its own."""
        if not -len(self) <= i < len(self):
            raise IndexError(f"task {i} of a family of {len(self)}")
        i %= len(self)
        label = self.label.value
        f, g = label.plants[i] if label.plants is not None else (None, None)
        adaptation = None
        if label.adapting[i] and self.tasks.adaptation is not None:
            adaptation = bare(_slice(self.tasks.adaptation, i), label=Label(label.names[i], g))
        return bare(_slice(self.tasks, i), adaptation, Label(label.names[i], f))

    def __iter__(self) -> Iterator[LQR]:
        return (self[i] for i in range(len(self)))

    @in_float64
    def normalized(self, by: Any = "optimum", to: Any = None) -> TaskFamily:
        """The same tasks with costs of one size; see `benign.tasks.normalizing.normalize`.

        Raises:
            ProblemError: a task has no size to divide by; the message names it.
        """
        from benign.tasks.normalizing import normalize

        return normalize(self, by=by, to=to)

    def exact(self) -> Family:
        """The family in exact numbers: those given, where the arrays still are their rounding.

        Raises:
            ProblemError: a weight is no longer positive.
        """
        label = self.label.value
        given = label.plants or ((None, None),) * len(self)
        f = exact_plants(self.names, concrete(self.tasks), [pair[0] for pair in given])
        g: list[Plant | None] = [None] * len(self)
        if self.tasks.adaptation is not None and any(label.adapting):
            own = exact_plants(self.names, concrete(self.tasks.adaptation), [pair[1] for pair in given])
            g = [plant if has else None for plant, has in zip(own, label.adapting, strict=True)]
        tasks = [Task(*pieces) for pieces in zip(self.names, f, g, strict=True)]
        weights = np.asarray(self.weights)
        if label.weights is not None and np.array_equal(_normalised(label.weights), weights):
            return make_family(tasks, label.weights)
        if label.weights is None and (weights == 1 / len(self)).all():
            return make_family(tasks)
        return make_family(tasks, [Fraction(x) for x in weights.tolist()])


# --- weights ---------------------------------------------------------------------------------


def _exact_weights(weights: Sequence[Any], names: tuple[str, ...]) -> tuple[Fraction, ...]:
    require_plain(weights, "weights")
    weights = several(weights, "weights", "TaskFamily")
    if len(weights) != len(names):
        raise ProblemError(f"weights: {len(weights)} weights for {len(names)} tasks")
    exact = []
    for i, weight in enumerate(weights):
        place = f"task {i} {quoted(names[i])}"
        try:
            single = getattr(weight, "size", 0) == 1 and hasattr(weight, "item")
            value = to_exact(weight.item() if single else weight)
        except ProblemError as error:
            raise ProblemError(f"{place}: its weight: {error}") from error
        if value <= 0:
            raise ProblemError(f"{place}: its weight must be positive, got {weight}")
        exact.append(value)
    return tuple(exact)


def _normalised(weights: tuple[Fraction, ...]) -> np.ndarray:
    total = summed(weights)
    return np.array([float(w / total) for w in weights])


# --- stacking --------------------------------------------------------------------------------


def names_of(names: Any) -> tuple[str, ...]:
    """The names of tasks.

    Raises:
        UsageError: they are none.
    """
    return tuple(str(name_of(name, "names") or "") for name in several(names, "names", "TaskFamily"))


def _floats(value: Any, field: str) -> np.ndarray:
    return floats_of(value, f"family: `{field}`")


def _broadcast(X: np.ndarray, field: str, k: int, core: tuple[int, ...]) -> np.ndarray:
    """One matrix a task, from stacked matrices, one matrix, stacked scalars or one scalar."""
    if X.shape in ((k, *core), core):
        return np.broadcast_to(X, (k, *core))
    if set(core) <= {1} and X.shape in ((), (k,)):
        return np.broadcast_to(X.reshape(-1, *core), (k, *core))
    raise ProblemError(f"family: `{field}` must have shape {(k, *core)} or {core}, got {X.shape}")


def _checked(
    arrays: dict[str, np.ndarray], names: tuple[str, ...], plants: list[Plant] | None = None
) -> LQR:
    """Stacked tasks, refused if one of them is not well posed.

    Args:
        arrays: float64, one matrix a task.
        names: for messages.
        plants: the exact numbers that the arrays are the rounding of; raised with them, in place.
    """

    def place(i: int) -> str:
        return f"task {i} {quoted(names[i])}"

    for field, X in arrays.items():
        check_finite(place, field, X)
        if field in SYMMETRIC:
            check_symmetric(place, field, X)
            arrays[field] = mean_with_transpose(X)
    doubtful = check_stack(place, dict(arrays))
    if plants is not None:
        _raise_plants(place, plants, arrays, doubtful)
    else:
        for field, doubt in doubtful.items():
            above = _least_weights(arrays) if field == "Q" else lambda i: None
            arrays[field] = raised_stack(place, field, arrays[field], doubt, above)
    return bare({field: kept(X) for field, X in arrays.items()})


def _raise_plants(
    place: Place, plants: list[Plant], arrays: dict[str, np.ndarray], doubtful: dict[str, np.ndarray]
) -> None:
    """Raise what may be indefinite by a rounding in exact problems and in their arrays, in place."""
    for field, doubt in doubtful.items():
        for i in np.flatnonzero(doubt).tolist():
            before = getattr(plants[i], field)
            if before is None:
                continue
            plant = plants[i]
            above = None
            if field == "Q" and plant.N is not None:
                above = least_weight(plant.N, plant.R)
            after = raised_or_refused(place(i), field, before, above=above)
            if after is not before:
                plants[i] = replace(plants[i], **{field: after})
                arrays[field][i] = np.array(after, dtype=object).astype(float)


def _least_weights(arrays: dict[str, np.ndarray]) -> Callable[[int], Matrix | None]:
    """NR⁻¹N' of a task, exactly; None where there is no cross term."""

    def of(i: int) -> Matrix | None:
        if "N" not in arrays or not arrays["N"][i].any():
            return None
        return least_weight(fractions_of(arrays["N"][i]), fractions_of(arrays["R"][i]))

    return of


def _stacked(tasks: list[LQR]) -> dict[str, Array | None]:
    """The arrays of the tasks with a leading task axis; zero noise or N for a task that has none."""
    arrays: dict[str, Array | None] = {}
    for field in ARRAYS:
        values = [getattr(task, field) for task in tasks]
        if all(x is None for x in values):
            arrays[field] = None
            continue
        zero = np.zeros(np.shape(tasks[0].B if field == "N" else tasks[0].Q))
        full = [zero if x is None else x for x in values]
        arrays[field] = _stacked_by_jax(full) if any(map(is_traced, full)) else kept(np.stack(full))
    return arrays


def _stacked_by_jax(values: list[Any]) -> Any:
    import jax.numpy as jnp

    return jnp.stack(values)


def _plain(tasks: LQR) -> LQR:
    """The stacked tasks without the adaptation costs they may have themselves."""
    return bare({field: getattr(tasks, field) for field in ARRAYS})


def _slice(tasks: LQR, i: int) -> dict[str, Array | None]:
    values = {field: getattr(tasks, field) for field in ARRAYS}
    arrays = {field: None if x is None else x[i] for field, x in values.items()}
    for field in ("noise", "N"):
        own = arrays[field]
        if own is not None and not is_traced(own) and not own.any():
            arrays[field] = None  # stacked beside a task that has some
    return arrays
