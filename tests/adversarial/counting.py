"""Counts that tests hand on to the summary at the end of a run, also from processes of pytest-xdist."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from typing import Any

GROUP = "count: "
"""How the properties begin under which a report carries counts."""


def record(
    record_property: Callable[[str, Any], None], group: str, row: str, counts: Mapping[str, int]
) -> None:
    """Counts of a test under a heading; rows of one name are added up over all tests."""
    record_property(f"{GROUP}{group}", [row, dict(counts)])


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The counts of all tests that ran."""
    totals: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for reports in terminalreporter.stats.values():
        for report in reports:
            for key, value in getattr(report, "user_properties", ()):
                if key.startswith(GROUP) and getattr(report, "when", "") == "call":
                    totals[key.removeprefix(GROUP)][value[0]].update(value[1])
    for group, rows in totals.items():
        terminalreporter.section(group)
        for row, counts in rows.items():
            shown = "; ".join(f"{key}: {n}" for key, n in sorted(counts.items()))
            terminalreporter.write_line(f"{row:28} {shown}")
        total = sum(rows.values(), Counter())
        terminalreporter.write_line(
            f"{'all':28} " + "; ".join(f"{k}: {n}" for k, n in sorted(total.items()))
        )
