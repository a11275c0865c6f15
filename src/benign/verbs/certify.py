"""The verb `certify` as users call it: any objective, any number, and a file if asked."""

from __future__ import annotations

import os
from typing import Any

from benign.exact.documents import problem_to_json
from benign.files import to_text
from benign.folders import About, digest_of, require_place, save_all
from benign.meta.given import as_problem
from benign.prove.certify import certify as proved
from benign.text import clean


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
        claim: one of `benign.prove.certify.CLAIMS`, in letters of either case. None tries them,
            strongest first, but neither the quantitative form nor theorem S. The regret bound comes
            last and applies to any gain of the domain. Of several entries the gain may lie next to the
            stationary point that is meant; a claim about it then holds a box around that point.
        eta, step, shots: the step of a family, as in `MetaObjective`.
        out: a directory, made if need be, that gets certificate.json.

    Returns:
        The document that `benign.check` proves again; its gap, if it has one, is in units of the cost.

    Raises:
        UsageError: the objective is none.
        ClaimError: the conditions are not met; the message gives each claim's reason.
        ProblemError: the problem is not one that a proof covers.
        OutputError: the file cannot be written.

    Source: Theorems 1 to 3 and Propositions 1 and 2 of arXiv 2006.00453; the non-singular form, the
    regret bound, the quantitative form and theorem S are ours.
    """
    problem = as_problem(objective, "certify", eta=eta, step=step, shots=shots)
    about = About("certificate", digest_of(problem_to_json(problem)), clean(repr(problem)))
    if out is not None:
        require_place(out, about)
    document = proved(problem, W, claim)
    if out is not None:
        save_all(out, about, {"certificate.json": to_text(document)})
    return document
