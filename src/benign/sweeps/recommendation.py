"""What `recommend` returns: what was found in each cell of the grid, and one piece of advice."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from math import inf, isfinite, nextafter
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float
from scipy.special import betaincinv

from benign.exact.problem import Family, Problem, make_step
from benign.exact.rounding import named
from benign.results.documents import about_sweep
from benign.results.enclosure import Enclosure
from benign.results.shown import Shown
from benign.tasks.normalizing import normalize

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.figure import Figure

VERSION = 1

CONFIDENCE = 0.95
"""Of the interval of a share of starts."""


class Variant(StrEnum):
    """A way to adapt; `costs` is the gradient step on tasks whose costs were normalised."""

    GRADIENT = "gradient"
    COSTS = "normalized-costs"
    NORMALIZED = "normalized-step"

    @property
    def words(self) -> str:
        """In a sentence."""
        return _WORDS[self]


_WORDS = {
    Variant.GRADIENT: "the gradient step",
    Variant.COSTS: "the gradient step on normalised costs",
    Variant.NORMALIZED: "the normalised step",
}


class Advice(StrEnum):
    """What to do."""

    KEEP = "keep the gradient step as it is"
    NORMALIZE = "normalise the costs"
    STEP = "use the normalised step"
    LOWER = "lower eta"
    RAISE = "raise eta"
    DISTINCT = "the tasks are too distinct"


class Word(StrEnum):
    """What may be said of ε in a cell."""

    PROVED = "proved"
    OBSERVED = "observed"
    INFEASIBLE = "infeasible"


@dataclass(frozen=True, eq=False)
class Cell:
    """One variant at one step size.

    Attributes:
        variant, eta: which; η is exact.
        word: "proved" if ε is enclosed by a proof, "observed" if a search met what it is computed
            from, "infeasible" if no feasible gain was found (then the numbers are ∞ and 0).
        scope: of which local minima ε speaks.
        epsilon, minimum: of h, in the costs of the variant; an observed ε has no upper bound.
        W: (m, n) the best minimiser.
        best, worst: Σ ω_τ f_τ(F_τ(W)) in the *original* costs, F_τ the adaptation of the variant, at
            the best and at the worst minimiser known. Where the list of minimisers is not proved
            complete, the worst counts where descents ended: where any settled, and what all but a
            twentieth of the starts attained.
        starts, reached: random starts, and how many descents ended at the least value of h.
    """

    variant: Variant
    eta: Fraction
    word: Word
    scope: str
    epsilon: Enclosure
    minimum: Enclosure
    W: Float[np.ndarray, "m n"]
    best: float
    worst: float
    starts: int
    reached: int

    @property
    def relative_epsilon(self) -> Enclosure:
        """ε divided by min h, rounded outwards."""
        if not (isfinite(self.minimum.hi) and self.minimum.lo > 0):
            return Enclosure(0.0, inf)
        lo, hi = self.epsilon.lo / self.minimum.hi, self.epsilon.hi / self.minimum.lo
        return Enclosure(lo and nextafter(lo, 0.0), hi and nextafter(hi, inf))

    @property
    def share(self) -> float:
        """The part of the starts that reached the least value."""
        return self.reached / self.starts if self.starts else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Bounds of the chance that a start reaches it, at 95 % (Clopper and Pearson 1934)."""
        return binomial_interval(self.reached, self.starts)

    @property
    def spread(self) -> float:
        """How far the worst minimiser lies above the best, as a share of the best."""
        return (self.worst - self.best) / self.best if self.best > 0 else 0.0

    def __str__(self) -> str:
        return f"{self.variant.words} at eta = {named(self.eta)}"


def binomial_interval(hits: int, trials: int) -> tuple[float, float]:
    """The exact interval for a probability, from `hits` of `trials`; [0, 1] without any trial.

    Source: C. J. Clopper, E. S. Pearson, Biometrika 26 (1934) 404–413.
    """
    tail = (1 - CONFIDENCE) / 2
    low = betaincinv(hits, trials - hits + 1, tail) if hits else 0.0
    high = betaincinv(hits + 1, trials - hits, 1 - tail) if hits < trials else 1.0
    return float(low), float(high)


