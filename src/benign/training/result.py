"""What training returns: the parameters, the run, and what is proved of where it ended."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from jaxtyping import Float

from benign.errors import FileFormatError
from benign.exact.rounding import at_most
from benign.exact.words import tasks_in_words
from benign.folders import About
from benign.meta.algorithms import Algorithm, make_algorithm
from benign.meta.ticks import Stop
from benign.meta.train import Ended, Snapshot, Trace, is_key
from benign.opening import read_json
from benign.results.met_documents import start_to_json
from benign.results.shown import Shown
from benign.results.start import Start
from benign.text import clean

if TYPE_CHECKING:
    import os
    from pathlib import Path

    from matplotlib.figure import Figure

    from benign.tasks.stack import TaskStack

VERSION = 1

MAX_BYTES = 200_000_000
"""Largest record of a run that is read."""


@dataclass(frozen=True, eq=False, repr=False)
class TrainingResult(Shown):
    """A training run that has ended.

    Attributes:
        W: the parameters, in the structure of the start.
        value: Σ ω f after adaptation, over the whole family.
        norm: ‖Σ ω d‖ there: of ∇h for MAML, of its own update for any other algorithm.
        task_values: (k,) f after adaptation, task by task.
        optimal_values: (k,) the least each task can cost, in floating point; None where unknown.
        stop: why it ended.
        steps, backtracks, skipped: meta-steps, halvings, tasks of batches left out as infeasible.
        trace: the run, meta-step by meta-step.
        algorithm: what was trained with.
        settings: everything that determines the run, for the record.
        start: where it began.
        tasks: what was trained on (for a sampler, the reference family).
        certificates: documents that `benign.check` proves, the strongest first; perhaps none.
        remark: why there is no certificate, else empty.
        lower: (h, W) of a minimum below this one, if a short look found any.
        a_priori: what a method loses at most that starts where this one did and never raises h; None
            where that was not looked at.
        snapshot: to go on from.
        seconds: the time of this call.
    """

    W: Any
    value: float
    norm: float
    task_values: Float[np.ndarray, " k"]
    optimal_values: Float[np.ndarray, " k"] | None
    stop: Stop
    steps: int
    backtracks: int
    skipped: int
    trace: Trace
    algorithm: Algorithm
    settings: dict[str, Any]
    start: Any
    tasks: TaskStack
    certificates: tuple[dict[str, Any], ...]
    remark: str
    digest: str
    snapshot: Snapshot = field(repr=False)
    lower: tuple[float, np.ndarray] | None = None
    a_priori: Start | None = None
    seconds: float = field(default=0.0, compare=False)

    @classmethod
    def of(
        cls,
        ended: Ended,
        rule: Algorithm,
        *,
        proved: tuple[tuple[dict[str, Any], ...], str],
        began: float,
        **rest: Any,
    ) -> TrainingResult:
        """The result of a run that has ended; `proved` is (certificates, remark)."""
        certificates, remark = proved
        copied = ("W", "value", "norm", "task_values", "stop", "steps", "backtracks", "skipped")
        return cls(
            **{name: getattr(ended, name) for name in (*copied, "trace", "snapshot")},
            algorithm=rule,
            certificates=certificates,
            remark=remark,
            seconds=time.perf_counter() - began,
            **rest,
        )

    @property
    def gap(self) -> float:
        """A proved upper bound of h(W) − inf h; +∞ without a certificate."""
        return min((float(document["gap"]) for document in self.certificates), default=inf)

    @property
    def claim(self) -> str:
        """What the strongest certificate claims, in words; empty without one."""
        if not self.certificates:
            return ""
        first = min(self.certificates, key=lambda document: float(document["gap"]))
        return str(first["claim"])

    @property
    def verdict(self) -> str:
        """How far from optimal W provably is, in a sentence."""
        if not self.certificates:
            return f"observed: {self.remark}"
        if self.gap == 0:
            return f"proved: W is next to a global minimiser of h ({self.claim})"
        return f"proved: h(W) is within {at_most(self.gap, 3)} of its infimum ({self.claim})"

    def plot(self) -> Figure:
        """The picture of the run, a Matplotlib figure."""
        from benign.views.training import draw_training

        return draw_training(self)

    def save(self, directory: str | os.PathLike[str]) -> list[Path]:
        """Write training.json, .png and .svg, checkpoint.npz and certificate-*.json to a directory.

        Raises:
            OutputError: the directory cannot be made or written, or holds the results of another run.
        """
        from benign.files import to_text
        from benign.folders import save_all
        from benign.training.checkpoint import to_bytes
        from benign.views.save import render

        contents: dict[str, str | bytes] = {
            "training.json": to_text(training_document(self)),
            "checkpoint.npz": to_bytes(self.snapshot, self.digest),
        }
        for number, document in enumerate(self.certificates, start=1):
            contents[f"certificate-{number}.json"] = to_text(document)
        if self.a_priori is not None and self.a_priori.certificate is not None:
            contents["certificate-start.json"] = to_text(self.a_priori.certificate)

        def pictures() -> dict[str, bytes]:
            return {f"training.{suffix}": data for suffix, data in render(self.plot()).items()}

        about = about_run(self.algorithm, self.tasks.names, self.digest)
        return save_all(directory, about, contents, pictures, own=("checkpoint.npz",))

    def __str__(self) -> str:
        lines = [
            self.verdict,
            f"  h = {self.value:.9g} after {self.steps} meta-steps of {self.algorithm.name}, "
            f"update norm {self.norm:.3g}: {self.stop.message}",
        ]
        if self.lower is not None:
            h, W = self.lower
            shown = " ".join(f"{x:.6g}" for x in np.asarray(W).reshape(-1))
            lines.append(f"  a lower minimum is there: h = {h:.9g} at W = [{shown}]; start there")
        if self.a_priori is not None:
            lines.append(f"  a priori, {self.a_priori}")
        if self.backtracks:
            lines.append(f"  {self.backtracks} times a step was halved")
        if self.skipped:
            lines.append(
                f"  {self.skipped} sampled tasks were left out, infeasible where they were met"
            )
        return "\n".join(lines)


def about_run(algorithm: Algorithm, names: Sequence[str], digest: str) -> About:
    """What a directory with a run is about: the digest is of its settings, tasks and start."""
    return About("training", digest, f"{algorithm.name} on {clean(tasks_in_words(list(names)))}")


def training_document(result: TrainingResult) -> dict[str, Any]:
    """A training run as a JSON document; its trace is in the checkpoint."""
    from benign.version import __version__

    leaves = jax.tree.leaves(result.W)
    return {
        "benign": "training",
        "version": VERSION,
        "library": __version__,
        "verdict": result.verdict,
        "W": [np.asarray(leaf).tolist() for leaf in leaves],
        "value": _number(result.value),
        "update_norm": _number(result.norm),
        "gap": _number(result.gap),
        "stop": result.stop.name.lower(),
        "lower": None
        if result.lower is None
        else {"value": result.lower[0], "W": result.lower[1].tolist()},
        "a_priori": None if result.a_priori is None else start_to_json(result.a_priori),
        "steps": result.steps,
        "backtracks": result.backtracks,
        "skipped": result.skipped,
        "settings": result.settings,
        "tasks": [
            {"name": name, "value": _number(float(value)), "digest": task_digest(result.tasks[i])}
            | (
                {}
                if result.optimal_values is None
                else {"optimum": _number(float(result.optimal_values[i]))}
            )
            for i, (name, value) in enumerate(zip(result.tasks.names, result.task_values, strict=True))
        ],
        "digest": result.digest,
    }


def numbers(leaf: Any) -> np.ndarray:
    """An array of a task as NumPy's, of random keys the words."""
    return np.ascontiguousarray(
        jax.random.key_data(leaf) if hasattr(leaf, "dtype") and is_key(leaf) else leaf
    )


