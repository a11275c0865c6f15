"""The verb `radius` as users call it: any family, any way to say what varies, and files if asked."""

from __future__ import annotations

import os
from typing import Any

from benign.clock import clock_of
from benign.exact.neighbourhood import require_line, scales_of
from benign.exact.numbers import seed_of
from benign.folders import require_place
from benign.meta.given import as_problem
from benign.results.documents import about_radius
from benign.results.radius import Radius


def radius(
    objective: Any,
    epsilon: Any,
    *,
    eta: Any = None,
    vary: Any = None,
    seed: Any = 0,
    budget: Any = None,
    out: str | os.PathLike[str] | None = None,
) -> Radius:
    """The largest δ for which every family within δ, entry by entry, is ε-global: bounds, proved.

        max { δ : |a' − a|, |b' − b|, |q' − q|, |r' − r| ≤ δ for every task  ⇒  h is ε-global }

    For one state and one input, one shot of the gradient step, f = g; S0, weights and η stay.

    Args:
        objective: a family of any form with its step size, or an objective.
        epsilon: ε > 0; strings and fractions are kept exactly.
        eta: the step size of a family.
        vary: what moves: None for A, B, Q and R of every task; some of them, "Q" or "A,B"; or a table
            of directions, {"task": {"A": 1, "Q": "0.5"}}: multiples of δ, and what is not named stays.
        seed: of the corners that are tried from above.
        budget: seconds, or text such as "30s"; no limit by default. With it the answer depends on the
            machine.
        out: a directory, made if need be, that the result is saved to.

    Returns:
        A `Radius`: δ that is proved, with a certificate that `benign.check` proves again, and a family
        further away that is proved not to be ε-global, with its certificate.

    Raises:
        UsageError: neither a family nor an objective.
        ProblemError: a problem that this is not for, or that is not ε-global itself; nothing varies.
        BudgetError: the time was over before anything was known.

    Source: Proposition 3 of arXiv 2006.00453 says that there is such a δ; docs/theory.md says when.
    """
    clock = clock_of(budget)
    problem = as_problem(objective, "radius", eta=eta)
    require_line(problem)
    scales = scales_of(problem, vary)
    if out is not None:
        require_place(out, about_radius(problem))
    from benign.prove.radius import radius as proved

    found = proved(problem, epsilon, scales, seed=seed_of(seed), clock=clock)
    if out is not None:
        found.save(out)
    return found
