"""h and its derivatives on boxes of gains, in several dimensions: Taylor models with ball coefficients.

In the coordinates y of a `Frame`, on a box y = y₀ + r∘x, x ∈ [−1, 1]^p. The shots compose,

    F = y − G∇g(y),   J = I − G∇²g,   K_i,jk = −Σ_l G_il ∂_ljk g,   G = η (axes' axes)⁻¹,

and h = Σ ω f(F), ∇h = Σ ω J'∇f(F), ∇²h = Σ ω (J'∇²f(F) J + Σ_i ∂_i f(F) K_i), where the costs and their
derivatives at the gains that a model encloses come from `benign.balls.costs`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from flint import arb, arb_mat

from benign.balls.costs import Argument, BoxArgument, Index, PlantPolynomials, derivatives
from benign.balls.polynomials import Frame, rational
from benign.balls.taylor import Model, combination, dot, reciprocal, ring
from benign.exact.problem import Plant, Problem
from benign.exact.rounding import to_ball

TAME = 1 / 16
"""Where D² varies by more than this factor, to divide by it costs more than to multiply by it."""


class Adapted:
    """F of one task on a box: the gains adapted, F' and F'' by y.

    Attributes:
        argument: the gains F.
        J: (p, p) models, J[i][j] = ∂_j F_i; None below order 1.
        K: K[i][j, k] = ∂_jk F_i, j ≤ k; None below order 2.
    """

    def __init__(
        self,
        argument: Argument,
        J: list[list[Model]] | None = None,
        K: list[dict[Index, Model]] | None = None,
    ) -> None:
        self.argument, self.J, self.K = argument, J, K


class BoxObjective:
    """h on boxes, for the gradient step.

    Args:
        problem: the problem.
        frame: the coordinates of the gain.

    Raises:
        Unproved: no gain stabilises one of the plants.
    """

    def __init__(self, problem: Problem, frame: Frame) -> None:
        made: dict[Plant, PlantPolynomials] = {}
        for task in problem.tasks:
            for plant in (task.f, task.g):
                if plant not in made:
                    made[plant] = PlantPolynomials(plant, frame)
        self.problem, self.frame, self.p = problem, frame, frame.p
        self.f = [made[task.f] for task in problem.tasks]
        self.g = [made[task.g] for task in problem.tasks]
        self.weights = [to_ball(weight) for weight in problem.weights]
        self.shots = problem.step.shots
        self.step_size = to_ball(problem.step.eta)
        self.steps = arb_mat(frame.metric * rational(problem.step.eta)).tolist()

    def box(self, centre: Sequence[arb], radius: Sequence[arb], degree: int) -> BoxArgument:
        """The gains of a box, for models of a degree."""
        return BoxArgument(centre, radius, ring(self.p, degree))

    def adapted(self, task: int, box: Argument, order: int) -> Adapted:
        """F of one task and its derivatives up to an order ≤ 2.

        Raises:
            NotStabilising: every gain of the box leads out of the domain of h.
            Unproved: it could not be shown that every gain the task visits stabilises.
        """
        now = Adapted(box)
        for _ in range(self.shots):
            now = self._shot(self.g[task], now, order)
        return now

    def _shot(self, plant: PlantPolynomials, before: Adapted, order: int) -> Adapted:
        at, p, G = before.argument, range(self.p), self.steps
        jet = plant.jet(at, order + 1)

        def moved(*index: int) -> list[Model]:
            """−Σ_l G_il ∂_l,index g, for each i."""
            slopes = [jet[tuple(sorted((l, *index)))] for l in p]
            return [combination([(-G[i][l], slopes[l]) for l in p]) for i in p]

        shift = moved()
        after = Argument([at.models[i] + shift[i] for i in p])
        if order == 0:
            return Adapted(after)
        columns = [moved(j) for j in p]
        own = [[columns[j][i].plus(arb(int(i == j))) for j in p] for i in p]
        J = own if before.J is None else _product(own, before.J)
        if order == 1:
            return Adapted(after, J)
        pairs = derivatives(self.p, 2)[1 + self.p :]
        bends = {pair: moved(*pair) for pair in pairs}
        if before.J is None or before.K is None:
            return Adapted(after, J, [{pair: bends[pair][i] for pair in pairs} for i in p])
        K = []
        for i in p:
            bend = [[bends[min(a, b), max(a, b)][i] for b in p] for a in p]
            pulled = _congruence(bend, before.J)
            K.append(
                {
                    (j, k): dot([(own[i][l], before.K[l][j, k], 1) for l in p], pulled[j, k])
                    for j, k in pairs
                }
            )
        return Adapted(after, J, K)

    def value(self, box: Argument) -> Model:
        """h. Raises as `adapted` does."""
        return self._sum(
            self.f[task].jet(self.adapted(task, box, 0).argument, 0)[()] for task in range(len(self.f))
        )

    def gradient(self, box: Argument) -> list[Model]:
        """∇h by y. Raises as `adapted` does."""
        rows = []
        for task, plant in enumerate(self.f):
            adapted = self.adapted(task, box, 1)
            assert adapted.J is not None
            slopes = plant.jet(adapted.argument, 1)
            rows.append(
                [
                    dot([(slopes[(i,)], adapted.J[i][j], 1) for i in range(self.p)])
                    for j in range(self.p)
                ]
            )
        return [self._sum(row[j] for row in rows) for j in range(self.p)]

    def scaled_gradient(self, box: Argument, tame: arb | float = TAME) -> list[Model]:
        """s∇h by y, where h is finite, with a factor s(y) > 0 that clears poles of ∇h.

        Poles are cleared of the tasks whose D² may fall below `tame` times what it is at the centre.

        Where D = 0 at adapted gains of a box, C is multiplied by D²: D²∇C = D∇N − N∇D. Raises as
        `adapted` does; the last gain of a task may or may not stabilise.
        """
        regular: list[list[Model]] = []
        poles: list[tuple[list[Model], Model]] = []
        for task, (plant, weight) in enumerate(zip(self.f, self.weights, strict=True)):
            adapted = self.adapted(task, box, 1)
            assert adapted.J is not None
            square, top = plant.cleared_gradient(adapted.argument)
            if square.range.lower() > tame * square.centre:
                factor = reciprocal(square).times(weight)
                regular.append(_pulled([x * factor for x in top], adapted.J, arb(1)))
            else:
                poles.append((_pulled(top, adapted.J, weight), square))
        parts = []
        for i, (slopes, _) in enumerate(poles):
            others = [square for j, (_, square) in enumerate(poles) if j != i]
            parts.append([_times_all(x, others) for x in slopes])
        every = [square for _, square in poles]
        parts += [[_times_all(x, every) for x in slopes] for slopes in regular]
        return [combination([(arb(1), part[j]) for part in parts]) for j in range(self.p)]

    def hessian(self, box: Argument) -> dict[Index, Model]:
        """∇²h by y, for j ≤ k. Raises as `adapted` does."""
        p = range(self.p)
        parts = []
        for task, plant in enumerate(self.f):
            adapted = self.adapted(task, box, 2)
            assert adapted.J is not None
            assert adapted.K is not None
            jet = plant.jet(adapted.argument, 2)
            bend = [[jet[min(a, b), max(a, b)] for b in p] for a in p]
            pulled = _congruence(bend, adapted.J)
            parts.append(
                {
                    pair: dot([(jet[(i,)], adapted.K[i][pair], 1) for i in p], start)
                    for pair, start in pulled.items()
                }
            )
        return {pair: self._sum(part[pair] for part in parts) for pair in parts[0]}

    def _sum(self, models: Iterable[Model]) -> Model:
        return combination(list(zip(self.weights, models, strict=True)))


def _pulled(slopes: list[Model], J: list[list[Model]], weight: arb) -> list[Model]:
    """ω J'∇f."""
    size = range(len(J))
    return [dot([(slopes[i], J[i][j], 1) for i in size]).times(weight) for j in size]


def _times_all(x: Model, factors: Sequence[Model]) -> Model:
    for factor in factors:
        x = x * factor
    return x


def _product(M: list[list[Model]], N: list[list[Model]]) -> list[list[Model]]:
    size = range(len(M))
    return [[dot([(M[i][l], N[l][j], 1) for l in size]) for j in size] for i in size]


def _congruence(M: list[list[Model]], J: list[list[Model]]) -> dict[Index, Model]:
    """J'MJ for a symmetric M: its entries j ≤ k."""
    size = range(len(M))
    half = _product(M, J)
    return {(j, k): dot([(J[a][j], half[a][k], 1) for a in size]) for j in size for k in size if j <= k}
