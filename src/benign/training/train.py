"""The verb `train`: a start, the loop, and at the end the certificates that apply."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax

from benign.clock import Clock, clock_of
from benign.errors import OutputError
from benign.folders import About, require_place
from benign.linalg import in_float64
from benign.meta.algorithms import Algorithm
from benign.meta.ticks import InfeasibleStartError, Stop
from benign.meta.train import Course, Ended, Snapshot
from benign.opening import exists, path_of
from benign.training.another import lower_minimum
from benign.training.certifying import certifier_of, gap_settings, least_costs
from benign.training.checkpoint import digest_of, is_checkpoint, read_checkpoint, write_checkpoint
from benign.training.given import explained, pieces_of, start_of, tasks_of
from benign.training.options import Options, Progress
from benign.training.result import TrainingResult, about_run, numbers
from benign.training.starts import a_priori

CHECKPOINT_SECONDS = 1.0
"""A checkpoint is written after the first segment, then at most this often, and at the end."""

TRAINING = 0.8
"""The share of a budget for the meta-steps; the rest looks at the end and certifies it."""


@in_float64
def train(
    objective: Any,
    algorithm: str | Algorithm = "maml",
    *,
    eta: Any = None,
    step: Any = None,
    shots: Any = None,
    lam: float | None = None,
    delta: float = 1e-5,
    every: int = 100,
    beta: float | None = None,
    optimizer: Any = "sgd",
    armijo: bool | None = None,
    steps: int = 1000,
    batch: int | None = None,
    start: Any = "mean",
    tolerance: float = 1e-8,
    gap: float | None = None,
    certified: bool = True,
    budget: Any = None,
    seed: Any = 0,
    out: str | os.PathLike[str] | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    resume: bool = False,
    progress: Progress | None = None,
) -> TrainingResult:
    """Train the point that adaptation starts from: w ← w − β Σ ω_τ d_τ(w), d by the algorithm.

    Args:
        objective: a `MetaObjective` or an exact `Problem`, whose step is used; a family of any form; a
            `TaskStack` or list of tasks of any kind; or a sampler: a function of a
            `numpy.random.Generator` and a number to a family of so many tasks.
        algorithm: a name of `benign.meta.algorithms.ALGORITHMS`, or an algorithm made already, which
            then has the next six settings itself.
        eta, step, shots: the adaptation step: η, "gradient" or "normalized", its number of shots. By
            default those of the objective, or the first that a file suggests.
        lam: λ of iMAML and Meta-MinibatchProx.
        delta: the distance of HF-MAML's difference.
        every: FTML's meta-steps between two arrivals.
        beta: meta-step size β. Without one the step is found by Armijo's rule, 1 being the longest;
            that needs an objective to search along and all tasks in each step.
        optimizer: "sgd", "momentum", "adam", "rmsprop", "adagrad", "lion", or an Optax transformation
            (with its own step size: β is then not used).
        armijo: whether to use Armijo's rule; by default if no β is given.
        steps: meta-steps at most.
        batch: tasks in a batch, drawn without replacement; all by default (a sampler needs a number).
        start: the parameters; or "mean", the mean of the task optima; or "random", drawn from the set
            where h is finite by `landscape.sampling.Sampler`. The last two are for LQR families.
        tolerance: end where ‖Σ ω d‖ is at most this (units of cost by units of W).
        gap: end where h(W) is certified to be within this of its infimum.
        certified: make the certificates at the end, as far as there are any.
        budget: seconds, or text such as "30s", for all of it: compilation and certificates count.
        seed: of the start, the batches and the sampled costs. One seed, one result.
        out: a directory, made if need be, that the result is saved to.
        checkpoint: file that the run is kept in, written at most once a second and at the end.
        resume: go on from that file if it is there.
        progress: called with (steps, h, ‖Σ ω d‖, halvings) now and then.

    Returns:
        The result, its certificates included.

    Raises:
        UsageError: what is neither an objective, nor a family, nor tasks; a step beside an objective.
        ProblemError: a setting is out of range or does not go with another; no feasible start.
        FileFormatError: the checkpoint is not one, or not of this run.
        BudgetError: time ran out before the first meta-steps were done.

    Source: Algorithm 1 of arXiv 2006.00453; see `benign.meta.algorithms` for the relatives.
    """
    began, clock = time.perf_counter(), clock_of(budget)
    asked = Options.checked(
        lam=lam, delta=delta, every=every, beta=beta, optimizer=optimizer, armijo=armijo, steps=steps,
        batch=batch, tolerance=tolerance, gap=gap, certified=certified, seed=seed, resume=resume,
        progress=progress,
    )  # fmt: skip
    tasks, eta, step, shots = pieces_of(objective, algorithm, eta, step, shots)
    sampler, stack, family = tasks_of(tasks, asked.seed)
    rule = asked.rule(algorithm, eta=eta, step=step, shots=shots)
    asked.require_step_size(rule, len(stack), sampled=sampler is not None)
    W = start_of(start, family, rule, asked.seed, clock)
    course = Course(
        stack, rule, W,
        beta=asked.size, optimizer=optimizer, armijo=asked.armijo, batch=asked.batch, seed=asked.seed,
        sampler=sampler,
    )  # fmt: skip
    settings = asked.record(rule, course.batch, sampled=sampler is not None)
    digest = digest_of(settings, [numbers(x) for x in jax.tree.leaves((W, stack.tasks, stack.weights))])
    about = about_run(rule, stack.names, digest)
    path, before = _place(checkpoint, out, about, digest, resume=asked.resume)
    certifier = certifier_of(family, rule) if asked.certified or asked.gap is not None else None
    try:
        ended = course.run(
            W,
            steps=asked.steps,
            tolerance=asked.tolerance,
            clock=clock.part(TRAINING),
            resume=before,
            save=None if path is None else _saver(path, digest),
            progress=progress,
            **gap_settings(asked.gap, family, certifier),
        )
    except InfeasibleStartError as error:
        if family is None:
            raise
        raise explained(error, start, family, rule) from error
    if path is not None:
        write_checkpoint(path, ended.snapshot, digest)
    found = TrainingResult.of(
        ended,
        rule,
        settings={**settings, "steps": asked.steps},
        start=W,
        tasks=stack,
        proved=_proved(ended, certifier, clock, certified=asked.certified),
        optimal_values=least_costs(family, stack, clock),
        digest=digest,
        began=began,
    )
    if asked.certified and ended.stop is not Stop.INTERRUPTED and not clock.late:
        bound = a_priori(family, rule, W, start, clock)
        found = replace(found, a_priori=bound, lower=lower_minimum(family, rule, found, clock))
    if out is not None:
        found.save(out)
    return found


# --- files -----------------------------------------------------------------------------------


def _place(
    checkpoint: Any, out: Any, about: About, digest: str, *, resume: bool
) -> tuple[Path | None, Snapshot | None]:
    """Where the run is kept, and what is there of it; refused before any work if it will not do."""
    path = None if checkpoint is None else Path(path_of(checkpoint, "train"))
    before = None
    if path is not None and exists(path):
        # Whatever it is, it is looked at before it is replaced: it may be somebody's file.
        before = read_checkpoint(path, digest) if resume else None
        if not resume and not is_checkpoint(path):
            raise OutputError(f"{path}: a file of that name is there, and no checkpoint; name another")
    if path is not None:
        require_place(path.parent, about)
    if out is not None:
        require_place(out, about)
    return path, before


def _saver(path: Path, digest: str) -> Callable[[Any], None]:
    last = -float("inf")

    def save(snapshot: Any) -> None:
        nonlocal last
        if time.perf_counter() - last >= CHECKPOINT_SECONDS:
            write_checkpoint(path, snapshot, digest)
            last = time.perf_counter()

    return save


# --- the end ---------------------------------------------------------------------------------


def _proved(
    ended: Ended, certifier: Callable[[Any], Any] | None, clock: Clock, *, certified: bool
) -> tuple[tuple[dict[str, Any], ...], str]:
    """The certificates of where the run ended, or why there is none."""
    if ended.stop is Stop.INTERRUPTED:
        return (), "the run was interrupted before its end"
    if not certified or certifier is None:
        return (), "no certificate was asked for"
    if clock.late:
        return (), "there was no time for a certificate; `certify` makes it"
    return certifier(ended.W)