def task_digest(task: Any) -> str:
    """What tells a task that was trained on from another: a digest of its numbers."""
    body = hashlib.sha256()
    for leaf in jax.tree.leaves(task):
        body.update(numbers(leaf).tobytes())
    return body.hexdigest()[:16]


def _number(x: float) -> float | str | None:
    if np.isnan(x):
        return None
    return x if np.isfinite(x) else ("inf" if x > 0 else "-inf")


@dataclass(frozen=True, eq=False)
class Trained:
    """What a file of a training run holds that adaptation needs.

    Attributes:
        W: (m, n) gain.  algorithm: what it was trained with.
        seen: the digests of the tasks it was trained on.
    """

    W: Float[np.ndarray, "m n"]
    algorithm: Algorithm
    seen: frozenset[str]


def read_training(path: str | os.PathLike[str]) -> Trained:
    """The gain and the algorithm of a training run, from the training.json that `save` wrote.

    Raises:
        FileFormatError: no such file, or not a training run of a gain.
    """
    document = read_json(path, MAX_BYTES, "a training run")
    try:
        if document["benign"] != "training" or document["version"] != VERSION:
            raise FileFormatError(f"{path}: expected the training.json of a run of this version")
        settings = dict(document["settings"]["algorithm"])
        name, lam = settings.pop("name"), settings.pop("lambda", None)
        (rows,) = document["W"]
        W = np.asarray(rows, dtype=float)
        if W.ndim != 2 or not np.isfinite(W).all():
            raise ValueError("its W is not a gain")
        seen = frozenset(task["digest"] for task in document["tasks"])
        return Trained(W, make_algorithm(name, lam=lam, **settings), seen)
    except FileFormatError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise FileFormatError(
            f"{path}: not the record of a training run ({type(error).__name__}: {error})"
        ) from error
