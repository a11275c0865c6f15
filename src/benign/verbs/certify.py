"""The verb `certify` as users call it: any objective, any number, and a file if asked."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from benign.meta.given import as_problem
from benign.prove.certify import certify as proved


def certify(
    objective: Any,
    W: Any,
    claim: str | None = None,
    *,
    eta: Any = None,
    step: Any = None,
    shots: Any = None,
    out: str | os.PathLike[str] | None = None,
) -> dict[str, Any]:
    """h(W) − inf h ≤ gap, or more: the strongest claim about one gain that applies, as a certificate.

    Args:
        objective: a `MetaObjective`, an exact `Problem`, or a family of any form with its step.
        W: for one state and one input the gain, or a number near the stationary point that is meant;
            otherwise the gain, (m, n), as an array or a list of rows, or flat, (n·m,) row by row.
        claim: one of `benign.prove.certify.CLAIMS`; in more than one dimension the regret bound and the
            quantitative form are the only ones. None tries them, strongest first, but not the
            quantitative form. The regret bound comes last and applies to any gain of the domain.
        eta, step, shots: the step of a family, as in `MetaObjective`.
        out: a directory, made if need be, that gets certificate.json.

    Returns:
        The document that `benign.check` proves again; its gap is in units of the cost.

    Raises:
        UsageError: the objective is none.
        ClaimError: the conditions are not met; the message gives each claim's reason.
        ProblemError: the problem is not one that a proof covers.
        OutputError: the file cannot be written.

    Source: Theorems 1 to 3 and Propositions 1 and 2 of arXiv 2006.00453; the non-singular form, the
    regret bound and the quantitative form are ours.
    """
    problem = as_problem(objective, "certify", eta=eta, step=step, shots=shots)
    document = proved(problem, W, claim)
    if out is not None:
        from benign.files import make_directory, to_text, write_atomically

        write_atomically(make_directory(Path(out)) / "certificate.json", to_text(document))
    return document
