"""∇²h in balls for any number of states, inputs and shots, and stationary points proved by it.

With W_0 = W, W_{i+1} = N(W_i) the gains that a task visits, T_i = dW_i/dW, J_i = dN/dW at W_i,
v_k = ∇f(W_k) and v_i = J_i'v_{i+1}:

    ∇(f∘F) = v_0,    ∇²(f∘F) = T_k' ∇²f(W_k) T_k + Σ_i T_i' K_i T_i,

where K_i is the second derivative of ⟨v_{i+1}, N⟩ at W_i. With H = ∇²g, G = ∇g, u = G/‖G‖, a = ⟨v, u⟩
and w = v − au:

    gradient step:    J = I − ηH,                   K = −η ∂H[v],
    normalised step:  J = I − (η/‖G‖)(I − uu')H,    K = −(η/‖G‖)∂H[w]
                               + (η/‖G‖²)(Hw (Hu)' + Hu (Hw)' + a(HH − Hu (Hu)')).

∂H[v] is the derivative of H along v. In vectors and matrices a gain's entries stand row by row.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from flint import arb, arb_mat, ctx

from benign.balls.lqr import ClosedLoop, LqrObjective, NotStabilising
from benign.balls.matrices import UNIT, Unproved, identity, inner, negative_eigenvalues

SIDES = (80, 60, 48, 40)
"""Half the sides of the box around a point are 2^(−this) of its units, the least first."""

NEWTON = 40
"""Most steps towards a point."""


class Curved(ClosedLoop):
    """One plant under one gain, with the second and third derivatives of its cost.

    P_E = L'P_E L + E'G + G'E and Σ_E = LΣ_E L' − sym(BEΣL'), sym(X) = X + X', are the derivatives along
    E, and a subscript v is one along v. Of ∇²C(E, F) = 2⟨F, M EΣ + GΣ_E⟩ + 2⟨E, GΣ_F⟩, M = R + B'PB,
    the derivative along v is

        ½ ∂H[v](E, F) = ⟨F, B'P_vB EΣ + M EΣ_v⟩ + X(E, F) + X(F, E),
        X(E, F) = ⟨F, G_vΣ_E⟩ + ⟨E, B'P_F(BvΣ − LΣ_v)⟩ − ⟨Σ_E, v'B'P_F L⟩,

    for Σ_Ev = LΣ_Ev L' + r, r = sym(BEΣv'B' − BvΣ_E L' − BEΣ_v L'), and, as the two Lyapunov operators
    are adjoint, 2⟨F, GΣ_Ev⟩ = ⟨P_F, r⟩.
    """

    @cached_property
    def _basis(self) -> list[arb_mat]:
        m, n = self.W.nrows(), self.W.ncols()
        units = []
        for i in range(m * n):
            entries = [0] * (m * n)
            entries[i] = 1
            units.append(arb_mat(m, n, entries))
        return units

    @cached_property
    def _moments(self) -> list[arb_mat]:
        """Σ_E for every entry E of a gain."""
        return [self._moment_slope(E) for E in self._basis]

    @cached_property
    def _prices(self) -> list[arb_mat]:
        """P_E for every entry E of a gain."""
        return [self._price_slope(E) for E in self._basis]

    def _price_slope(self, E: arb_mat) -> arb_mat:
        half = E.transpose() * self.G
        return self.backward.solve(half + half.transpose())

    @cached_property
    def curvature(self) -> arb_mat:
        """∇²C(W), (mn, mn); see `ClosedLoop.hessian`."""
        columns = [(self.G * S).entries() for S in self._moments]
        half = self._kron(self.input_price, self.Sigma) + _symmetric_sum(arb_mat(columns))
        return 2 * half

    def curvature_slope(self, v: arb_mat) -> arb_mat:
        """∂H[v], the derivative of ∇²C along v, (mn, mn)."""
        B, L = self.plant.B, self.L
        Pv, Sv = self._price_slope(v), self._moment_slope(v)
        Bt = B.transpose()
        Gv = self.input_price * v - Bt * Pv * L
        across, back = B * v * self.Sigma - L * Sv, v.transpose() * Bt
        prices = self._prices
        first = arb_mat([(Gv * S).entries() for S in self._moments])  # (E, F)
        second = arb_mat([(Bt * P * across).entries() for P in prices])  # (F, E)
        third = arb_mat([(back * P * L).entries() for P in prices])  # (F, entries)
        third *= arb_mat([S.entries() for S in self._moments]).transpose()  # (F, E)
        half = self._kron(Bt * Pv * B, self.Sigma) + self._kron(self.input_price, Sv)
        return 2 * (half + _symmetric_sum(first.transpose() + second - third))

    def _kron(self, M: arb_mat, S: arb_mat) -> arb_mat:
        """⟨F, M E S⟩ for entries F and E of a gain: M ⊗ S, S symmetric."""
        m, n = M.nrows(), S.nrows()
        size = range(m * n)
        return arb_mat([[M[a // n, b // n] * S[b % n, a % n] for b in size] for a in size])


def _symmetric_sum(X: arb_mat) -> arb_mat:
    return X + X.transpose()


@dataclass(frozen=True)
class Jet:
    """h, ∇h as a column (mn, 1) and ∇²h (mn, mn)."""

    value: arb
    gradient: arb_mat
    hessian: arb_mat


class CurvedObjective(LqrObjective):
    """h in any dimension with its Hessian.

    Raises (every method):
        NotStabilising, Unproved: as `LqrObjective`.
    """

    loop = Curved

    def jet(self, W: arb_mat) -> Jet:
        """h, ∇h and ∇²h at every gain within the balls."""
        p = W.nrows() * W.ncols()
        value, gradient, hessian = arb(0), arb_mat(p, 1), arb_mat(p, p)
        for task, weight in enumerate(self.weights):
            one = self._task_jet(task, W)
            value += weight * one.value
            gradient += one.gradient * weight
            hessian += one.hessian * weight
        return Jet(value, gradient, hessian)

    def _task_jet(self, task: int, W: arb_mat) -> Jet:
        visit = self.visit(task, W)
        one = identity(W.nrows() * W.ncols())
        tangents, turns = [one], []
        for loop in visit.shots:
            assert isinstance(loop, Curved)
            turns.append(self.turn(loop))
            tangents.append(turns[-1] * tangents[-1])
        last = visit.last
        assert isinstance(last, Curved)
        v = _column(last.gradient)
        hessian = _congruence(tangents[-1], last.curvature)
        shots = list(zip(visit.shots, turns, tangents[:-1], strict=True))
        for loop, turn, tangent in reversed(shots):
            assert isinstance(loop, Curved)
            hessian += _congruence(tangent, self._bend(loop, v))
            v = turn.transpose() * v
        return Jet(last.cost, v, hessian)

    def turn(self, loop: Curved) -> arb_mat:
        """J, the derivative of a shot."""
        one = identity(loop.curvature.nrows())
        if not self.normalized:
            return one - loop.curvature * self.eta
        u, size = _direction(loop)
        return one - (one - u * u.transpose()) * loop.curvature * (self.eta / size)

    def _bend(self, loop: Curved, v: arb_mat) -> arb_mat:
        """K, the second derivative of ⟨v, N⟩ for a shot N."""
        m, n = loop.W.nrows(), loop.W.ncols()
        if not self.normalized:
            return loop.curvature_slope(arb_mat(m, n, v.entries())) * (-self.eta)
        u, size = _direction(loop)
        a = inner(u, v)
        w, H = v - u * a, loop.curvature
        Hw, Hu = H * w, H * u
        pair = Hw * Hu.transpose()
        rest = pair + pair.transpose() + (H * H - Hu * Hu.transpose()) * a
        slope = loop.curvature_slope(arb_mat(m, n, w.entries()))
        return (rest * (1 / size) - slope) * (self.eta / size)


def _direction(loop: Curved) -> tuple[arb_mat, arb]:
    """∇g/‖∇g‖ as a column, and ‖∇g‖, which `LqrObjective.visit` has shown not to be zero."""
    size = inner(loop.gradient, loop.gradient).sqrt()
    return _column(loop.gradient) * (1 / size), size


def _column(M: arb_mat) -> arb_mat:
    return arb_mat(M.nrows() * M.ncols(), 1, M.entries())


def _congruence(T: arb_mat, H: arb_mat) -> arb_mat:
    return T.transpose() * H * T


# --- a stationary point ----------------------------------------------------------------------


@dataclass(frozen=True)
class StationaryPoint:
    """A zero of ∇h that was proved.

    Attributes:
        gain: (m, n), balls that hold it; no other zero of ∇h lies in them.
        value: a ball that holds h there.
        negative: how many eigenvalues of ∇²h are negative, the others being positive; None if that
            could not be shown.
    """

    gain: arb_mat
    value: arb
    negative: int | None

    @property
    def minimum(self) -> bool:
        """Whether ∇²h ≻ 0 was shown: a strict local minimiser."""
        return self.negative == 0

    @property
    def maximum(self) -> bool:
        """Whether ∇²h ≺ 0 was shown: a strict local maximiser."""
        return self.negative == len(self.gain.entries())

    @property
    def saddle(self) -> bool:
        """Whether ∇²h was shown to have a negative and a positive eigenvalue."""
        return self.negative is not None and not (self.minimum or self.maximum)


def stationary_point(objective: CurvedObjective, W: arb_mat) -> StationaryPoint:
    """Proof that ∇h has a zero next to W.

    Krawczyk's operator K(X) = z − Y∇h(z) + (I − Y∇²h(X))(X − z) maps a tiny box X around z strictly
    into itself: then X holds a zero of ∇h, and just one. z and Y ≈ ∇²h(z)⁻¹ come from Newton's method
    on midpoints and are not trusted.

    Args:
        objective: h.
        W: (m, n), where to begin.

    Raises:
        NotStabilising: h is infinite next to W.
        Unproved: no zero was found there, or ∇²h is singular or nearly so.

    Source: R. Krawczyk, Computing 4 (1969); A. Neumaier, Interval Methods for Systems of Equations
    (1990), theorem 5.1.8.
    """
    try:
        z, Y, units = _approached(objective, W.mid())
    except ZeroDivisionError:
        raise Unproved("∇²h could not be inverted there") from None
    p, m, n = len(units), W.nrows(), W.ncols()
    slope = Y * _column(objective.gradient(z))
    for bits in SIDES:
        sides = [unit * arb(2) ** -bits for unit in units]
        spread = arb_mat(p, 1, [UNIT * side for side in sides])
        X = z + arb_mat(m, n, spread.entries())
        try:
            jet = objective.jet(X)
        except (Unproved, NotStabilising):
            break  # a larger box is no better
        moved = (identity(p) - Y * jet.hessian) * spread - slope
        if all(x.abs_upper() < side for x, side in zip(moved.entries(), sides, strict=True)):
            # What is in X lies in K(X), which is smaller.
            gain = z + arb_mat(m, n, moved.entries())
            return StationaryPoint(gain, jet.value, negative_eigenvalues(jet.hessian))
    raise Unproved("no stationary point could be proved there")


def _approached(objective: CurvedObjective, z: arb_mat) -> tuple[arb_mat, arb_mat, list[arb]]:
    """A point near a zero of ∇h, the inverse of ∇²h next to it, and units; without error bounds."""
    m, n = z.nrows(), z.ncols()
    last, Y, units = arb("inf"), identity(m * n), []
    fresh = True
    for _ in range(NEWTON):
        if fresh:  # else the last inverse still does: each step then gains as many digits again
            jet = objective.jet(z)
            Y = jet.hessian.mid().inv().mid()
            units = _units(jet)
            slope = jet.gradient
        else:
            slope = _column(objective.gradient(z))
        step = (Y * slope).mid().entries()
        size = max((abs(x) / unit for x, unit in zip(step, units, strict=True)), key=float)
        fresh = not size < arb(2) ** -30
        z = (z - arb_mat(m, n, step)).mid()
        if size < arb(2) ** (40 - ctx.prec) or not size < last:
            break
        last = size
    return z, Y, units


def _units(jet: Jet) -> list[arb]:
    """By how much an entry must change for h to change by itself, whatever the units of the states."""
    H, value = jet.hessian.mid(), abs(jet.value.mid())
    units = []
    for i in range(H.nrows()):
        bent = abs(H[i, i])
        unit = (value / bent).sqrt().mid() if bent > 0 and value > 0 else arb(1)
        units.append(unit if unit.is_finite() and unit > 0 else arb(1))
    return units
