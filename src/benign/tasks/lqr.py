"""The linear-quadratic regulator, infinite horizon, with an optional discount and process noise."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from benign.errors import ProblemError, UsageError
from benign.exact.numbers import exact as to_exact
from benign.exact.problem import Matrix, Plant
from benign.precision import Array, ArrayLike, float64_method, in_float64, is_traced, jax_if_loaded
from benign.records import Record
from benign.tasks import lqr_plain as plain
from benign.tasks.checks import (
    SYMMETRIC,
    check_finite,
    check_stabilisable,
    check_stack,
    check_symmetric,
    raised_or_refused,
    raised_plant,
    raised_stack,
)
from benign.tasks.numbers import (
    Given,
    Unseen,
    name_of,
    plant_of,
    read,
    require_plain,
    rounded,
    rounds_to,
    symmetrised,
)
from benign.tasks.sampling import Time, is_sampled, zero_order_hold
from benign.tasks.wellposed import NO_CROSS_TERM
from benign.text import quoted

if TYPE_CHECKING:
    from benign.tasks.regulator import Regulator

ARRAYS = ("A", "B", "Q", "R", "S0", "discount", "noise")
"""The numbers of a task, in the order of the constructor."""


class Status(IntEnum):
    """What a gain does to the loop; an integer, so that it can be computed under `vmap`."""

    STABILISING = 0
    NOT_STABILISING = 1
    ILL_CONDITIONED = 2

    @property
    def message(self) -> str:
        """The status in words."""
        return _MESSAGES[self]


_MESSAGES = {
    Status.STABILISING: "the gain stabilises the loop; the cost is finite",
    Status.NOT_STABILISING: "the spectral radius of A − BW is 1 or more (the cost is +inf); "
    "move the gain towards the task's optimum",
    Status.ILL_CONDITIONED: "the loop is stable, but its powers grow so far before they decay that "
    "float64 cannot resolve the cost, which is reported as +inf; rescale the states",
}


class Optimum(Record):
    """The best gain of a task.

    Attributes:
        W: (m, n) optimal gain W*.  P: (n, n) cost-to-go P*.  cost: C* = tr(P* S0).
    """

    W: Float[Array, "*batch m n"]
    P: Float[Array, "*batch n n"]
    cost: Float[Array, "*batch"]

    def __init__(self, W: Any, P: Any, cost: Any):
        self._set(W=W, P=P, cost=cost)

    def __str__(self) -> str:
        return f"cost {np.asarray(self.cost):.9g} at W = {np.asarray(self.W).tolist()}"


class Label(NamedTuple):
    """What a task is called and, if floats would lose something, its exact numbers."""

    name: str | None = None
    plant: Plant | None = None


class LQR(Record):
    """C(W) = E Σ γᵗ (s'Qs + a'Ra) under s' = A s + B a + v, a = −W s (minus!).

    In closed form C(W) = tr(P S̄) with P = Q + W'RW + γL'PL, L = A − BW and
    S̄ = S0 + γ/(1 − γ) N, N the covariance of v: the undiscounted problem for (√γA, √γB, S̄).
    It is finite where √γ ρ(L) < 1 and +∞ elsewhere; all derivatives are zeros there, never NaN.

    The object is a frozen pytree of float64 arrays: it can be differentiated, stacked and mapped.
    A gain is (m, n), or the vector (m·n,) of its rows, or a scalar if n = m = 1; gradients have the
    shape of the gain.

    Args:
        A: (n, n) dynamics; a scalar for n = 1.
        B: (n, m) inputs; a 1-D array is a row of m inputs for n = 1, else a column.
        Q: (n, n) state cost, symmetric, ⪰ 0.
        R: (m, m) input cost, symmetric, ≻ 0. R + B'PB ≻ 0 is not enough: where an input is free, the
            cost may stay bounded in a loop that is not stable (a zero of the plant on or outside the
            unit circle becomes its mode), and proofs rest on its growth. Give it a small price.
        S0: (n, n) second moment E[s0 s0'] of the initial state, ⪰ 0; the identity by default.
        discount: γ in (0, 1].
        noise: (n, n) covariance N ⪰ 0 of the process noise; needs γ < 1.
        adaptation: Another LQR of the same shape, the cost g that adaptation descends (f ≠ g).
        name: How messages and reports call the task.
        time: "discrete" (the default) or "continuous": A and B are then those of dx/dt = A x + B u and
            are sampled by zero-order hold, rounded to float64 (`benign.tasks.sampling`). Q, R, S0 and
            noise belong to the sampled plant.
        dt: The sampling time of a continuous plant; positive.
        N: (n, m) cross term of the stage cost, 2 s'N a. Only zeros are taken; the message says by which
            substitution some families with another can be given.

        Numbers may be strings ("0.1", "1/3"), `Fraction` or `Decimal` as well: a proof then is
        about exactly those. A Python float is the binary number it is.

        A Q, S0 or noise that is indefinite by no more than rounding, such as C'C in floats, is raised
        to one that is ⪰ 0 exactly, with a `benign.errors.RoundingWarning`: an ulp of its largest entry,
        or a few, are added to its diagonal.

    Raises:
        ProblemError: a field has the wrong shape, sign, definiteness or symmetry, or is not finite,
            or no gain stabilises, or a plant cannot be sampled. Only what is concrete is tested:
            nothing while JAX traces.

    Source: I. Molybog and J. Lavaei, arXiv 2006.00453, section on the linear-quadratic regulator.
    """

    A: Float[Array, "*batch n n"]
    B: Float[Array, "*batch n m"]
    Q: Float[Array, "*batch n n"]
    R: Float[Array, "*batch m m"]
    S0: Float[Array, "*batch n n"]
    discount: Float[Array, "*batch"]
    noise: Float[Array, "*batch n n"] | None
    adaptation: LQR | None
    label: Unseen[Label]
    STATIC: ClassVar[tuple[str, ...]] = ("label",)

    @in_float64
    def __init__(
        self,
        A: Any,
        B: Any,
        Q: Any,
        R: Any,
        S0: Any = None,
        *,
        discount: Any = 1,
        noise: Any = None,
        adaptation: LQR | None = None,
        name: str | None = None,
        time: Time | None = None,
        dt: Any = None,
        N: Any = None,
    ):
        name = name_of(name, "LQR: name")
        place = "LQR" if name is None else f"task {quoted(name)}"
        if adaptation is not None and not isinstance(adaptation, LQR):
            raise UsageError(
                f"{place}: adaptation: expected an LQR, got {type(adaptation).__name__}; give a cost "
                "on the same gains"
            )
        given = _shaped(place, A, B, Q, R, S0, discount, noise)
        if N is not None:
            _refuse_cross_term(place, N, given["B"])
        for field, value in given.items():
            if not value.traced:
                check_finite(lambda _: place, field, value.floats[None])
            if field in SYMMETRIC:
                if not value.traced:
                    check_symmetric(lambda _: place, field, value.floats[None])
                given[field] = symmetrised(value)
        given["A"], given["B"] = _discrete(place, given["A"], given["B"], time, dt)
        doubtful = check_stack(
            lambda _: place,
            {f: None if x.traced else np.asarray(x.floats)[None] for f, x in given.items()},
        )
        for field, doubt in doubtful.items():
            if doubt.any():
                given[field] = _raised(place, field, given[field])
        for field in ARRAYS:
            self._set(**{field: _kept(given[field].floats) if field in given else None})
        if adaptation is not None and (adaptation.n, adaptation.m) != (self.n, self.m):
            raise ProblemError(
                f"{place}: `adaptation` has {adaptation.n} states and {adaptation.m} inputs, "
                f"the task has {self.n} and {self.m}; give a cost on the same gains"
            )
        self._set(adaptation=adaptation, label=Unseen(Label(name, _exact_plant(given))))

    @classmethod
    def from_exact(
        cls, plant: Plant, *, adaptation: Plant | None = None, name: str | None = None
    ) -> LQR:
        """The task whose numbers are those of an exact problem, each rounded to float64.

        Raises:
            ProblemError: as the constructor.
        """
        other = None if adaptation is None else cls.from_exact(adaptation, name=name)
        return cls(
            *(np.array(getattr(plant, field), dtype=object) for field in ("A", "B", "Q", "R", "S0")),
            discount=plant.discount,
            noise=None if plant.noise is None else np.array(plant.noise, dtype=object),
            adaptation=other,
            name=name,
        )

    @classmethod
    def average_cost(
        cls,
        A: Any,
        B: Any,
        Q: Any,
        R: Any,
        noise: Any,
        *,
        adaptation: LQR | None = None,
        name: str | None = None,
        time: Time | None = None,
        dt: Any = None,
    ) -> LQR:
        """lim (1/T) E Σ_{t<T} (s'Qs + a'Ra) under process noise of covariance N: C(W) = tr(P N).

        The initial state is forgotten, and the undiscounted problem with S0 = N has the same cost,
        which is what is made.

        Raises:
            ProblemError: as the constructor; `S0` in a message is the noise.
        """
        return cls(A, B, Q, R, noise, adaptation=adaptation, name=name, time=time, dt=dt)

    @classmethod
    def from_state_space(
        cls,
        system: Any,
        Q: Any,
        R: Any,
        S0: Any = None,
        *,
        dt: Any = None,
        discount: Any = 1,
        noise: Any = None,
        adaptation: LQR | None = None,
        name: str | None = None,
    ) -> LQR:
        """The plant of a state-space model of python-control or SciPy (`lti`, `dlti`).

        C and D are not looked at: the policy sees the state. For a price of outputs y = C s give
        Q = C'Q_y C.

        Args:
            system: Has A, B and dt: None or 0 for a continuous model, which is sampled by zero-order
                hold; the sampling time, or True for one that is not said, for a discrete model.
            Q, R, S0, discount, noise, adaptation, name: As for the constructor.
            dt: The sampling time of a continuous model; positive.

        Raises:
            ProblemError: no such model, a continuous one without `dt`, a discrete one with another; and
                as the constructor.
        """
        place = "LQR.from_state_space" if name is None else f"task {quoted(name)}"
        if any(getattr(system, field, None) is None for field in "AB") or not hasattr(system, "dt"):
            raise ProblemError(
                f"{place}: expected a state-space model with A, B and dt, got "
                f"a {type(system).__name__}; of a transfer function make one first"
            )
        own = system.dt
        if own is None or own == 0:
            if dt is None:
                raise ProblemError(
                    f"{place}: the model is one of continuous time (its dt is {own}); give `dt`, the "
                    "sampling time in its unit of time"
                )
            time: Time = "continuous"
        else:
            if dt is not None and (own is True or to_exact(own) != to_exact(dt)):
                raise ProblemError(
                    f"{place}: the model is sampled already (its dt is {own}); leave out `dt`, or give "
                    "the continuous model"
                )
            time, dt = "discrete", None
        return cls(
            system.A, system.B, Q, R, S0,
            discount=discount, noise=noise, adaptation=adaptation, name=name, time=time, dt=dt,
        )  # fmt: skip

    @property
    def n(self) -> int:
        """Number of states."""
        return self.B.shape[-2]

    @property
    def m(self) -> int:
        """Number of inputs."""
        return self.B.shape[-1]

    @property
    def name(self) -> str | None:
        """How messages and reports call the task."""
        return self.label.value.name

    @property
    @in_float64
    def regulator(self) -> Regulator:
        """The equivalent problem without discount and noise: √γ(A, B) and S0 + γ/(1 − γ) N."""
        return _by_jax().regulator(self)

    @property
    def g(self) -> LQR:
        """The cost that adaptation descends: `adaptation`, or the task itself."""
        return self if self.adaptation is None else self.adaptation

    @float64_method
    def cost(self, W: ArrayLike) -> Float[Array, ""]:
        """C(W) = tr(P S̄), +∞ where W does not stabilise; `status` says which.

        Differentiable by JAX to any order, in W and in the numbers of the task.

        Args:
            W: (m, n) gain of a = −W s, or (m·n,); a scalar if n = m = 1.

        Raises:
            ProblemError: W has another shape.
        """
        gain = as_gain(W, self.m, self.n)
        found = plain.cost(self, gain)
        return _by_jax().cost(self, gain) if found is None else found

    @float64_method
    def gradient(self, W: ArrayLike) -> Float[Array, "*gain"]:
        """∇C(W) = 2 G Σ, in the shape of W; zeros outside the stabilising set (the cost says +∞).

        Raises:
            ProblemError: W has another shape than (m, n).
        """
        gain = as_gain(W, self.m, self.n)
        found = plain.gradient(self, gain)
        return (_by_jax().gradient(self, gain) if found is None else found).reshape(np.shape(W))

    @float64_method
    def hessian_product(self, W: ArrayLike, E: ArrayLike) -> Float[Array, "*gain"]:
        """∇²C(W)[E] = d/dt ∇C(W + tE) at t = 0, in the shape of W; zeros outside as `gradient`.

        Raises:
            ProblemError: W or E has another shape than (m, n).
        """
        E, gain = as_gain(E, self.m, self.n, "E"), as_gain(W, self.m, self.n)
        found = plain.hessian_product(self, gain, E)
        found = _by_jax().hessian_product(self, gain, E) if found is None else found
        return found.reshape(np.shape(W))

    @float64_method
    def hessian(self, W: ArrayLike) -> Float[Array, "*gain"]:
        """∇²C(W), an array of shape (m, n, m, n): entry [i, j, k, l] is ∂²C / ∂W_ij ∂W_kl.

        (m·n, m·n) if W is a vector, a scalar if W is one. Zeros outside the stabilising set.

        Raises:
            ProblemError: W has another shape than (m, n).
        """
        gain = as_gain(W, self.m, self.n)
        found = plain.hessian(self, gain)
        return (_by_jax().hessian(self, gain) if found is None else found).reshape(np.shape(W) * 2)

    @float64_method
    def optimum(self) -> Optimum:
        """W* = (R + B'P*B)⁻¹B'P*A, P* the stabilising solution of the Riccati equation.

        The cost is +∞ and W zero if the solver finds no stabilising solution (see `linalg.dare`).
        """
        found = plain.optimum(self)
        return Optimum(*(_by_jax().optimum(self) if found is None else found))

    @float64_method
    def status(self, W: ArrayLike) -> Int[Array, ""]:
        """A code of `Status`; ``Status(int(task.status(W))).message`` says it in words.

        Raises:
            ProblemError: W has another shape than (m, n).
        """
        gain = as_gain(W, self.m, self.n)
        return _by_jax().status(self, gain)

    def exact_plant(self) -> Plant:
        """The exact numbers of the task: those given, while the arrays still are their rounding.

        After an array was replaced (`eqx.tree_at`, a gradient step) they are the binary numbers of
        the arrays. Without the adaptation cost, which is a task of its own.
        """
        arrays = concrete(self)
        plant = self.label.value.plant
        if plant is not None and rounds_to(plant, arrays):
            return plant
        return raised_plant(self.name or "LQR", plant_of(arrays))


def _kept(floats: Any) -> Any:
    """The array as a task keeps it: NumPy's until JAX is asked for something, and read-only."""
    if is_traced(floats):
        return floats.astype(float)
    kept = np.array(floats, np.float64)
    kept.setflags(write=False)
    return kept


def bare(arrays: dict[str, Any], adaptation: LQR | None = None, label: Label | None = None) -> LQR:
    """A task from arrays known to be well posed, stacked ones included: no test is made."""
    task = object.__new__(LQR)
    fields = {field: arrays.get(field) for field in ARRAYS}
    task._set(**fields, adaptation=adaptation, label=Unseen(label or Label()))
    return task


def _by_jax() -> Any:
    """The arithmetic of a task in JAX: for what is traced, and where NumPy's would not do."""
    from benign.tasks import lqr_by_jax

    return lqr_by_jax


def concrete(task: LQR) -> dict[str, np.ndarray | None]:
    """The numbers of the task as NumPy arrays."""
    values = {field: getattr(task, field) for field in ARRAYS}
    return {field: None if x is None else np.asarray(x) for field, x in values.items()}


def as_gain(W: ArrayLike, m: int, n: int, what: str = "W") -> Float[Array, "m n"]:
    """The gain as an (m, n) array, from one or from its rows one after another (SciPy's vectors).

    Raises:
        ProblemError: another shape.
    """
    if not is_traced(W):
        require_plain(W, f"`{what}`")
    jax = jax_if_loaded()
    try:
        array: Any = np.asarray(W, np.float64) if jax is None else jax.numpy.asarray(W, float)
    except Exception as error:
        raise ProblemError(
            f"`{what}`: expected the numbers of a gain, got {type(W).__name__}"
        ) from error
    if array.shape == (m, n):
        return array
    if array.shape == (m * n,) or (array.shape == () and m == n == 1):
        return array.reshape(m, n)
    alternative = " or a scalar" if m == n == 1 else ""
    raise ProblemError(
        f"`{what}`: expected a gain of shape ({m}, {n}) or ({m * n},){alternative}, got {array.shape}; "
        "map over a batch of gains with jax.vmap"
    )


def _shaped(
    place: str, A: Any, B: Any, Q: Any, R: Any, S0: Any, discount: Any, noise: Any
) -> dict[str, Given]:
    """Every field that was given, as matrices of one size."""
    given = {"A": read(A, place, "A"), "B": read(B, place, "B")}
    shape = given["A"].floats.shape
    n = 1 if shape == () else shape[0]
    if shape not in ((), (n, n)) or n == 0:
        raise ProblemError(f"{place}: `A` must be a square matrix, got shape {shape}")
    given["A"] = given["A"].reshape(n, n)
    shape = given["B"].floats.shape
    columns = {0: 1, 1: 1 if n > 1 else (shape or (1,))[0], 2: shape[-1] if shape else 0}
    m = columns.get(len(shape), 0)
    if m == 0 or int(np.prod(shape)) != n * m or (len(shape) == 2 and shape[0] != n):
        raise ProblemError(
            f"{place}: `B` must have a row for each of the {n} states of `A`, got shape {shape}"
        )
    given["B"] = given["B"].reshape(n, m)
    sizes = {"Q": (Q, n), "R": (R, m), "S0": (np.eye(n) if S0 is None else S0, n)}
    if noise is not None:
        sizes["noise"] = (noise, n)
    for field, (value, size) in sizes.items():
        given[field] = read(value, place, field)
        shape = given[field].floats.shape
        if shape != (size, size) and (shape != () or size != 1):
            raise ProblemError(f"{place}: `{field}` must have shape ({size}, {size}), got {shape}")
        given[field] = given[field].reshape(size, size)
    given["discount"] = read(discount, place, "discount")
    if given["discount"].floats.shape != ():
        raise ProblemError(f"{place}: `discount` must be one number, got {discount!r}")
    return given


def _refuse_cross_term(place: str, N: Any, B: Given) -> None:
    given, shape = read(N, place, "N"), B.floats.shape
    if given.floats.shape != shape and (given.floats.shape != () or shape != (1, 1)):
        raise ProblemError(f"{place}: `N` must have shape {shape}, got {given.floats.shape}")
    if given.traced or given.floats.any():
        raise ProblemError(f"{place}: {NO_CROSS_TERM}")


def _discrete(place: str, A: Given, B: Given, time: Time | None, dt: Any) -> tuple[Given, Given]:
    """The plant of one step: the one given, or sampled as a family file's is."""
    try:
        if not is_sampled(time, dt):
            return A, B
        if A.traced or B.traced or is_traced(dt):
            raise ProblemError("a plant is sampled from known numbers; make the task outside of JAX")
        sampled = zero_order_hold(_rows(A), _rows(B), to_exact(dt))
    except ProblemError as error:
        raise ProblemError(f"{place}: {error}") from error
    # Every entry is a float64 number: floats say it all.
    A, B = (Given(np.array(M, dtype=object).astype(float)) for M in sampled)
    stacks = np.asarray(A.floats)[None], np.asarray(B.floats)[None]
    check_stabilisable(lambda _: place, *stacks, np.ones(1), rounded=True)
    return A, B


def _rows(given: Given) -> Matrix:
    """The exact numbers of a field."""
    entries = given.floats if given.fractions is None else given.fractions
    return tuple(tuple(to_exact(x) for x in row) for row in entries.tolist())


def _raised(place: str, field: str, given: Given) -> Given:
    """A matrix that may be indefinite by a rounding, ⪰ 0 exactly: as floats, if these say it all."""
    if given.fractions is None:
        X = np.asarray(given.floats)[None]
        return Given(raised_stack(lambda _: place, field, X, np.ones(1, bool))[0])
    rows = tuple(map(tuple, given.fractions.tolist()))
    return rounded(np.array(raised_or_refused(place, field, rows), dtype=object))


def _exact_plant(given: dict[str, Given]) -> Plant | None:
    """The exact problem, or None where the float64 arrays hold all there is (or are traced)."""
    if any(x.traced for x in given.values()) or all(x.fractions is None for x in given.values()):
        return None
    discount = given["discount"]
    return Plant(
        *(_rows(given[field]) for field in ("A", "B", "Q", "R", "S0")),
        discount=to_exact(
            (discount.floats if discount.fractions is None else discount.fractions).item()
        ),
        noise=_rows(given["noise"]) if "noise" in given else None,
    )
