"""The verb `train`: a start, the loop, and at the end the certificates that apply."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import numpy as np

from benign.certificates.quantitative import QUANTITATIVE
from benign.clock import Clock, clock_of
from benign.errors import BenignError, BudgetError, OutputError, ProblemError, UsageError
from benign.exact.likeness import is_one_task
from benign.exact.numbers import real, seed_of, whole
from benign.exact.problem import Step
from benign.folders import require_place
from benign.linalg import in_float64
from benign.meta.adaptation import AdaptationStep
from benign.meta.algorithms import Algorithm, NormalizedMAML, make_algorithm
from benign.meta.given import is_objective, require_alone, settings_of
from benign.meta.objective import MetaObjective
from benign.meta.ticks import InfeasibleStartError, Stop
from benign.meta.train import Course, Ended, Sampler
from benign.opening import exists, path_of
from benign.prove.certify import certify
from benign.tasks.family import TaskFamily
from benign.tasks.given import FAMILIES, as_task_family, described, is_family, require_callable, several
from benign.tasks.numbers import floats_of
from benign.tasks.stack import TaskStack
from benign.training.another import lower_minimum
from benign.training.checkpoint import digest_of, is_checkpoint, read_checkpoint, write_checkpoint
from benign.training.result import TrainingResult, about_run, numbers
from benign.training.starts import mean_of_optima, optima, random_start

CHECKPOINT_SECONDS = 1.0
"""A checkpoint is written after the first segment, then at most this often, and at the end."""

TRAINING = 0.8
"""The share of a budget for the meta-steps; the rest looks at the end and certifies it."""

CERTIFIED_WORK = 2e6
"""Certificates are made while tasks × (states + inputs)³ is below this: some seconds in balls."""

REFERENCE = 64
"""Tasks drawn from a sampler for the reference family, on which a run is watched and judged."""

MOST_STEPS = 10_000_000
"""Meta-steps at most: their trace then has 320 MB, and a checkpoint holds it."""

MOST_BATCH = 1_000_000
"""Tasks in a batch, at most."""

Progress = Callable[[int, float, float, int], None]


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
    seed, every = seed_of(seed), whole(every, "every", 1, 2**31 - 1, "it is counted in 32 bits")
    steps = whole(steps, "steps", 0, MOST_STEPS, "the trace of all of them is kept in memory")
    batch = None if batch is None else whole(batch, "batch", 1, MOST_BATCH, "they are drawn at once")
    tolerance, delta = _positive(tolerance, "tolerance", zero=True), _positive(delta, "delta")
    beta, gap = (
        None if x is None else _positive(x, name) for x, name in ((beta, "beta"), (gap, "gap"))
    )
    lam = None if lam is None else real(lam, "lam")  # whether it goes with the algorithm, that says
    require_callable(progress, "train", "progress")
    for name, flag in (("armijo", armijo), ("certified", certified), ("resume", resume)):
        if not isinstance(flag, (bool, np.bool_)) and not (name == "armijo" and flag is None):
            raise UsageError(f"train: {name}: expected True or False, got {described(flag)}")
    tasks, eta, step, shots = _pieces(objective, algorithm, eta, step, shots)
    sampler, stack, family = _tasks(tasks, seed)
    if not isinstance(algorithm, (str, Algorithm)):
        raise UsageError(
            f"train: algorithm: expected a name or an Algorithm, got {described(algorithm)}"
        )
    rule = algorithm
    if isinstance(rule, str):
        rule = make_algorithm(rule, eta=eta, shots=shots, step=step, lam=lam, delta=delta, every=every)
    armijo = beta is None and isinstance(optimizer, str) if armijo is None else armijo
    if armijo and beta is None and (not rule.has_merit or sampler or batch not in (None, len(stack))):
        why = (
            "its directions are no gradient"
            if not rule.has_merit
            else "batches differ from step to step"
        )
        raise ProblemError(f"beta: {rule.name} needs a step size here ({why}); give beta")
    W = _start(start, family, rule, seed, clock)
    size = 1.0 if beta is None else beta
    course = Course(
        stack, rule, W,
        beta=size, optimizer=optimizer, armijo=armijo, batch=batch, seed=seed, sampler=sampler,
    )  # fmt: skip
    settings = {
        "algorithm": {"name": rule.name, **rule.settings},
        "optimizer": optimizer if isinstance(optimizer, str) else type(optimizer).__name__,
        "beta": float(size),
        "armijo": armijo,
        "batch": course.batch,
        "sampled": sampler is not None,
        "seed": seed,
    }
    arrays = [numbers(x) for x in jax.tree.leaves((W, stack.tasks, stack.weights))]
    digest = digest_of(settings, arrays)
    path = None if checkpoint is None else Path(path_of(checkpoint, "train"))
    before = None
    if path is not None and exists(path):
        # Whatever it is, it is looked at before it is replaced: it may be somebody's file.
        before = read_checkpoint(path, digest) if resume else None
        if not resume and not is_checkpoint(path):
            raise OutputError(f"{path}: a file of that name is there, and no checkpoint; name another")
    if path is not None:
        require_place(path.parent, about_run(rule, stack.names, digest))
    if out is not None:
        require_place(out, about_run(rule, stack.names, digest))
    certifier = _certifier(family, rule) if certified or gap is not None else None
    try:
        ended = course.run(
            W,
            steps=steps,
            tolerance=float(tolerance),
            clock=clock.part(TRAINING),
            resume=before,
            save=None if path is None else _saver(path, digest),
            progress=progress,
            **_gap_settings(gap, family, certifier),
        )
    except InfeasibleStartError as error:
        if family is None:
            raise
        raise _explained(error, start, family, rule) from error
    if path is not None:
        write_checkpoint(path, ended.snapshot, digest)
    certificates, remark = (), "no certificate was asked for"
    if ended.stop is Stop.INTERRUPTED:
        remark = "the run was interrupted before its end"
    elif certified and clock.late:
        remark = "there was no time for a certificate; `certify` makes it"
    elif certified and certifier is not None:
        certificates, remark = certifier(ended.W)
    best = _optima_in_time(family, clock) if family is not None else _known_optima(stack)
    settings["steps"] = steps
    found = _result(ended, rule, settings, W, stack, certificates, remark, digest, best, began)
    if certified and ended.stop is not Stop.INTERRUPTED and not clock.late:
        found = replace(found, lower=lower_minimum(family, rule, found, clock))
    if out is not None:
        found.save(out)
    return found


def _positive(value: Any, name: str, *, zero: bool = False) -> float:
    """A finite number above zero, or zero where that is taken.

    Raises:
        ProblemError: it is none.
    """
    number = real(value, name)
    if not (number > 0 or (zero and number == 0)) or number == float("inf"):
        bound = "zero or more" if zero else "positive"
        raise ProblemError(f"{name}: must be {bound} and finite, got {number:g}")
    return number


def _result(
    ended: Ended,
    rule: Algorithm,
    settings: dict[str, Any],
    W: Any,
    stack: TaskStack,
    certificates: tuple[dict[str, Any], ...],
    remark: str,
    digest: str,
    best: np.ndarray | None,
    began: float,
) -> TrainingResult:
    return TrainingResult(
        W=ended.W,
        value=ended.value,
        norm=ended.norm,
        task_values=ended.task_values,
        optimal_values=best,
        stop=ended.stop,
        steps=ended.steps,
        backtracks=ended.backtracks,
        skipped=ended.skipped,
        trace=ended.trace,
        algorithm=rule,
        settings=settings,
        start=W,
        tasks=stack,
        certificates=certificates,
        remark=remark,
        digest=digest,
        snapshot=ended.snapshot,
        seconds=time.perf_counter() - began,
    )


# --- tasks and start -------------------------------------------------------------------------


def _pieces(
    objective: Any, algorithm: str | Algorithm, eta: Any, step: Any, shots: Any
) -> tuple[Any, Any, Any, Any]:
    """The tasks, η, the kind of step and its shots: as given, of the objective, or of a file."""
    used = None
    if is_objective(objective):
        require_alone("train", eta, step, shots)
        objective, used = settings_of(objective, "train")
        if algorithm == NormalizedMAML.name and used is not None and used.kind != "normalized":
            raise UsageError(
                f"train: {algorithm} takes a normalised step and the objective has a gradient step; "
                "give its family and eta, or another algorithm"
            )
    elif is_family(objective):
        objective, used = settings_of(objective, "train")
    if isinstance(step, AdaptationStep):
        step = step.exact()
    if not (step is None or isinstance(step, (str, Step))):
        raise UsageError(f"train: step: expected a step or its kind, got {described(step)}")
    if isinstance(step, Step):
        return objective, step.eta, step.kind, step.shots
    if used is not None:
        eta = used.eta if eta is None else eta
        step = used.kind if step is None else step
        shots = used.shots if shots is None else shots
    return objective, eta, "gradient" if step is None else step, 1 if shots is None else shots


def _tasks(tasks: Any, seed: int) -> tuple[Sampler | None, TaskStack, TaskFamily | None]:
    """The sampler, if it is one; the tasks; and the family, if they are plain LQR tasks."""
    sampler = None
    if callable(tasks) and not isinstance(tasks, (TaskFamily, TaskStack, type)):
        sampler = tasks
        # A stream of its own, so that the batches do not depend on the size of the reference family.
        tasks = tasks(np.random.default_rng([seed, 2**31]), REFERENCE)
    if is_family(tasks):
        tasks = as_task_family(tasks, "train")
    elif not isinstance(tasks, TaskStack):
        if not isinstance(tasks, Iterable):
            raise UsageError(
                f"train: expected an objective, a family or tasks, got {described(tasks)}; "
                f"give {FAMILIES}"
            )
        tasks = TaskStack(several(tasks, "tasks", "train"))
    family = tasks if isinstance(tasks, TaskFamily) else None
    return sampler, TaskStack.of(tasks), family


def _optima_in_time(family: TaskFamily, clock: Clock) -> np.ndarray | None:
    try:
        return optima(family, clock)[1]
    except BudgetError:
        return None


def _start(start: Any, family: TaskFamily | None, rule: Algorithm, seed: int, clock: Clock) -> Any:
    if not isinstance(start, str):
        if family is not None:
            W = floats_of(start, "start")
            if W.shape == () and family.m == family.n == 1:
                W = W.reshape(1, 1)
            if W.shape != (family.m, family.n):
                raise ProblemError(
                    f"start: expected a gain of shape ({family.m}, {family.n}), got {W.shape}"
                )
            return W
        return jax.tree.map(lambda x: np.asarray(x, float), start)
    if start not in ("mean", "random"):
        raise ProblemError(f"start: expected parameters, mean or random, got {start!r}")
    if family is None:
        raise ProblemError(
            f"start: {start!r} is for families of LQR tasks; give parameters for tasks of another kind"
        )
    step = getattr(rule, "step", None)
    if start == "random":
        return random_start(family, step, seed, clock)
    return mean_of_optima(family, clock)


def _explained(
    error: InfeasibleStartError, start: Any, family: TaskFamily, rule: Algorithm
) -> ProblemError:
    """Why the run could not begin where it was to, and what would do."""
    if not isinstance(start, str):
        return error
    # If no gain at all is feasible this raises, and says which tasks conflict or which eta would do.
    random_start(family, getattr(rule, "step", None), 0)
    what = "the mean of the task optima" if start == "mean" else "what was drawn"
    return ProblemError(
        f"start: {what} is infeasible for some task, before or after adaptation; use a random start "
        "(--start random), or a smaller eta"
    )


def _known_optima(stack: TaskStack) -> np.ndarray | None:
    best = [task.optimum() for task in stack] if len(stack) <= REFERENCE else [None]
    if any(found is None for found in best):
        return None
    return np.array([float(found.value) for found in best if found is not None])


# --- certificates ----------------------------------------------------------------------------


@dataclass(frozen=True)
class _Certifier:
    """What can be proved of a gain, for one family and step."""

    family: TaskFamily
    step: AdaptationStep

    def __call__(self, W: Any) -> tuple[tuple[dict[str, Any], ...], str]:
        """The certificates, the smallest gap first, and why there is none."""
        problem = MetaObjective(self.family, self.step).problem
        scalar = problem.family.is_scalar
        gain = float(np.asarray(W).reshape(-1)[0]) if scalar else np.asarray(W)
        claims: list[str | None] = [None]
        if problem.step.kind == "gradient" and is_one_task(problem.family):
            claims.append(QUANTITATIVE)
        documents, reasons = [], []
        for claim in claims:
            try:
                documents.append(certify(problem, gain, claim))
            except BenignError as error:
                # A run that is over is never lost to a proof that does not apply.
                reasons.append(str(error))
        documents.sort(key=lambda document: float(document["gap"]))
        return tuple(documents), "" if documents else "; ".join(reasons)

    def gap(self, W: Any) -> float:
        """The smallest gap proved."""
        documents, _ = self(W)
        return min((float(document["gap"]) for document in documents), default=float("inf"))


def _certifier(family: TaskFamily | None, rule: Algorithm) -> Callable[[Any], Any]:
    """Something that certifies, or that says why there is no certificate."""
    step = getattr(rule, "step", None)
    if family is None:
        return lambda _: ((), "certificates are made for families of LQR tasks, on exact numbers")
    if step is None:
        return lambda _: (
            (),
            f"{rule.name} adapts to a proximal point, and certificates are about h of a gradient step",
        )
    work = len(family) * (family.n + family.m) ** 3
    if work > CERTIFIED_WORK:
        return lambda _: ((), "the family is too large to be certified in seconds; call benign.certify")
    return _Certifier(family, step)


def _gap_settings(gap: float | None, family: TaskFamily | None, certifier: Any) -> dict[str, Any]:
    if gap is None:
        return {}
    if not gap > 0:
        raise ProblemError(f"gap: must be positive, got {gap}")
    if not isinstance(certifier, _Certifier) or family is None:
        raise ProblemError(f"gap: it cannot be certified here: {certifier(None)[1]}")
    floor = float(np.asarray(family.weights) @ optima(family)[1])
    return {"gap": certifier.gap, "floor": floor, "gap_tolerance": float(gap)}


def _saver(path: Path, digest: str) -> Callable[[Any], None]:
    last = -float("inf")

    def save(snapshot: Any) -> None:
        nonlocal last
        if time.perf_counter() - last >= CHECKPOINT_SECONDS:
            write_checkpoint(path, snapshot, digest)
            last = time.perf_counter()

    return save
