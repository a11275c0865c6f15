"""The explorer of one user: numbers at the left, the landscape that follows them at the right.

A change makes another `Draft`; the picture is drawn once the events that wait are handled, and a proof
begins when nothing was changed for a while. Nothing is shared between two explorers but the places for
proofs.
"""

from __future__ import annotations

import io
import json
import math
import threading
import time
from dataclasses import replace
from typing import Any

import numpy as np
import panel as pn

from benign.errors import BenignError
from benign.explorer import panels
from benign.explorer.draft import Draft, decimal, draft_of, uploaded
from benign.explorer.looks import Look, View, look, path
from benign.explorer.proofs import BUDGET, Proof, Prover
from benign.text import clean
from benign.views.interactive import figures
from benign.views.interactive.fields import LineField

RESTING = 0.6
"""Seconds without a change after which a proof begins."""

ARRIVING = 0.8
"""Seconds that a new figure gets to reach a browser: what changes it must not overtake it."""

MOST_PATHS = 12
"""Paths of descents that are drawn."""


class Explorer(pn.viewable.Viewer):
    """A family under the hand.

    Args:
        family: a `FamilyFile`, or whatever `benign.load` takes.
        eta: the step size to begin with.
        budget: seconds of each proof.

    Raises:
        ProblemError: the family is larger than what is drawn here.
    """

    def __init__(self, family: Any, *, eta: Any = None, budget: float = BUDGET, **params: Any) -> None:
        from benign.tasks.files import FamilyFile, load

        super().__init__(**params)
        file = family if isinstance(family, FamilyFile) else load(family)
        self.draft = draft_of(file, eta)
        self.prover, self.proof, self.waiting = Prover(budget), None, False
        self.look: Look | None = None
        self.error, self._busy, self._planned = "", False, False
        self._timer: threading.Timer | None = None
        self._arrived = 0.0
        self._sources: dict[str, Any] = {}
        self._hover: Any = None
        self._tips: Any = None
        self._document = pn.state.curdoc
        self._paths: list[np.ndarray] = []
        self.w = panels.widgets(self.draft)
        style = {"stylesheets": [panels.CSS], "sizing_mode": "stretch_width"}
        self.heading = pn.pane.HTML("", **style)
        self.verdict = pn.pane.HTML("", **style)
        self.table = pn.pane.HTML("", **style)
        self.picture = pn.pane.Bokeh(None, sizing_mode="stretch_width", min_height=420)
        self.entries = pn.Column(width=panels.WIDTH)
        self.sliders: dict[Any, Any] = {}
        self._watch()
        self._begin(self.draft)

    def __panel__(self) -> Any:
        """The page."""
        w = self.w
        controls = pn.Column(
            w["eta"], w["eta_text"], w["shots"], w["kind"],
            pn.Row(w["fit"], w["clear"], margin=0),
            w["task"], w["weight"], pn.Row(w["add"], w["remove"], margin=0),
            pn.Row(w["double"], w["halve"], margin=0), self.entries,
            width=panels.WIDTH + 30,
        )  # fmt: skip
        files = pn.FlexBox(
            w["certificate"], w["save"],
            pn.Column(pn.pane.HTML("<label>load a family file (.toml, .json)</label>"), w["load"]),
        )  # fmt: skip
        hint = "Click the picture for a gradient descent from there; the disk above it saves it."
        main = pn.Column(
            self.verdict, self.picture, pn.pane.HTML(f"<p>{hint}</p>"), self.table, files,
            min_width=330, sizing_mode="stretch_width",
        )  # fmt: skip
        style = {"flex": "1 1 340px", "min-width": "0"}
        main.styles = style
        return pn.Column(
            self.heading,
            # Where both do not fit side by side, the picture is above the sliders.
            pn.FlexBox(
                controls,
                main,
                flex_wrap="wrap-reverse",
                align_items="flex-end",
                sizing_mode="stretch_width",
            ),
            sizing_mode="stretch_width",
        )

    # --- what the user does ------------------------------------------------------------------------

    def _watch(self) -> None:
        w = self.w
        w["eta"].param.watch(self._on_eta, "value")
        w["eta_text"].param.watch(self._on_eta_text, "value")
        w["shots"].param.watch(lambda e: self._change(lambda d: replace(d, shots=e.new)), "value")
        w["kind"].param.watch(lambda e: self._change(lambda d: replace(d, kind=e.new)), "value")
        w["weight"].param.watch(
            lambda e: self._change(lambda d: d.with_weight(w["task"].value, e.new)), "value"
        )
        w["task"].param.watch(self._on_task, "value")
        w["add"].on_click(lambda _: self._restructure(lambda d, i: d.added(i), last=True))
        w["remove"].on_click(lambda _: self._restructure(lambda d, i: d.removed(i)))
        w["double"].on_click(lambda _: self._restructure(lambda d, i: d.scaled(i, 2)))
        w["halve"].on_click(lambda _: self._restructure(lambda d, i: d.scaled(i, "0.5")))
        w["fit"].on_click(lambda _: self._fit())
        w["clear"].on_click(lambda _: self._clear())
        w["load"].param.watch(self._on_load, "value")
        w["save"].callback = self._family_text
        w["certificate"].callback = self._certificate_text

    def _on_eta(self, event: Any) -> None:
        if not self._busy:
            eta = decimal(float(10**event.new))
            self._change(lambda d: replace(d, eta=eta))

    def _on_eta_text(self, event: Any) -> None:
        def changed(draft: Draft) -> Draft:
            from benign.exact.problem import make_step

            eta = make_step("gradient", event.new).eta
            slider = self.w["eta"]
            at = min(max(math.log10(float(eta)), slider.start), slider.end)
            self._quietly(lambda: slider.param.update(value=at))
            return replace(draft, eta=eta)

        self._change(changed)

    def _on_task(self, _: Any) -> None:
        if not self._busy:
            self._show_task()

    def _on_load(self, event: Any) -> None:
        if not event.new:
            return
        try:
            draft = uploaded(str(self.w["load"].filename or "family"), event.new)
            draft.problem  # noqa: B018 — refused here rather than while it is drawn
        except (BenignError, OverflowError) as error:
            self._say(clean(str(error), 300))
            return
        self._begin(draft)

    def _change(self, change: Any) -> None:
        """Another draft, and a picture of it soon; what cannot be is said and changes nothing."""
        if self._busy:
            return
        try:
            draft = change(self.draft)
            draft.problem  # noqa: B018
        except (BenignError, OverflowError) as error:
            self._say(clean(str(error), 300))
            return
        self.draft, self.error = draft, ""
        self._plan()

    def _restructure(self, change: Any, *, last: bool = False) -> None:
        i = self.w["task"].value
        before = self.draft
        self._change(lambda d: change(d, i))
        if self.draft is not before:
            count = len(self.draft.tasks)
            self._list_tasks(count - 1 if last else min(i, count - 1))

    # --- what follows ------------------------------------------------------------------------------

    def _begin(self, draft: Draft) -> None:
        """A family from the start: its own view, its own sliders."""
        self.draft, self.error, self.look, self._paths = draft, "", None, []
        middle = math.log10(float(draft.eta))
        ends = {"start": round(middle - panels.DECADES, 2), "end": round(middle + panels.DECADES, 2)}
        self._quietly(lambda: self.w["eta"].param.update(**ends, value=middle))
        for name, value in (("eta_text", f"{float(draft.eta):.6g}"), ("shots", draft.shots),
                            ("kind", draft.kind)):  # fmt: skip
            self._quietly(lambda name=name, value=value: self.w[name].param.update(value=value))
        self._list_tasks(0)
        self.heading.object = panels.heading(draft)
        self._draw(None, fresh=True)
        self._rest()

    def _list_tasks(self, chosen: int) -> None:
        options = panels.task_options(self.draft)
        self._quietly(lambda: self.w["task"].param.update(options=options, value=chosen))
        self.heading.object = panels.heading(self.draft)
        self._show_task()

    def _show_task(self) -> None:
        i = self.w["task"].value
        self._quietly(lambda: self.w["weight"].param.update(value=float(self.draft.weights[i])))
        self.sliders = panels.entry_sliders(self.draft, i)
        for (name, row, column), slider in self.sliders.items():
            slider.param.watch(
                lambda e, at=(name, row, column): self._change(
                    lambda d: d.with_entry(i, *at, float(e.new))
                ),
                "value",
            )
        self.entries[:] = list(self.sliders.values())

    def _quietly(self, act: Any) -> None:
        before, self._busy = self._busy, True
        try:
            act()
        finally:
            self._busy = before

    def _say(self, sentence: str) -> None:
        self.error = sentence
        self._write()

    def _plan(self) -> None:
        """Draw when the events that wait are handled: of many movements the last is drawn."""
        self._drop_proof()
        if self._planned:
            return
        self._planned = True
        self._soon(self._redraw, drawn=True)

    def _soon(self, act: Any, *, drawn: bool = False) -> None:
        """Do it in the turn of the user's document; what changes a figure once that has arrived."""
        document, wait = self._document, self._arrived - time.monotonic()
        if drawn and wait > 0 and document is not None and document.session_context is not None:
            document.add_timeout_callback(act, int(1000 * wait) + 1)
            return
        if document is not None and document.session_context is not None:
            document.add_next_tick_callback(act)
        else:
            act()

    def _redraw(self) -> None:
        """The picture, and then, in a turn of their own so that it need not wait, the words."""
        self._planned = False
        self._draw(None if self.look is None else self.look.view)
        self._soon(self._follow)

    def _follow(self) -> None:
        if self._planned:  # it has moved on already
            return
        eta = f"{float(self.draft.eta):.6g}"
        self._quietly(lambda: self.w["eta_text"].param.update(value=eta))
        self._rest()

    def _fit(self) -> None:
        self._draw(None, fresh=True)
        self._write()

    def _clear(self) -> None:
        self._paths = []
        self._show_paths()

    def _draw(self, view: View | None, *, fresh: bool = False) -> None:
        try:
            self.look = look(self.draft, view)
        except BenignError as error:
            self._say(clean(str(error), 300))
            return
        if fresh or self.picture.object is None:
            self._new_figure(self.look)
        else:
            self._paths = []
            self._update(self.look)

    def _new_figure(self, now: Look) -> None:
        from bokeh.events import Tap
        from bokeh.models import ColumnDataSource, HoverTool, SaveTool

        figure = figures.draw(now.field, height=430)
        figure.add_tools(SaveTool(filename="landscape"))
        paths = ColumnDataSource({"xs": [], "ys": []}, name="paths")
        figure.multi_line("xs", "ys", source=paths, color=figures.PURPLE, width=2.5)
        figure.on_event(Tap, self._on_tap)
        # Bokeh looks a model up by walking all of them: once, not at every movement.
        self._sources = {s.name: s for s in figure.select({"type": ColumnDataSource})}
        self._hover, self._tips = figure.select_one({"type": HoverTool, "mode": "vline"}), None
        self._paths, self._arrived = [], time.monotonic() + ARRIVING
        self.picture.object = figure

    def _update(self, now: Look) -> None:
        for name, columns in figures.sources(now.field).items():
            self._sources[name].data = columns
        if isinstance(now.field, LineField):
            tips = figures.line_tips(now.field)
            if tips != self._tips:
                self._hover.tooltips = self._tips = tips
            self.picture.object.y_range.update(start=now.field.y[0], end=now.field.y[1])
        self._show_paths()

    def _on_tap(self, event: Any) -> None:
        if self.look is not None and event.x is not None:
            found = path(self.look, (float(event.x), float(event.y)))
            if len(found):
                self._paths = [*self._paths, found][-MOST_PATHS:]
                self._show_paths()

    def _show_paths(self) -> None:
        self._sources["paths"].data = {
            "xs": [one[:, 0] for one in self._paths],
            "ys": [one[:, 1] for one in self._paths],
        }

    def _write(self) -> None:
        now, proof = self.look, self.proof
        self.verdict.object = panels.verdict(now, proof, waiting=self.waiting, error=self.error)
        self.table.object = panels.table(now, proof)
        ready = proof is not None and bool(proof.certificates)
        self.w["certificate"].param.update(
            disabled=not ready, label="save the certificate" if ready else "no certificate yet"
        )

    # --- proofs ------------------------------------------------------------------------------------

    def _drop_proof(self) -> None:
        self.proof, self.waiting = None, False
        self.prover.cancel()
        if self._timer is not None:
            self._timer.cancel()

    def _rest(self) -> None:
        """Begin a proof if nothing changes for a while."""
        self._drop_proof()
        self.waiting = True
        draft = self.draft
        self._timer = threading.Timer(RESTING, lambda: self.prover.start(draft.problem, told))

        def told(proof: Proof) -> None:
            self._soon(lambda: self._proved(draft, proof))

        self._timer.daemon = True
        self._timer.start()
        self._write()

    def _proved(self, draft: Draft, proof: Proof) -> None:
        if draft is self.draft:
            self.proof, self.waiting = proof, False
            self._write()

    def close(self) -> None:
        """End what is under way; nobody looks any more."""
        self._drop_proof()

    # --- files -------------------------------------------------------------------------------------

    def _family_text(self) -> io.BytesIO:
        from benign.tasks.saving import family_text

        problem = self.draft.problem
        text = family_text(problem.family, "toml", title=self.draft.title, step=problem.step)
        return io.BytesIO(text.encode())

    def _certificate_text(self) -> io.BytesIO:
        from benign.files import to_text

        found = self.proof.certificates if self.proof is not None else ()
        return io.BytesIO((to_text(found[0]) if found else json.dumps({})).encode())
