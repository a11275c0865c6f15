"""The verb of this package: prove, store and draw every figure, and judge every claim."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benign.errors import BenignError, FileFormatError, OutputError
from benign.files import to_text, write_atomically
from benign.folders import About, announce, claimed, listed, seal
from benign.paper.claims import judge
from benign.paper.evidence import Case, Claim
from benign.paper.figures import (
    FIGURES,
    SETTINGS,
    certificate_name,
    draw,
    paper_problem,
    result_name,
    store,
)
from benign.prove.line.enumeration import analyze
from benign.results.enclosure import Enclosure
from benign.results.numbers import to_json
from benign.verdict import Status
from benign.views.report import kind_in_words
from benign.views.save import render

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

REFERENCE: dict[tuple[str, str], tuple[tuple[float, float], ...]] = {
    ("1", "0.1"): ((0.618034, 3.236068), (0.873963, 3.236414)),
    ("1", "0.05"): ((0.395511, 3.236068), (0.618034, 3.236068), (1.463610, 3.236068)),
    ("2", "0.1"): ((0.618034, 1.698936),),
    ("2", "0.05"): ((0.618034, 1.698936), (1.452644, 1.800070)),
    ("3a", "0.1"): ((0.400301, 1.623889), (0.620324, 1.623854), (1.458388, 1.625535)),
    ("3a", "0.05"): ((0.250407, 1.624284), (0.620437, 1.623875), (1.648186, 1.633451)),
    ("3b", "0.1"): ((0.562076, 2.366049), (1.247783, 2.371523)),
    ("3b", "0.05"): ((0.327741, 2.367233), (0.583779, 2.383462), (1.547161, 2.391397)),
    ("3c", "0.1"): ((0.624481, 2.877853),),
    ("3c", "0.05"): ((0.595307, 2.881470), (1.393766, 3.122363)),
    ("3d", "0.1"): ((0.622523, 3.746375),),
    ("3d", "0.05"): ((0.563507, 3.706039),),
}
"""(W, h) of every local minimum, found by another route: a dense grid and Brent's method."""

ABOUT = About("reproduction", "arXiv 2006.00453", "the figures of arXiv 2006.00453")

PREFACE = (
    "The appendix of the paper prints η = 0.1. With the gradient ∇C = 2GΣ several statements of the "
    "text do not hold at that step size and do hold at η = 0.05, which is the printed one for a "
    "gradient without its factor 2: the likeliest explanation is that this factor was left out of "
    "the code behind the figures. Two smaller points: the caption of Figure 3a counts five tasks and "
    "the appendix lists three; and at η = 0.05 only one of the two side minima of Figure 2 is a "
    "local minimum. At the printed η Figure 1 has a spurious local minimum where η∇²C = 1, so the "
    "sentence after Theorem 2 that its objective is a global function needs its condition on η at "
    "every local minimiser. None of this touches the theorems as conditions on a point."
)


@dataclass(frozen=True)
class Minimum:
    """A local minimum of a figure's objective, and the reference value beside it."""

    figure: str
    eta: str
    W: Enclosure
    value: Enclosure
    kind: str
    reference: tuple[float, float] | None


@dataclass(frozen=True)
class Reproduction:
    """What a reproduction found: claims with their verdicts, all minima, the files; what has none."""

    directory: Path
    claims: tuple[Claim, ...]
    minima: tuple[Minimum, ...]
    files: tuple[Path, ...]
    unsaved: tuple[str, ...] = ()

    def __str__(self) -> str:
        counts = [
            f"{status}: {sum(f.status is status for c in self.claims for f in c.findings.values())}"
            for status in Status
        ]
        return f"{len(self.claims)} claims, each at two step sizes ({', '.join(counts)})"


def reproduce(
    directory: str | os.PathLike[str],
    figures: Sequence[str] | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> Reproduction:
    """Prove, store and draw the figures of the source paper, and judge what it says of them.

    Args:
        directory: where results (JSON), certificates, pictures, claims.md and claims.json go.
        figures: "1", "2a", "2b", "3a" … "3d" ("2" means both); all by default.
        progress: called with (done, total) after each step.

    Raises:
        BenignError: no figure of that name.
        OutputError: the directory cannot be written.
    """
    names = _chosen(figures)
    with claimed(directory, ABOUT) as folder:
        announce(folder, ABOUT, _planned(names), adding=True)
        result = _reproduced(folder, names, progress)
        if not result.unsaved:
            seal(folder, ABOUT, {path.name: path.read_bytes() for path in listed(folder)})
    return result


def _planned(names: Sequence[str]) -> list[str]:
    """The files that these figures come to."""
    results = [
        result_name(family, eta)
        for family in dict.fromkeys(FIGURES[name].family for name in names)
        for eta in SETTINGS
    ]
    certificates = [certificate_name(name) for name in results]
    pictures = [f"figure-{name}.{suffix}" for name in names for suffix in ("png", "svg")]
    return [*results, *certificates, *pictures, "claims.json", "claims.md"]


def _reproduced(
    folder: Path, names: Sequence[str], progress: Callable[[int, int], object] | None
) -> Reproduction:
    families = list(dict.fromkeys(FIGURES[name].family for name in names))
    total, done = len(families) * len(SETTINGS) + len(names) + 1, 0

    def step() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, total)

    files: list[Path] = []
    unsaved: list[str] = []

    def write(written: Callable[[], list[Path]]) -> None:
        try:
            files.extend(written())
        except (OutputError, FileFormatError) as error:  # what could not be stored is not drawn
            unsaved.append(str(error))

    cases: dict[str, dict[str, Case]] = {}
    for family in families:
        for eta in SETTINGS:
            landscape = analyze(paper_problem(family, eta))
            cases.setdefault(family, {})[eta] = Case(family, eta, landscape)
            write(partial(store, landscape, folder / result_name(family, eta)))
            step()
    for name in names:
        write(partial(redraw, name, folder))
        step()
    claims = tuple(judge(cases))
    result = Reproduction(folder, claims, _minima(cases), ())
    for name, text in (("claims.json", to_text(_document(result))), ("claims.md", _markdown(result))):
        write(lambda name=name, text=text: [write_atomically(folder / name, text)])
    step()
    return Reproduction(folder, claims, result.minima, tuple(files), tuple(unsaved))