@dataclass(frozen=True, eq=False, repr=False)
class Recommendation(Shown):
    """Which variant, which step size: the cells of a grid, and what follows from them.

    The advice rests on the cells that were looked at; between and beyond them nothing is known.

    Attributes:
        family: the tasks, in exact numbers.
        shots: of adaptation.
        cells: by variant and step size.
        present: the gradient step in use; None if no step size was named.
        advice: what to do.
        chosen: the cell that is recommended; where the tasks are too distinct, the best there is.
        reason: why, in plain words.
        optimum: Σ ω_τ f_τ*, what no adaptation can beat; ∞ where a task has no optimum.
        missed: cells that the time did not suffice for.
    """

    family: Family
    shots: int
    cells: tuple[Cell, ...]
    present: Cell | None
    advice: Advice
    chosen: Cell
    reason: str
    optimum: float
    missed: int = 0
    facts: dict[str, float] = field(default_factory=dict, repr=False)

    def problem(self, cell: Cell | None = None) -> Problem:
        """The objective of a cell, of the recommended one by default: what to analyse and to train."""
        cell = self.chosen if cell is None else cell
        return variant_problem(self.family, cell.variant, cell.eta, self.shots)

    def plot(self) -> Figure:
        """ε, attained cost and share of starts against η; a Matplotlib figure."""
        from benign.views.recommendation import draw_recommendation

        return draw_recommendation(self)

    def save(self, directory: str | os.PathLike[str]) -> list[Path]:
        """Write recommendation.json, .png, .svg and family.toml to a directory, made if need be.

        family.toml is the recommended cell as a family file, ready for `benign train` and
        `benign analyze`: its Q and R are the normalised ones where that is the advice.

        Raises:
            OutputError: the directory cannot be made or written, or holds results of another problem.
        """
        from benign.files import to_text
        from benign.folders import save_all
        from benign.tasks.saving import family_text
        from benign.views.save import render

        problem = self.problem()
        title = f"Recommended: {self.chosen}"
        contents: dict[str, str | bytes] = {
            "family.toml": family_text(problem.family, "toml", title=title, step=problem.step),
            "recommendation.json": to_text(recommendation_document(self)),
        }

        def pictures() -> dict[str, bytes]:
            return {f"recommendation.{suffix}": data for suffix, data in render(self.plot()).items()}

        about = about_sweep("recommendation", self.family, "gradient", self.shots)
        return save_all(directory, about, contents, pictures)

    def __str__(self) -> str:
        return f"{self.headline}\n{self.reason}"

    @property
    def headline(self) -> str:
        """The advice, and where it leads."""
        if self.advice is Advice.DISTINCT:
            return f"{self.advice}; best of what was looked at: {self.chosen}"
        return f"{self.advice}: {self.chosen}"


def variant_problem(family: Family, variant: Variant, eta: Fraction, shots: int) -> Problem:
    """h of a variant, in exact numbers.

    Raises:
        ProblemError: a task's cost cannot be normalised.
    """
    kind = "normalized" if variant is Variant.NORMALIZED else "gradient"
    tasks = normalize(family) if variant is Variant.COSTS else family
    return Problem(tasks, make_step(kind, eta, shots))


def recommendation_document(found: Recommendation) -> dict[str, Any]:
    """A recommendation as a JSON document."""
    from benign.exact.documents import problem_to_json
    from benign.version import __version__

    place = {id(cell): i for i, cell in enumerate(found.cells)}
    tasks = problem_to_json(Problem(found.family, make_step("gradient", found.chosen.eta)))["tasks"]
    return {
        "benign": "recommendation",
        "version": VERSION,
        "library": __version__,
        "advice": found.advice.value,
        "headline": found.headline,
        "reason": found.reason,
        "chosen": place[id(found.chosen)],
        "present": None if found.present is None else place[id(found.present)],
        "optimum": _number(found.optimum),
        "missed": found.missed,
        "cells": [cell_document(cell) for cell in found.cells],
        "tasks": tasks,
        "shots": found.shots,
    }


def cell_document(cell: Cell) -> dict[str, Any]:
    """A cell as a JSON document."""
    from benign.results.numbers import to_json

    return {
        "variant": cell.variant.value,
        "eta": str(cell.eta),
        "epsilon_is": cell.word.value,
        "of": cell.scope,
        "epsilon": to_json(cell.epsilon),
        "minimum": to_json(cell.minimum),
        "W": cell.W.tolist(),
        "best": _number(cell.best),
        "worst": _number(cell.worst),
        "starts": cell.starts,
        "reached": cell.reached,
        "interval": list(cell.interval),
    }


def cell_from(document: Any) -> Cell:
    """What `cell_document` wrote."""
    from benign.results.numbers import from_json

    return Cell(
        variant=Variant(document["variant"]),
        eta=Fraction(document["eta"]),
        word=Word(document["epsilon_is"]),
        scope=str(document["of"]),
        epsilon=from_json(document["epsilon"]),
        minimum=from_json(document["minimum"]),
        W=np.array(document["W"], float),
        best=_from_number(document["best"]),
        worst=_from_number(document["worst"]),
        starts=int(document["starts"]),
        reached=int(document["reached"]),
    )


def recommendation_from(document: dict[str, Any]) -> Recommendation:
    """What `recommendation_document` wrote, nothing computed again."""
    from benign.exact.documents import problem_from_json

    cells = tuple(cell_from(entry) for entry in document["cells"])
    step = {"kind": "gradient", "eta": document["cells"][0]["eta"], "shots": document["shots"]}
    present = document["present"]
    return Recommendation(
        family=problem_from_json({"tasks": document["tasks"], "step": step}).family,
        shots=int(document["shots"]),
        cells=cells,
        present=None if present is None else cells[present],
        advice=Advice(document["advice"]),
        chosen=cells[document["chosen"]],
        reason=str(document["reason"]),
        optimum=_from_number(document["optimum"]),
        missed=int(document["missed"]),
    )


def _number(x: float) -> float | None:
    return x if isfinite(x) else None


def _from_number(x: float | None) -> float:
    return inf if x is None else float(x)
