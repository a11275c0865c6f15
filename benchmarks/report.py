"""Figures, targets and the two files they are written to."""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks import reference

PACKAGES = (
    "benign",
    "jax",
    "numpy",
    "scipy",
    "torch",
    "torchopt",
    "control",
    "numba",
    "python-flint",
    "sympy",
)


@dataclass(frozen=True)
class Figure:
    """One number of a table.

    Attributes:
        case: The row.  quantity: The column.
        value: The number.
        target: What is aimed at, or None.
        at_most: Whether the target is an upper bound.
    """

    case: str
    quantity: str
    value: float
    target: float | None = None
    at_most: bool = False

    @property
    def reached(self) -> bool | None:
        """Whether the target is reached; None without one."""
        if self.target is None:
            return None
        return self.value <= self.target if self.at_most else self.value >= self.target

    def __str__(self) -> str:
        text = number(self.value)
        if self.target is None:
            return text
        bound = f"{'≤' if self.at_most else '≥'} {number(self.target)}"
        return f"{text} ({bound})" if self.reached else f"**{text}** (missed {bound})"


@dataclass(frozen=True)
class Section:
    """A table of figures: a row for each case, a column for each quantity."""

    title: str
    words: str
    figures: list[Figure] = field(default_factory=list)

    def add(
        self, case: str, quantity: str, value: float, target: float | None = None, at_most: bool = False
    ) -> None:
        self.figures.append(Figure(case, quantity, float(value), target, at_most))

    def table(self) -> str:
        """The figures in Markdown."""
        if not self.figures:
            return ""
        columns = list(dict.fromkeys(f.quantity for f in self.figures))
        cells = {(f.case, f.quantity): str(f) for f in self.figures}
        lines = ["| | " + " | ".join(columns) + " |", "|-|" + "-|" * len(columns)]
        lines += [
            f"| {case} | " + " | ".join(cells.get((case, c), "") for c in columns) + " |"
            for case in dict.fromkeys(f.case for f in self.figures)
        ]
        return "\n".join(lines)


def number(x: float) -> str:
    """Three significant digits, without an exponent where that is readable."""
    if not math.isfinite(x) or x == 0 or not 1e-4 <= abs(x) < 1e6:
        return f"{x:.3g}"
    digits = max(0, 2 - math.floor(math.log10(abs(x))))
    return f"{round(x, digits):,.{digits}f}"


def machine() -> dict[str, object]:
    """What the numbers were measured on and with."""
    facts: dict[str, object] = {
        "processor": processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "c++": reference.compiler_version(),
    }
    for name in PACKAGES:
        try:
            facts[name] = version(name)
        except PackageNotFoundError:
            facts[name] = "not installed"
    if reference.compiler() is not None:
        facts["peak GF/s of one core"] = round(reference.peaks()["flops"] / 1e9, 1)
        facts["peak quotients of one core, G/s"] = round(reference.peaks()["quotients"] / 1e9, 2)
    return facts


def processor() -> str:
    """The name of the processor, and the vectors it has."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    entries = dict(map(str.strip, line.split(":", 1)) for line in lines if ":" in line)
    flags = entries.get("flags", "").split()
    vectors = next((v for v in ("avx512f", "avx2", "avx") if v in flags), "")
    return f"{entries.get('model name', platform.machine())} {vectors}".strip()


def markdown(sections: Iterable[Section], facts: dict[str, object]) -> str:
    """The whole report."""
    sections = list(sections)
    aimed = [(s.title, f) for s in sections for f in s.figures if f.target is not None]
    missed = [f"- {title}: {f.case}, {f.quantity}: {f}" for title, f in aimed if not f.reached]
    parts = [
        "# Benchmarks",
        "Machine: " + ", ".join(f"{key} {value}" for key, value in facts.items()),
        f"{len(aimed) - len(missed)} of {len(aimed)} targets reached"
        + (". Missed:\n\n" + "\n".join(missed) if missed else "."),
    ]
    for section in sections:
        parts += [f"## {section.title}", section.words, section.table()]
    return "\n\n".join(part for part in parts if part) + "\n"


def document(sections: Iterable[Section], facts: dict[str, object]) -> dict[str, object]:
    """The same for machines."""
    return {
        "machine": facts,
        "sections": [
            {
                "title": section.title,
                "words": section.words,
                "figures": [{**asdict(f), "reached": f.reached} for f in section.figures],
            }
            for section in sections
        ],
    }


def write(sections: list[Section], facts: dict[str, object], folder: Path) -> str:
    """Write `table.md` and `table.json`, each in one move, and return the Markdown."""
    folder.mkdir(parents=True, exist_ok=True)
    text = markdown(sections, facts)
    contents = {
        "table.md": text,
        "table.json": json.dumps(document(sections, facts), indent=1, ensure_ascii=False) + "\n",
    }
    for name, content in contents.items():
        scratch = folder / f".{name}.part"
        scratch.write_text(content, encoding="utf-8")
        scratch.replace(folder / name)
    return text
