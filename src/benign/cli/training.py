"""`benign train`."""

from __future__ import annotations

import json as json_module
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from benign.cli import bars
from benign.cli.began import clock as clock_of
from benign.cli.began import working
from benign.cli.choices import STARTS, choose
from benign.cli.common import FAILED, app, move_cache, set_up_jax
from benign.cli.families import normalized, read
from benign.cli.keeping import kept_proof, place, save_and_tell, tell_json, tell_written
from benign.cli.options import (
    FamilyArgument,
    JsonOption,
    NoCacheOption,
    NormalizeOption,
    OneEtaOption,
    ShotsOption,
    StepOption,
)
from benign.cli.ranges import one_step_size
from benign.cli.screen import Screen
from benign.cli.training_options import (
    AlgorithmOption,
    ArmijoOption,
    BatchOption,
    BetaOption,
    CacheOption,
    EveryOption,
    ForceOption,
    GapOption,
    LambdaOption,
    OptimizerOption,
    OutOption,
    ResumeOption,
    SecondsOption,
    SeedOption,
    StartOption,
    StepsOption,
    ToleranceOption,
)
from benign.errors import InfeasibleError, ProblemError
from benign.interrupts import keeping
from benign.text import clean_lines

if TYPE_CHECKING:
    from benign.exact.problem import Family, Step
    from benign.training.result import TrainingResult


def register() -> None:
    """Add the subcommand to the application."""
    app.command(short_help="Train the gain that adaptation starts from.")(train)


def train(
    family: FamilyArgument,
    algorithm: AlgorithmOption = "maml",
    eta: OneEtaOption = None,
    step: StepOption = None,
    shots: ShotsOption = None,
    lam: LambdaOption = None,
    beta: BetaOption = None,
    optimizer: OptimizerOption = "sgd",
    armijo: ArmijoOption = None,
    steps: StepsOption = 1000,
    batch: BatchOption = None,
    every: EveryOption = 100,
    start: StartOption = "mean",
    seed: SeedOption = 0,
    tolerance: ToleranceOption = 1e-8,
    gap: GapOption = None,
    seconds: SecondsOption = None,
    out: OutOption = None,
    resume: ResumeOption = False,
    force: ForceOption = False,
    cache: CacheOption = None,
    no_cache: NoCacheOption = False,
    normalize_costs: NormalizeOption = False,
    json: JsonOption = False,
) -> None:
    """Train the gain that adaptation starts from, and certify how far from optimal it ended.

    With --gap the exit status is 1 if that gap was not certified.
    """
    if eta is not None:
        one_step_size("train", eta)
    if resume and out is None:
        raise ProblemError("--resume needs --out, the directory that holds the checkpoint")
    clock = working(clock_of(seconds), draws=out is not None)
    if out is not None:
        _require_free(out, resume=resume, force=force)
    begin = _start(start)
    file, found = read(family, eta, step, shots, clock)
    from benign.clock import loaded
    from benign.searches.coming import require_time

    require_time(file.family, clock, "training", by_xla=True)
    if cache is not None:
        move_cache(cache)
    set_up_jax(clock)
    loaded(clock, "benign.training.train")
    if normalize_costs:
        file = normalized(file)
    settings = {
        "lam": lam, "beta": beta, "optimizer": optimizer, "armijo": armijo, "steps": steps,
        "batch": batch, "every": every, "start": begin, "seed": seed, "tolerance": tolerance,
        "gap": gap, "budget": clock, "resume": resume, **_adaptation(found[0], algorithm),
    }  # fmt: skip
    with keeping(partial(_kept, out)), place(out):
        result = _run(file.family, algorithm, settings, out, as_json=json)
        _show(result, as_json=json)
        save_and_tell(result, out, quiet=json)
    if gap is not None and not result.gap <= gap:
        raise typer.Exit(FAILED)


# --- details ---------------------------------------------------------------------------------

CHECKPOINT = "checkpoint.npz"


def _require_free(out: Path, *, resume: bool, force: bool) -> None:
    """Refuse to replace a run unasked.

    Raises:
        ProblemError: there is one, and neither --resume nor --force.
    """
    from benign.folders import clear
    from benign.opening import exists

    if resume or not any(exists(out / name) for name in (CHECKPOINT, "training.json")):
        return
    if not force:
        raise ProblemError(
            f"{out}: it holds a run; --resume goes on with it, --force replaces it, or name another"
        )
    clear(out)


def _kept(out: Path | None) -> str:
    """What an interrupt leaves behind, and how to go on."""
    if out is None:
        return "nothing was to be kept; with --out a run goes on from where it was"
    if not (out / CHECKPOINT).exists():
        return "no meta-step was taken; the same command begins anew"
    return f"the run so far is in {out}; the same command with --resume goes on"


def _run(
    family: Family, algorithm: str, settings: dict[str, Any], out: Path | None, *, as_json: bool
) -> TrainingResult:
    """The result; its checkpoint is in the directory."""
    from benign.training.train import train as run

    checkpoint = None if out is None else out / CHECKPOINT
    try:
        with bars.Training(algorithm, settings["steps"]) as progress:
            return run(family, algorithm, checkpoint=checkpoint, progress=progress, **settings)
    except InfeasibleError as error:
        if (written := kept_proof(error, out)) and not as_json:
            tell_written(written)
        raise


def _show(result: TrainingResult, *, as_json: bool) -> None:
    """The result on stdout."""
    from benign.training.result import training_document

    if as_json:
        tell_json(training_document(result))
        return
    screen = Screen()
    screen.say(clean_lines(str(result)))
    rows = "; ".join(" ".join(f"{x:.9g}" for x in row) for row in result.W)
    print(f"  W = [{rows}]" if result.W.size > 1 else f"  W = {rows}")
    screen.explain()


def _adaptation(step: Step, algorithm: str) -> dict[str, Any]:
    """The step as `train` wants it; the normalised algorithm has a kind of its own."""
    kind = "normalized" if algorithm == "normalized-maml" else step.kind
    return {"eta": step.eta, "shots": step.shots, "step": kind}


def _start(text: str) -> Any:
    try:
        return json_module.loads(text)
    except ValueError:
        return choose("start", text, STARTS, "mean, random, a number or rows such as [[1, 2]]")
