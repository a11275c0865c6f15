"""The stationary point that a gain of several entries is taken for, found once for all claims."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from flint import ctx

from benign.balls.curvature import CurvedObjective, StationaryPoint
from benign.balls.lqr import NotStabilising, gain_matrix
from benign.balls.matrices import Unproved
from benign.certificates.anywhere import minimiser_near
from benign.certificates.check import PRECISION
from benign.certificates.gains import Rows
from benign.certificates.points import points_cost
from benign.certificates.reading import Refused
from benign.exact.problem import Problem
from benign.exact.rounding import enclosing_floats

NEAR = 1e-6
"""How far, relative to 1 + |W|, a gain may lie from the stationary point it is taken for."""

QUICK = 10.0
"""Seconds that a point may be estimated to take where nobody asked for a claim that needs one."""


class Near:
    """The strict local minimiser of h next to a gain.

    Args:
        problem: well posed.
        rows: the gain.
        quick: whether to refuse what would take long.
    """

    def __init__(self, problem: Problem, rows: Rows, *, quick: bool) -> None:
        self.problem, self.rows, self.quick = problem, rows, quick
        self._refusal = ""

    @cached_property
    def _found(self) -> StationaryPoint | str:
        try:
            if self.quick and points_cost(self.problem).seconds > QUICK:
                raise Refused("not tried, as that takes long; it is when it is asked for")
            self._require_small_step()
            found = minimiser_near(self.problem, self.rows)
            middle = np.array([[float(x.mid()) for x in row] for row in found.gain.tolist()])
            if np.abs(middle - np.array(self.rows)).max() > self._reach:
                raise Refused("the gain is no stationary point, and none lies near")
        except Refused as error:
            return str(error)
        return found

    @property
    def found(self) -> StationaryPoint:
        """The point.

        Raises:
            Refused: it is not proved, or none is near.
        """
        if isinstance(self._found, str):
            raise Refused(self._found)
        return self._found

    @property
    def box(self) -> list[list[list[float]]]:
        """Bounds of its entries, as a document has them."""
        return [[list(enclosing_floats(x)) for x in row] for row in self.found.gain.tolist()]

    @property
    def _reach(self) -> float:
        return NEAR * (1.0 + float(np.abs(self.rows).max()))

    def _require_small_step(self) -> None:
        """Refuse at once a gain from which Newton's method would go far; it proves nothing itself."""
        m, n = self.problem.family.m, self.problem.family.n
        with ctx.workprec(PRECISION):
            try:
                jet = CurvedObjective(self.problem).jet(gain_matrix(self.rows))
                step = jet.hessian.mid().solve(jet.gradient.mid())
            except (NotStabilising, Unproved) as error:
                raise Refused(str(error)) from None
            except ZeroDivisionError:
                raise Refused("∇²h could not be inverted there") from None
            size = max(abs(float(x.mid())) for x in step.entries())
        if not size <= 10 * self._reach:
            slope = max(abs(float(x.mid())) for x in jet.gradient.entries())
            what = f"the largest of the {m * n} entries of ∇h is {slope:.3g} there, and none lies near"
            raise Refused(f"the gain is no stationary point: {what}")
