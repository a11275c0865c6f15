"""The verb `explore`: a family under the hand, as an object that a notebook shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benign.explorer.app import Explorer


def explore(family: Any = "cruise-control", *, eta: Any = None, budget: Any = None) -> Explorer:
    """A family of one or two parameters with sliders, its landscape, and a proof when they rest.

    A notebook shows what is returned; `benign explore` serves the same in a browser.

    Args:
        family: a `FamilyFile`, the path of one, or the name of a bundled family.
        eta: the step size to begin with; the file's first, else 0.1.
        budget: of each proof, seconds or text such as "20s".

    Raises:
        UsageError: Panel is not installed.
        ProblemError: the family is larger than what is drawn.
        FileFormatError: no family.
    """
    from benign.clock import clock_of
    from benign.explorer.serve import require_panel

    require_panel()
    from benign.explorer.app import Explorer
    from benign.explorer.proofs import BUDGET

    seconds = BUDGET if budget is None else clock_of(budget).total
    return Explorer(family, eta=eta, budget=seconds)
