"""The counts of the trials at the end of a run."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from counting import pytest_terminal_summary as pytest_terminal_summary
from counting import record
from survey import Tally


@pytest.fixture
def reported(record_property: Callable[[str, object], None]) -> Callable[[Tally], Tally]:
    """Hands a tally of families to the table at the end."""

    def report(tally: Tally) -> Tally:
        for kind, row in tally.counts.items():
            record(record_property, "adversarial families", kind, row)
        return tally

    return report
