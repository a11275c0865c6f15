"""The pieces of the page: widgets, and text of ours in which text of others is escaped."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING, Any

from benign.explorer.draft import MATRICES, MOST_SHOTS, Draft
from benign.text import clean

if TYPE_CHECKING:
    from benign.explorer.looks import Look
    from benign.explorer.proofs import Proof

DECADES = 2.0
"""Decades of η on either side of what a file suggests."""

WIDTH = 320
"""Pixels of a widget; a phone has 400."""

CSS = """
:host { font-family: system-ui, "DejaVu Sans", sans-serif; }
h1 { font-size: 1.25rem; margin: 0; } p { margin: .3rem 0; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .2rem .8rem .2rem 0; border-bottom: 1px solid #c9c9c9;
  vertical-align: top; }
caption { text-align: left; }
.word { font-weight: 700; font-size: 1.1rem; }
.proved { color: #00664b; } .refuted { color: #9c3d00; } .undecided { color: #6b5200; }
.observed, .none { color: #00507d; } .error { color: #9c3d00; font-weight: 600; }
.soft { color: #595959; font-size: .9rem; } .wide { overflow-x: auto; }
"""


def widgets(draft: Draft) -> dict[str, Any]:
    """Those that a family of any kind has."""
    import panel as pn

    pn.extension(notifications=False)
    middle = math.log10(float(draft.eta))
    w: Any = pn.widgets
    wide = {"width": WIDTH}
    return {
        "eta": w.FloatSlider(
            label="step size η, power of ten", start=round(middle - DECADES, 2),
            end=round(middle + DECADES, 2), step=0.01, value=round(middle, 6), format="0.00", **wide,
        ),
        "eta_text": w.TextInput(label="η", value=f"{float(draft.eta):.6g}", width=WIDTH),
        "shots": w.IntSlider(label="shots", start=1, end=MOST_SHOTS, value=draft.shots, **wide),
        "kind": w.Select(
            label="step rule", options={"gradient step": "gradient", "normalised step": "normalized"},
            value=draft.kind, **wide,
        ),
        "task": w.Select(label="task", options=task_options(draft), value=0, **wide),
        "weight": w.FloatSlider(
            label="weight of the task (1: as the others)", start=0.05, end=5.0, step=0.05,
            value=float(draft.weights[0]), format="0.00", **wide,
        ),
        "add": w.Button(label="add a task", width=100),
        "remove": w.Button(label="remove", width=100),
        "double": w.Button(label="cost × 2", width=100),
        "halve": w.Button(label="cost ÷ 2", width=100),
        "fit": w.Button(label="fit the view", width=100),
        "clear": w.Button(label="clear paths", width=100),
        "load": w.FileInput(accept=".toml,.json", multiple=False, width=WIDTH),
        "save": w.FileDownload(
            filename="family.toml", label="save the family", callback=None, width=WIDTH, auto=True
        ),
        "certificate": w.FileDownload(
            filename="certificate.json", label="no certificate yet", disabled=True, width=WIDTH,
            auto=True,
        ),
    }  # fmt: skip


def task_options(draft: Draft) -> dict[str, int]:
    """The tasks by number and name; names need not differ."""
    return {f"{i + 1}: {clean(task.name, 40)}": i for i, task in enumerate(draft.tasks)}


def entry_sliders(draft: Draft, i: int) -> dict[tuple[str, int, int], Any]:
    """A slider for each entry of A, B, Q and R of one task, around what it is."""
    import panel as pn

    made = {}
    for name in MATRICES:
        matrix = getattr(draft.tasks[i].f, name)
        symmetric = name in ("Q", "R")
        for row, entries in enumerate(matrix):
            for column, entry in enumerate(entries):
                if symmetric and column < row:
                    continue
                value = float(entry)
                reach = max(abs(value), 0.5 if name in ("A", "B") else 0.1)
                low = value - reach
                if symmetric and row == column:
                    low = max(low, 1e-3 if name == "R" else 0.0)
                label = name if len(matrix) == len(entries) == 1 else f"{name}[{row + 1},{column + 1}]"
                widget: Any = pn.widgets.FloatSlider(
                    label=label, start=low, end=value + reach, step=reach / 100, value=value,
                    format="0.0000", width=WIDTH,
                )  # fmt: skip
                made[name, row, column] = widget
    return made


# --- text ------------------------------------------------------------------------------------------


def heading(draft: Draft) -> str:
    """What is drawn."""
    n, m = draft.shape
    sizes = ", ".join(
        f"{count} {what}{'s' if count > 1 else ''}"
        for count, what in ((len(draft.tasks), "task"), (n, "state"), (m, "input"))
    )
    title = escape(clean(draft.title or "a family of tasks", 90))
    return f"<h1>{title}</h1><p class='soft'>{sizes}</p>"


def verdict(look: Look | None, proof: Proof | None, *, waiting: bool, error: str = "") -> str:
    """What was met, and what is proved as soon as it is."""
    if error:
        return f"<p class='error' role='alert'>{escape(error)}</p>"
    parts = []
    if proof is not None:
        word = {"none": "No proof"}.get(proof.status, proof.status.capitalize())
        parts.append(
            f"<p class='word {escape(proof.status)}'>{escape(word)}</p><p>{escape(proof.words)}</p>"
        )
    elif waiting:
        parts.append("<p class='word observed'>Observed</p><p class='soft'>A proof is under way …</p>")
    else:
        parts.append("<p class='word observed'>Observed</p>")
    if look is not None and (proof is None or proof.status in ("none", "undecided")):
        parts.append(f"<p>{escape(look.words)}</p>")
    return f"<div aria-live='polite'>{''.join(parts)}</div>"


def table(look: Look | None, proof: Proof | None) -> str:
    """The minima: proved, or as they were met."""
    if proof is not None and proof.rows:
        rows, word = list(proof.rows), "proved" if proof.status != "observed" else "observed"
    elif look is not None:
        low = look.minima[0][1] if look.minima else 0.0
        rows = [(W, f"{h:.9g}", f"{h - low:.3g} (observed)") for W, h in look.minima]
        word = "observed"
    else:
        rows, word = [], "observed"
    if not rows:
        return "<p class='soft'>No local minimum is listed.</p>"
    body = "".join(
        f"<tr><th scope='row'>{i}</th>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>"
        for i, row in enumerate(rows, start=1)
    )
    return (
        f"<div class='wide'><table><caption class='soft'>Local minima, {word}</caption><thead><tr>"
        "<th scope='col'>no.</th><th scope='col'>W</th><th scope='col'>h</th>"
        f"<th scope='col'>above the least, at most</th></tr></thead><tbody>{body}</tbody></table></div>"
    )
