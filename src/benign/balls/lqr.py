"""LQR in any dimension in ball arithmetic: costs, derivatives, adapted gains, h, and optimal costs.

    L = A − BW,  P = Q + W'RW + L'PL,  Σ = S0 + LΣL',  C(W) = tr(P S0),  ∇C(W) = 2GΣ,

with G = (R + B'PB)W − B'PA and ρ(L) < 1. A discount γ and process noise N are folded in: (A, B)
stands for √γ(A, B), S0 for S0 + γ/(1 − γ)N. Gains are matrices of balls (m, n); a policy is a = −Ws.
Nothing here trusts a Riccati solver: see `least_cost` and `optimum`.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, reduce
from itertools import product

from flint import arb, arb_mat, ctx

from benign.balls.matrices import (
    Lyapunov,
    Unproved,
    blocks,
    frobenius_norm,
    inner,
    is_positive_definite,
    is_unstable,
    symmetrised_middle,
    to_ball_matrix,
    widened,
)
from benign.exact.problem import Plant, Problem
from benign.exact.rounding import to_ball
from benign.text import quoted

IMPROVEMENTS = 100
"""Most policy improvements; they converge quadratically where the optimum is attained."""

SHARES = (0.75, 0.5, 0.25, 0.125)
"""Margins of a strict lower bound of P* that are tried: 2^(−share · bits), smallest first."""

FLOORS = (100, 20)
"""What a state's margin is at least, next to the largest: 2^(−this); the least first."""

CONTRACTIONS = (60, 40, 20, 10)
"""Where the optimum is not attained, (A, B) is shrunk by 1 − 2^(−this), the least first."""


class NotStabilising(ArithmeticError):  # noqa: N818 - it is an answer, not a fault
    """ρ(√γ(A − BW)) ≥ 1, certainly: the cost of the gain is +∞."""


@dataclass(frozen=True)
class BallPlant:
    """A plant in balls, with the discount folded into A and B, the noise into S, the cross term into Q.

    The stage cost under a gain W is Q + (W − T)'R(W − T), as `Plant.completed` has it: an input is paid
    for by what it differs from −T s. All that is shown of costs rests on Q ⪰ 0 and R ≻ 0 in this form.

    Attributes:
        A: (n, n), √γ A.  B: (n, m), √γ B.  Q: (n, n), what is left of the state weight.  R: (m, m).
        S: (n, n), S0 + γ/(1 − γ) V, V the noise.
        T: (m, n), R⁻¹N', or None for zero.
    """

    A: arb_mat
    B: arb_mat
    Q: arb_mat
    R: arb_mat
    S: arb_mat
    T: arb_mat | None = None

    @staticmethod
    def of(plant: Plant) -> BallPlant:
        """The plant at the working precision."""
        numbers = (plant.A, plant.B, plant.completed.Q, plant.R, plant.moment)
        A, B, Q, R, S = map(to_ball_matrix, numbers)
        T = None if plant.shift is None else to_ball_matrix(plant.shift)
        made = BallPlant(A, B, Q, R, S, T)
        return made if plant.discount == 1 else made.scaled(to_ball(plant.discount).sqrt())

    def scaled(self, factor: arb) -> BallPlant:
        """The plant with (A, B) times a number."""
        return BallPlant(self.A * factor, self.B * factor, self.Q, self.R, self.S, self.T)

    def paid(self, W: arb_mat) -> arb_mat:
        """W − T: what of the gain is paid for."""
        return W if self.T is None else W - self.T

    def stage(self, W: arb_mat) -> arb_mat:
        """Q + (W − T)'R(W − T): the weight of a state under the gain W."""
        paid = self.paid(W)
        return self.Q + paid.transpose() * self.R * paid


