"""The settings of a run, checked once, before any work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from benign.errors import ProblemError, UsageError
from benign.exact.numbers import real, seed_of, whole
from benign.meta.algorithms import FTML, Algorithm, ImplicitMAML, MinibatchProx, make_algorithm
from benign.tasks.given import described, require_callable

MOST_STEPS = 10_000_000
"""Meta-steps at most: their trace then has 320 MB, and a checkpoint holds it."""

MOST_BATCH = 1_000_000
"""Tasks in a batch, at most."""

PROXIMAL = (ImplicitMAML.name, MinibatchProx.name)
"""The algorithms that have a λ."""

EVERY = 100
"""FTML's meta-steps between two arrivals, if nothing else is said."""

Progress = Callable[[int, float, float, int], None]


@dataclass(frozen=True)
class Options:
    """What `train` documents under the same names, in range and of one type each."""

    lam: float | None
    delta: float
    every: int
    beta: float | None
    optimizer: Any
    armijo: bool
    steps: int
    batch: int | None
    tolerance: float
    gap: float | None
    certified: bool
    seed: int
    resume: bool

    @classmethod
    def checked(
        cls,
        *,
        lam: Any,
        delta: Any,
        every: Any,
        beta: Any,
        optimizer: Any,
        armijo: Any,
        steps: Any,
        batch: Any,
        tolerance: Any,
        gap: Any,
        certified: Any,
        seed: Any,
        resume: Any,
        progress: Any,
    ) -> Options:
        """The settings as numbers.

        Raises:
            ProblemError: one is out of range.
            UsageError: one is of another type.
        """
        require_callable(progress, "train", "progress")
        for name, flag in (("armijo", armijo), ("certified", certified), ("resume", resume)):
            if not isinstance(flag, (bool, np.bool_)) and not (name == "armijo" and flag is None):
                raise UsageError(f"train: {name}: expected True or False, got {described(flag)}")
        beta = None if beta is None else _positive(beta, "beta")
        return cls(
            lam=None if lam is None else real(lam, "lam"),  # its range is the algorithm's to say
            delta=_positive(delta, "delta"),
            every=whole(every, "every", 1, 2**31 - 1, "it is counted in 32 bits"),
            beta=beta,
            optimizer=optimizer,
            armijo=beta is None and isinstance(optimizer, str) if armijo is None else bool(armijo),
            steps=whole(steps, "steps", 0, MOST_STEPS, "the trace of all of them is kept in memory"),
            batch=None
            if batch is None
            else whole(batch, "batch", 1, MOST_BATCH, "they are drawn at once"),
            tolerance=_positive(tolerance, "tolerance", zero=True),
            gap=None if gap is None else _positive(gap, "gap"),
            certified=bool(certified),
            seed=seed_of(seed),
            resume=bool(resume),
        )

    @property
    def size(self) -> float:
        """β, or the longest step that Armijo's rule tries."""
        return 1.0 if self.beta is None else self.beta

    def rule(self, algorithm: str | Algorithm, *, eta: Any, step: Any, shots: Any) -> Algorithm:
        """The algorithm, made with these settings if it is given by name."""
        if isinstance(algorithm, Algorithm):
            return algorithm
        if not isinstance(algorithm, str):
            raise UsageError(
                f"train: algorithm: expected a name or an Algorithm, got {described(algorithm)}"
            )
        if self.lam is not None and algorithm not in PROXIMAL:
            raise ProblemError(
                f"lambda: {algorithm} has none, only {' and '.join(PROXIMAL)} have; leave it out"
            )
        if self.every != EVERY and algorithm != FTML.name:
            raise ProblemError(f"every: only {FTML.name} waits for tasks to arrive; leave it out")
        return make_algorithm(
            algorithm,
            eta=eta, shots=shots, step=step, lam=self.lam, delta=self.delta, every=self.every,
        )  # fmt: skip

    def require_step_size(self, rule: Algorithm, tasks: int, *, sampled: bool) -> None:
        """Refuse to look for the meta-step size where there is nothing to search along."""
        if not self.armijo or self.beta is not None:
            return
        if not rule.has_merit:
            why = "its directions are no gradient"
        elif sampled or self.batch not in (None, tasks):
            why = "batches differ from step to step"
        else:
            return
        raise ProblemError(f"beta: {rule.name} needs a step size here ({why}); give beta")

    def record(self, rule: Algorithm, batch: int, *, sampled: bool) -> dict[str, Any]:
        """What determines the run, its tasks and its start apart."""
        known = isinstance(self.optimizer, str)
        return {
            "algorithm": {"name": rule.name, **rule.settings},
            "optimizer": self.optimizer if known else type(self.optimizer).__name__,
            "beta": float(self.size),
            "armijo": self.armijo,
            "batch": batch,
            "sampled": sampled,
            "seed": self.seed,
        }


def _positive(value: Any, name: str, *, zero: bool = False) -> float:
    """A finite number above zero, or zero where that is taken.

    Raises:
        ProblemError: it is none.
    """
    number = real(value, name)
    if not (number > 0 or (zero and number == 0)) or number == float("inf"):
        bound = "zero or more" if zero else "positive"
        raise ProblemError(f"{name}: must be {bound} and finite, got {number:g}")
    return float(number)