def redraw(name: str, directory: str | os.PathLike[str]) -> list[Path]:
    """Draw a figure from the results stored in a directory, into that directory."""
    pictures = render(draw(name, directory))
    return [
        write_atomically(Path(directory) / f"figure-{name}.{suffix}", data)
        for suffix, data in pictures.items()
    ]


def _chosen(figures: Sequence[str] | None) -> list[str]:
    if not figures:
        return list(FIGURES)
    wanted = [figures] if isinstance(figures, str) else figures
    names: list[str] = []
    for name in wanted:
        found = [known for known in FIGURES if name in (known, FIGURES[known].family)]
        if not found:
            raise BenignError(f"no figure {name!r} in the paper; there are {', '.join(FIGURES)}")
        names += [known for known in found if known not in names]
    return names


def _minima(cases: dict[str, dict[str, Case]]) -> tuple[Minimum, ...]:
    rows = []
    for family, by_eta in cases.items():
        for eta, case in by_eta.items():
            known = REFERENCE[family, eta]
            for i, point in enumerate(case.minima):
                beside = known[i] if len(known) == len(case.minima) else None
                kind = kind_in_words(case.landscape, point)
                rows.append(Minimum(family, eta, point.at, point.value, kind, beside))
    return tuple(rows)


# --- tables -----------------------------------------------------------------------------------

_COLOURS = {Status.PROVED: "green", Status.REFUTED: "red", Status.UNDECIDED: "yellow"}


def minimisers_table(result: Reproduction) -> Table:
    """Every local minimum, six digits, beside the reference value."""
    from rich import box
    from rich.table import Table

    table = Table(
        title="Local minima", title_justify="left", title_style="bold", box=box.SIMPLE_HEAD,
        show_edge=False, collapse_padding=True, pad_edge=False,
        caption="Reference: a dense grid and Brent's method, in plain floating point.",
        caption_justify="left",
    )  # fmt: skip
    for heading in ("figure", "η", "W", "h", "kind", "reference W", "reference h"):
        table.add_column(heading, justify="left" if heading in ("figure", "kind") else "right")
    last = ""
    for row in result.minima:
        if last and row.figure != last:
            table.add_row()
        W, h = (f"{x:.6f}" for x in row.reference) if row.reference else ("", "")
        head = row.figure if row.figure != last else ""
        table.add_row(head, row.eta, f"{row.W.mid:.6f}", f"{row.value.mid:.6f}", row.kind, W, h)
        last = row.figure
    return table


def claims_table(result: Reproduction) -> Group:
    """Every claim with its verdict and the numbers behind it, at each step size."""
    from rich.console import Group
    from rich.padding import Padding
    from rich.text import Text

    parts: list[Any] = [Text("\nWhat the text says of the figures", style="bold")]
    for claim in result.claims:
        parts.append(Text(f"Figure {claim.figure}: {claim.text}", style="bold"))
        for eta, finding in claim.findings.items():
            line = Text(f"η = {eta:<4} ")
            line.append(f"{finding.status.value:9}", style=_COLOURS[finding.status])
            line.append(f" {finding.reason}")
            parts.append(Padding(line, (0, 0, 0, 2)))
    parts.append(Text(f"\n{PREFACE}"))
    return Group(*parts)


def _document(result: Reproduction) -> dict[str, Any]:
    return {
        "benign": "claims",
        "version": 1,
        "source": "arXiv 2006.00453",
        "note": PREFACE,
        "claims": [
            {
                "figure": claim.figure,
                "claim": claim.text,
                "where": claim.source,
                "findings": {
                    eta: {
                        "status": finding.status.value,
                        "reason": finding.reason,
                        "numbers": {k: to_json(v) for k, v in finding.numbers.items()},
                    }
                    for eta, finding in claim.findings.items()
                },
            }
            for claim in result.claims
        ],
        "minima": [
            {
                "figure": row.figure,
                "eta": row.eta,
                "W": to_json(row.W),
                "h": to_json(row.value),
                "kind": row.kind,
                "reference": row.reference and list(row.reference),
            }
            for row in result.minima
        ],
    }


def _markdown(result: Reproduction) -> str:
    lines = ["# The figures of arXiv 2006.00453, reproduced", "", PREFACE, ""]
    lines += ["## Local minima", "", "| figure | η | W | h | kind | reference (W, h) |"]
    lines += ["|---|---|---|---|---|---|"]
    for row in result.minima:
        beside = "({:.6f}, {:.6f})".format(*row.reference) if row.reference else ""
        lines.append(
            f"| {row.figure} | {row.eta} | {row.W.mid:.6f} | {row.value.mid:.6f} | {row.kind} "
            f"| {beside} |"
        )
    etas = " | ".join(f"η = {eta}" for eta in SETTINGS)
    lines += ["", "## Claims", "", f"| figure | claim | where | {etas} |", "|---|---|---|---|---|"]
    for claim in result.claims:
        cells = " | ".join(
            f"**{f.status.value}**: {f.reason}".replace("|", r"\|") for f in claim.findings.values()
        )
        text = claim.text.replace("|", r"\|")
        lines.append(f"| {claim.figure} | {text} | {claim.source} | {cells} |")
    return "\n".join(lines) + "\n"
