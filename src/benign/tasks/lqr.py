"""The linear-quadratic regulator, infinite horizon, with an optional discount and process noise."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from benign.errors import ProblemError, UsageError
from benign.exact.problem import Plant
from benign.precision import Array, ArrayLike, float64_method, in_float64, is_traced
from benign.records import Record
from benign.tasks import lqr_plain as plain
from benign.tasks.checks import (
    SYMMETRIC,
    check_finite,
    check_stack,
    check_symmetric,
    raised_plant,
)
from benign.tasks.lqr_given import (
    as_gain,
    discrete,
    exact_plant_of,
    raised_field,
    sampling_of,
    shaped,
)
from benign.tasks.numbers import (
    Unseen,
    name_of,
    plant_of,
    rounds_to,
    symmetrised,
)
from benign.tasks.sampling import Time
from benign.text import quoted

if TYPE_CHECKING:
    from benign.tasks.regulator import Regulator

ARRAYS = ("A", "B", "Q", "R", "S0", "discount", "noise", "N")
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
    """C(W) = E Σ γᵗ (s'Qs + 2 s'N a + a'Ra) under s' = A s + B a + v, a = −W s (minus!).

    In closed form C(W) = tr(P S̄) with P = Q − NW − W'N' + W'RW + γL'PL, L = A − BW and
    S̄ = S0 + γ/(1 − γ) V, V the covariance of v: the undiscounted problem for (√γA, √γB, S̄).
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
        noise: (n, n) covariance V ⪰ 0 of the process noise; needs γ < 1.
        adaptation: Another LQR of the same shape, the cost g that adaptation descends (f ≠ g).
        name: How messages and reports call the task.
        time: "discrete" (the default) or "continuous": A and B are then those of dx/dt = A x + B u and
            are sampled by zero-order hold, rounded to float64 (`benign.tasks.sampling`). Q, R, N, S0
            and noise belong to the sampled plant.
        dt: The sampling time of a continuous plant; positive.
        N: (n, m) cross term of the stage cost, 2 s'N a; none by default. [[Q, N], [N', R]] must be ⪰ 0.
            All that is computed uses C(W) = C̃(W − T), T = R⁻¹N', C̃ the cost without a cross term for
            A − BT and Q − NT (`exact.problem.Plant.completed`).

        Numbers may be strings ("0.1", "1/3"), `Fraction` or `Decimal` as well: a proof then is
        about exactly those. A Python float is the binary number it is.

        A Q, S0, noise or [[Q, N], [N', R]] that is indefinite by no more than rounding, such as C'C in
        floats, is raised to one that is ⪰ 0 exactly, with a `benign.errors.RoundingWarning`: an ulp of
        its largest entry, or a few, are added to its diagonal (to that of Q).

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
    N: Float[Array, "*batch n m"] | None
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
        given = shaped(place, A, B, Q, R, S0, discount, noise, N)
        for field, value in given.items():
            if not value.traced:
                check_finite(lambda _: place, field, value.floats[None])
            if field in SYMMETRIC:
                if not value.traced:
                    check_symmetric(lambda _: place, field, value.floats[None])
                given[field] = symmetrised(value)
        given["A"], given["B"] = discrete(place, given["A"], given["B"], time, dt)
        doubtful = check_stack(
            lambda _: place,
            {f: None if x.traced else np.asarray(x.floats)[None] for f, x in given.items()},
        )
        for field, doubt in doubtful.items():
            if doubt.any():
                given[field] = raised_field(place, field, given)
        for field in ARRAYS:
            self._set(**{field: _kept(given[field].floats) if field in given else None})
        if adaptation is not None and (adaptation.n, adaptation.m) != (self.n, self.m):
            raise ProblemError(
                f"{place}: `adaptation` has {adaptation.n} states and {adaptation.m} inputs, "
                f"the task has {self.n} and {self.m}; give a cost on the same gains"
            )
        self._set(adaptation=adaptation, label=Unseen(Label(name, exact_plant_of(given))))

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
            N=None if plant.N is None else np.array(plant.N, dtype=object),
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
        N: Any = None,
    ) -> LQR:
        """lim (1/T) E Σ_{t<T} (s'Qs + 2 s'N a + a'Ra) under process noise of covariance V: tr(P V).

        The initial state is forgotten, and the undiscounted problem with S0 = V has the same cost,
        which is what is made.

        Raises:
            ProblemError: as the constructor; `S0` in a message is the noise.
        """
        return cls(A, B, Q, R, noise, adaptation=adaptation, name=name, time=time, dt=dt, N=N)

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
        N: Any = None,
    ) -> LQR:
        """The plant of a state-space model of python-control or SciPy (`lti`, `dlti`).

        C and D are not looked at: the policy sees the state. For a price of outputs y = C s + D a give
        Q = C'Q_y C, N = C'Q_y D and R + D'Q_y D.

        Args:
            system: Has A, B and dt: None or 0 for a continuous model, which is sampled by zero-order
                hold; the sampling time, or True for one that is not said, for a discrete model.
            Q, R, S0, discount, noise, adaptation, name, N: As for the constructor.
            dt: The sampling time of a continuous model; positive.

        Raises:
            ProblemError: no such model, a continuous one without `dt`, a discrete one with another; and
                as the constructor.
        """
        place = "LQR.from_state_space" if name is None else f"task {quoted(name)}"
        time, dt = sampling_of(place, system, dt)
        return cls(
            system.A, system.B, Q, R, S0,
            discount=discount, noise=noise, adaptation=adaptation, name=name, time=time, dt=dt, N=N,
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
        """The equivalent problem without discount, noise and cross term; see `lqr_by_jax`."""
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
        """W* = (R + B'P*B)⁻¹(B'P*A + N'), P* the stabilising solution of the Riccati equation.

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
