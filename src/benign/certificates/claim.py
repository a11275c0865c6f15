"""What a claim is: its fields, what it costs to check, how it is proved and what is then said.

Each claim is one file of this folder and one row of `benign.certificates.registry`. What a file says of
itself is all that the checker knows of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from benign.exact.problem import Problem

Document = Mapping[str, Any]

Progress = Callable[[int, int], None]
"""Called now and then with what is done of a proof and how much there is."""


class Cost(NamedTuple):
    """What a check may take, estimated from the document before any of the work is done.

    Attributes:
        seconds: on one ordinary core, within a factor of ten or so.
        megabytes: of memory, besides the document itself.
    """

    seconds: float
    megabytes: float = 0.0


@dataclass(frozen=True)
class Claim:
    """One kind of claim.

    Attributes:
        name: how a document says it.
        fields: the keys of a document besides the format, the claim and the problem.
        cost: what a check may take; it must be cheap itself, whatever the document holds.
        prove: proves the document's claim again and returns the sentence that was proved; it raises
            `Refused`, with the place and the reason, where the document does not prove it.
        optional: keys that may be missing.
    """

    name: str
    fields: frozenset[str]
    cost: Callable[[Document, Problem], Cost]
    prove: Callable[[Document, Problem, Progress | None], str]
    optional: frozenset[str] = field(default=frozenset())