class ClosedLoop:
    """One plant under one gain that is proved to stabilise it.

    Args:
        plant: the plant.
        W: (m, n), balls.

    Raises:
        NotStabilising: ρ(L) ≥ 1 was shown.
        Unproved: neither ρ(L) < 1 nor ρ(L) ≥ 1 could be shown.

    Source: Fazel, Ge, Kakade and Mesbahi, arXiv 1801.05039; the second derivative is implicit
    differentiation of the two Lyapunov equations.
    """

    def __init__(self, plant: BallPlant, W: arb_mat) -> None:
        self.plant, self.W = plant, W
        self.L = plant.A - plant.B * W
        try:
            self.forward = Lyapunov(self.L)
        except Unproved:
            if is_unstable(self.L):
                raise NotStabilising("the gain does not stabilise the plant") from None
            raise

    @cached_property
    def backward(self) -> Lyapunov:
        """The solver of X = L'XL + S."""
        return Lyapunov(self.L.transpose())

    @cached_property
    def P(self) -> arb_mat:
        """P = Q + (W − T)'R(W − T) + L'PL, (n, n)."""
        return self.backward.solve(self.plant.stage(self.W))

    @cached_property
    def Sigma(self) -> arb_mat:
        """Σ = S0 + LΣL', (n, n)."""
        return self.forward.solve(self.plant.S)

    @cached_property
    def cost(self) -> arb:
        """C(W) = tr(P S0)."""
        return inner(self.P, self.plant.S)

    @cached_property
    def input_price(self) -> arb_mat:
        """R + B'PB, (m, m)."""
        B = self.plant.B
        return self.plant.R + B.transpose() * self.P * B

    @cached_property
    def G(self) -> arb_mat:
        """G = (R + B'PB)W − B'PA − RT = R(W − T) − B'PL, (m, n)."""
        return self.plant.R * self.plant.paid(self.W) - self.plant.B.transpose() * self.P * self.L

    @cached_property
    def gradient(self) -> arb_mat:
        """∇C(W) = 2GΣ, (m, n)."""
        return 2 * self.G * self.Sigma

    def hessian_product(self, E: arb_mat) -> arb_mat:
        """∇²C(W)[E] = 2((R + B'PB)E − B'P'L)Σ + 2GΣ', (m, n).

        P' = L'P'L + E'G + G'E and Σ' = LΣ'L' − BEΣL' − LΣE'B' are the derivatives along E.
        """
        half = E.transpose() * self.G
        dP = self.backward.solve(half + half.transpose())
        dG = self.input_price * E - self.plant.B.transpose() * dP * self.L
        return 2 * (dG * self.Sigma + self.G * self._moment_slope(E))

    def hessian(self) -> arb_mat:
        """∇²C(W), (mn, mn), over the gain's entries row by row.

        ⟨E, −B'P'(F)LΣ⟩ = ½⟨P'(F), −BEΣL' − LΣE'B'⟩ = ½⟨F'G + G'F, Σ'(E)⟩ = ⟨F, GΣ'(E)⟩, as the two
        Lyapunov operators are adjoint; so ∇²C = 2 (R + B'PB) ⊗ Σ + 2(K + K'), where column E of K is
        GΣ'(E). One Lyapunov equation for each entry of the gain, and a symmetric result.
        """
        m, n = self.W.nrows(), self.W.ncols()
        columns = []
        for i in range(m):
            for j in range(n):
                E = arb_mat(m, n)
                E[i, j] = 1
                columns.append((self.G * self._moment_slope(E)).entries())
        M, Sigma = self.input_price, self.Sigma
        size = range(m * n)
        return arb_mat(
            [
                [
                    2 * (M[a // n, b // n] * Sigma[a % n, b % n] + columns[b][a] + columns[a][b])
                    for b in size
                ]
                for a in size
            ]
        )

    def _moment_slope(self, E: arb_mat) -> arb_mat:
        half = self.plant.B * E * self.Sigma * self.L.transpose()
        return self.forward.solve(-(half + half.transpose()))


# --- the meta-objective ----------------------------------------------------------------------


@dataclass(frozen=True)
class Visit:
    """What one task makes of a gain W: the loops of g at W_0 = W … W_{k−1}, and of f at F(W) = W_k."""

    shots: tuple[ClosedLoop, ...]
    last: ClosedLoop


class LqrObjective:
    """h(W) = Σ ω_τ f_τ(F_τ(W)) in any dimension, for both kinds of step.

    F(W) = W − η∇g(W), or W − ηu with u = ∇g/‖∇g‖ (Frobenius), applied `shots` times.

    Raises (every method):
        NotStabilising: a gain that is visited does not stabilise, so that h(W) = +∞.
        Unproved: it could not be decided, or (normalised step) ∇g ≠ 0 could not be shown.
    """

    loop: type[ClosedLoop] = ClosedLoop

    def __init__(self, problem: Problem) -> None:
        made = {plant: BallPlant.of(plant) for task in problem.tasks for plant in (task.f, task.g)}
        self.f = [made[task.f] for task in problem.tasks]
        self.g = [made[task.g] for task in problem.tasks]
        self.names = [task.name for task in problem.tasks]
        self.weights = [to_ball(weight) for weight in problem.weights]
        self.eta = to_ball(problem.step.eta)
        self.normalized = problem.step.kind == "normalized"
        self.shots = problem.step.shots

    def visit(self, task: int, W: arb_mat) -> Visit:
        """The gains that one task visits from W, and its loops there."""
        loops: list[ClosedLoop] = []
        try:
            for _ in range(self.shots):
                loops.append(self.loop(self.g[task], W))
                W = W - self._pace(loops[-1]) * loops[-1].gradient
            return Visit(tuple(loops), self.loop(self.f[task], W))
        except (NotStabilising, Unproved) as error:
            where = "W itself" if not loops else f"the gain after shot {len(loops)}"
            raise type(error)(f"task {quoted(self.names[task])}, {where}: {error}") from None

    def adapted(self, W: arb_mat) -> list[arb_mat]:
        """F_τ(W), task by task."""
        return [self.visit(task, W).last.W for task in range(len(self.f))]

    def value(self, W: arb_mat) -> arb:
        """h(W)."""
        costs = [self.visit(task, W).last.cost for task in range(len(self.f))]
        return sum((w * c for w, c in zip(self.weights, costs, strict=True)), arb(0))

    def gradient(self, W: arb_mat) -> arb_mat:
        """∇h(W) = Σ ω_τ F_τ'(W)* ∇f_τ(F_τ(W)), (m, n).

        The adjoint shots, last to first: v ← v − η∇²g[v], or, for the normalised step,
        v ← v − (η/‖∇g‖) ∇²g[v − u⟨u, v⟩].
        """
        total = arb_mat(W.nrows(), W.ncols())
        for task, weight in enumerate(self.weights):
            total += self.task_gradient(self.visit(task, W)) * weight
        return total

    def task_gradient(self, visit: Visit) -> arb_mat:
        """∇(f_τ∘F_τ)(W) = F_τ'(W)* ∇f_τ(F_τ(W)), (m, n)."""
        v = visit.last.gradient
        for loop in reversed(visit.shots):
            v = self._pulled(loop, v)
        return v

    def _pace(self, loop: ClosedLoop) -> arb:
        """What multiplies ∇g in a shot: η, or η/‖∇g‖."""
        if not self.normalized:
            return self.eta
        square = inner(loop.gradient, loop.gradient)
        if not square > 0:
            raise Unproved("∇g ≠ 0 could not be shown, where the normalised step jumps")
        return self.eta / square.sqrt()

    def _pulled(self, loop: ClosedLoop, v: arb_mat) -> arb_mat:
        across = v
        if self.normalized:
            slope = loop.gradient
            across = v - slope * (inner(slope, v) / inner(slope, slope))
        return v - loop.hessian_product(across) * self._pace(loop)


# --- optimal costs ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Optimum:
    """Enclosures of an optimum that exists: C* = tr(P*S0), P* (n, n), W* (m, n), Σ* (n, n)."""

    cost: arb
    P: arb_mat
    gain: arb_mat
    Sigma: arb_mat


def least_cost(plant: BallPlant, W: arb_mat) -> arb:
    """An exact number that no stabilising gain's cost is below: C(V) ≥ tr(P S0) for every V.

    If P is a sub-solution of the Riccati equation, that is,

        [[Q + A'PA − P, A'PB], [B'PA, R + B'PB]] ⪰ 0,                                      (1)

    then the congruence with [I; −V] gives P ⪯ Q + V'RV + L'PL for L = A − BV; put into itself k
    times, P ⪯ Σ_{t<k} L'ᵗ(Q + V'RV)Lᵗ + L'ᵏPLᵏ → P_V where ρ(L) < 1. So tr(P S0) ≤ tr(P_V S0). (With
    a cross term this is of A − BT for A and V − T for V: the same loops L, and the costs above.)

    Where (1) cannot hold strictly (a mode on the unit circle that costs nothing: the infimum is not
    attained), θ(A, B) with θ < 1 takes the place of (A, B): P_V = Σ L'ᵗ(Q + V'RV)Lᵗ is not
    increased by that, Q ⪰ 0 and R ≻ 0. The last resort is P = 0, a sub-solution for these Q and R.

    Args:
        plant: Q ⪰ 0, R ≻ 0, S ⪰ 0 (shown by the caller).
        W: (m, n), a gain that stabilises; where the search for P begins. It cannot make the bound
            wrong.
    """
    for factor in (arb(1), *(1 - arb(2) ** (-bits) for bits in CONTRACTIONS)):
        scaled = plant.scaled(factor)
        try:
            P = _sub_solution(scaled, _improved(scaled, W))[1]
        except (Unproved, NotStabilising):
            continue
        bound = inner(P, plant.S).lower()
        return bound if bound > 0 else arb(0)
    return arb(0)


def optimum(plant: BallPlant, W: arb_mat) -> Optimum:
    """Proof that some gain is optimal, with enclosures.

    Let P₀ satisfy (1) of `least_cost` strictly, and let V stabilise. Policy iteration from V,
    W_{k+1} = (R + B'P_kB)⁻¹B'P_kA, never leaves the stabilising gains: for Z = P_k − P₀ ⪰ 0,
    P_k − L'P_kL ⪰ Q + W'RW at W = W_{k+1} and P₀ − L'P₀L ≺ Q + W'RW give Z − L'ZL ≻ 0, whence Z ≻ 0
    and ρ(L) < 1. The P_k decrease and stay above P₀; their limit P* solves the Riccati equation, its
    gain W* stabilises for the same reason, and P* satisfies (1), so that P* = P_{W*} is least among
    all P_W. Hence P₀ ⪯ P* ⪯ P_V, which encloses P* and so W* and Σ*.

    Args:
        plant: R ≻ 0.
        W: (m, n), a gain that stabilises; where the search begins.

    Raises:
        Unproved: no strict P₀ was found (the optimum may not be attained), or the enclosure is too
            wide to show that all of it stabilises.
    """
    try:
        loop, low = _sub_solution(plant, _improved(plant, W))
        P = widened(low, loop.P - low)
        B = plant.B.transpose() * P
        pull = B * plant.A if plant.T is None else B * plant.A + plant.R * plant.T
        gain = (plant.R + B * plant.B).solve(pull)
        star = ClosedLoop(plant, gain)
    except (NotStabilising, ZeroDivisionError):
        raise Unproved("the optimal gain could not be enclosed") from None
    return Optimum(inner(low, plant.S).union(loop.cost), P, gain, star.Sigma)


def _improved(plant: BallPlant, W: arb_mat) -> arb_mat:
    """A gain next to the optimal one: policy iteration on midpoints, which proves nothing.

    Source: Hewer, IEEE Trans. Automatic Control 16 (1971).
    """
    W = W.mid()
    tolerance = arb(2) ** (-ctx.prec // 2)
    scale = frobenius_norm(W)
    for _ in range(IMPROVEMENTS):
        loop = ClosedLoop(plant, W)
        try:
            better = (loop.input_price.mid().solve((loop.input_price * W - loop.G).mid())).mid()
        except ZeroDivisionError:
            raise Unproved("R + B'PB could not be shown to be non-singular") from None
        step, W = frobenius_norm(better - W), better
        scale = scale.max(frobenius_norm(W))  # W itself may tend to zero
        if step <= tolerance * scale:
            break  # quadratic convergence: the gain is now as near as the precision allows
    return W


def _sub_solution(plant: BallPlant, W: arb_mat) -> tuple[ClosedLoop, arb_mat]:
    """The loop of W, and a P₀ just below P_W that satisfies (1) strictly.

    W ≈ W* makes P_W ≈ P*, for which (1) is singular. P₀ = P_W − εY with Y = L'YL + D, D ≻ 0, has
    the margin εD there up to second order. The matrix (1) is tested after the congruence with
    [[I, 0], [T − W, I]], as [[Q + (W − T)'R(W − T) + L'P₀L − P₀, ·], [B'P₀L − R(W − T), R + B'P₀B]].

    Raises:
        Unproved: none was found.
    """
    loop = ClosedLoop(plant, W)
    P = symmetrised_middle(loop.P)
    n = P.nrows()
    L, B, R = loop.L, plant.B, plant.R
    # The scale of costs: that of P, or of R/‖B‖² where P is next to nothing.
    size = frobenius_norm(B) ** 2
    sizes = [P[i, i] for i in range(n)] + ([frobenius_norm(R) / size] if size > 0 else [])
    largest = reduce(arb.max, sizes)
    stage, paid = plant.stage(W), plant.paid(W)
    for share, floor in product(SHARES, FLOORS):
        # D is about as large as P, state by state, so that the units of the states do not matter.
        least = (largest if largest > 0 else arb(1)) * arb(2) ** -floor
        D = arb_mat([[P[i, i].max(least) if i == j else arb(0) for j in range(n)] for i in range(n)])
        Y = loop.backward.solve(D.mid())
        low = symmetrised_middle(P - Y * arb(2) ** (-int(share * ctx.prec)))
        corner = B.transpose() * low * L - R * paid
        state = stage + L.transpose() * low * L - low
        price = R + B.transpose() * low * B
        if is_positive_definite(blocks([[price, corner], [corner.transpose(), state]])):
            return loop, low
    raise Unproved("no strict sub-solution of the Riccati equation was found")


def gain_matrix(rows: tuple[tuple[float, ...], ...]) -> arb_mat:
    """A gain of floats as exact balls, (m, n)."""
    return to_ball_matrix([[Fraction(x) for x in row] for row in rows])
