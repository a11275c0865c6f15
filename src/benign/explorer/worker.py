"""A process that proves one problem and says what it found: JSON in, JSON out, nothing else.

    python -m benign.explorer.worker  <  {"problem": …, "budget": seconds}

It is a process so that it can be ended at any moment and shares no lock with those who look on.
"""

from __future__ import annotations

import json
import sys
from typing import Any


def main() -> None:
    """Read a problem, prove it within the budget, write the result or the reason why there is none."""
    given = json.loads(sys.stdin.read())
    print(json.dumps(answered(given["problem"], float(given["budget"]))))


def answered(problem: Any, budget: float) -> dict[str, Any]:
    """`landscape` and its `certificates`; or `error`, with a certificate where it is proved."""
    from benign.errors import BenignError
    from benign.exact.documents import problem_from_json
    from benign.results.documents import landscape_document
    from benign.verbs.analyze import analyze

    try:
        found = analyze(problem_from_json(problem), budget=budget)
    except BenignError as error:
        document = getattr(error, "certificate", None)
        return {"error": str(error), "certificates": [] if document is None else [document]}
    own = [found.certificate] if found.certificate is not None else []
    return {"landscape": landscape_document(found), "certificates": own}


if __name__ == "__main__":
    main()
