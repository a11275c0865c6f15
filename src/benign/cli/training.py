"""`benign train` and `benign adapt`."""

from __future__ import annotations

import json as json_module
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benign.cli.common import (
    FAILED,
    FamilyArgument,
    NormalizeOption,
    ShotsOption,
    StepOption,
    app,
    console,
    kept_proof,
    normalized,
    read,
    tell_written,
)
from benign.errors import FileFormatError, InfeasibleError, ProblemError
from benign.text import clean_json, clean_lines

if TYPE_CHECKING:
    from benign.exact.problem import Step
    from benign.landscape.adapting import MetaTest


def register() -> None:
    """Add the subcommands to the application."""
    app.command()(train)
    app.command()(adapt)


def train(
    family: FamilyArgument,
    algorithm: Annotated[
        str,
        typer.Option(
            help="maml, normalized-maml, first-order, hf-maml, reptile, imaml, minibatch-prox or ftml."
        ),
    ] = "maml",
    eta: Annotated[
        str | None, typer.Option(help="Adaptation step size [default: the file's first, else 0.1]")
    ] = None,
    step: StepOption = None,
    shots: ShotsOption = None,
    lam: Annotated[
        float | None, typer.Option("--lambda", help="λ of imaml and minibatch-prox.")
    ] = None,
    beta: Annotated[
        float | None, typer.Option(help="Meta-step size [default: found by Armijo's rule]")
    ] = None,
    optimizer: Annotated[
        str, typer.Option(help="sgd, momentum, adam, rmsprop, adagrad or lion; all need --beta.")
    ] = "sgd",
    armijo: Annotated[
        bool | None, typer.Option("--armijo/--constant", help="How the meta-step size is found.")
    ] = None,
    steps: Annotated[int, typer.Option(help="Meta-steps at most.")] = 1000,
    batch: Annotated[int | None, typer.Option(help="Tasks in a batch [default: all]")] = None,
    every: Annotated[int, typer.Option(help="FTML: meta-steps between two arrivals.")] = 100,
    start: Annotated[
        str, typer.Option(help='mean (of the task optima), random, or a gain such as "[[1, 2]]".')
    ] = "mean",
    seed: Annotated[int, typer.Option(help="Of a random start and of the batches.")] = 0,
    tolerance: Annotated[
        float, typer.Option(help="End where the norm of the update is at most this.")
    ] = 1e-8,
    gap: Annotated[
        float | None,
        typer.Option(help="End where h is certified to be within this of its infimum; assert it."),
    ] = None,
    seconds: Annotated[float | None, typer.Option(help="End after about this time.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Directory for the result, the picture, certificates and the checkpoint."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the checkpoint in --out, if there is one.")
    ] = False,
    cache: Annotated[
        Path | None,
        typer.Option(
            help="Directory where compiled code is kept for the next run.", envvar="BENIGN_CACHE"
        ),
    ] = None,
    normalize_costs: NormalizeOption = False,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Train the gain that adaptation starts from, and certify how far from optimal it ended.

    With --gap the exit status is 1 if that gap was not certified.
    """
    _set_up(cache)
    from benign.files import make_directory
    from benign.landscape.trained import training_document
    from benign.landscape.training import train as run

    file, found = read(family, eta, step, shots)
    if normalize_costs:
        file = normalized(file)
    if resume and out is None:
        raise ProblemError("--resume needs --out, the directory that holds the checkpoint")
    if out is not None:
        make_directory(out)
    one = found[0]
    try:
        with _Progress(algorithm, steps) as progress:
            result = run(
                file.family,
                algorithm,
                lam=lam,
                beta=beta,
                optimizer=optimizer,
                armijo=armijo,
                steps=steps,
                batch=batch,
                every=every,
                start=_start(start),
                seed=seed,
                tolerance=tolerance,
                gap=gap,
                budget=seconds,
                checkpoint=None if out is None else out / "checkpoint.npz",
                resume=resume,
                progress=progress,
                **_adaptation(one, algorithm),
            )
    except InfeasibleError as error:
        if (written := kept_proof(error, out)) and not json:
            tell_written(written)
        raise
    written = [] if out is None else result.save(out)
    if json:
        print(clean_json(json_module.dumps(training_document(result), indent=1, ensure_ascii=False)))
    else:
        print(clean_lines(str(result)))
        rows = "; ".join(" ".join(f"{x:.9g}" for x in row) for row in result.W)
        print(f"  W = [{rows}]" if result.W.size > 1 else f"  W = {rows}")
        if written:
            tell_written(written)
    if gap is not None and not result.gap <= gap:
        raise typer.Exit(FAILED)


def adapt(
    run: Annotated[
        Path, typer.Argument(help="A directory that `benign train --out` wrote, or its training.json.")
    ],
    family: FamilyArgument,
    task: Annotated[
        list[str] | None, typer.Option(help="A task of the family; all by default.")
    ] = None,
    shots: Annotated[
        int | None, typer.Option(help="Shots of adaptation [default: as in training]")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Adapt a trained gain to the tasks of a family: cost after each shot, against the optimum.

    The family may be another one than was trained on; tasks seen in training are marked.
    """
    _set_up(None)
    from benign.landscape.adapting import meta_test
    from benign.landscape.trained import read_training
    from benign.tasks.family import TaskFamily
    from benign.views.adaptation import adaptation_report

    file, _ = read(family, None, None, None)
    trained = read_training(run / "training.json" if run.is_dir() else run)
    tasks = TaskFamily.from_exact(file.family)
    if (tasks.m, tasks.n) != trained.W.shape:
        raise ProblemError(
            f"{family}: its gains have shape ({tasks.m}, {tasks.n}), the trained one {trained.W.shape}"
        )
    unknown = [name for name in task or () if name not in tasks.names]
    if unknown:
        raise ProblemError(
            f"task: no {unknown[0]!r} in {family}; there are {', '.join(tasks.names[:8])}"
        )
    chosen = tasks if not task else TaskFamily([tasks[tasks.names.index(name)] for name in task])
    found = meta_test(trained, chosen, shots)
    if json:
        print(clean_json(json_module.dumps(_test_document(found), indent=1, ensure_ascii=False)))
    else:
        console().print(adaptation_report(found, title=file.title or Path(family).stem))


# --- details ---------------------------------------------------------------------------------


def _set_up(cache: Path | None) -> None:
    """Double precision, and where compiled code is kept."""
    import jax

    jax.config.update("jax_enable_x64", True)
    if cache is not None:
        try:
            cache.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FileFormatError(f"{cache}: cannot hold compiled code ({error.strerror})") from error
        jax.config.update("jax_compilation_cache_dir", str(cache))
        # By default JAX keeps nothing that compiled in less than a second: here that is everything.
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def _adaptation(step: Step, algorithm: str) -> dict[str, Any]:
    """The step as `train` wants it; the normalised algorithm has a kind of its own."""
    kind = "normalized" if algorithm == "normalized-maml" else step.kind
    return {"eta": step.eta, "shots": step.shots, "step": kind}


def _start(text: str) -> Any:
    if text in ("mean", "random"):
        return text
    try:
        return json_module.loads(text)
    except ValueError:
        raise ProblemError(
            f"start: expected mean, random, a number or rows such as [[1, 2]], got {text!r}"
        ) from None


class _Progress:
    """A line on stderr while it is a terminal: steps, h, the norm of the update, halvings."""

    def __init__(self, algorithm: str, steps: int) -> None:
        self.algorithm, self.steps = algorithm, steps

    def __enter__(self) -> Any:
        if not sys.stderr.isatty():
            self.bar = None
            return None
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self.bar = Progress(
            TextColumn(self.algorithm),
            BarColumn(),
            TextColumn("{task.completed:g} of {task.total:g}"),
            TextColumn("h {task.fields[value]:.6g}   ‖update‖ {task.fields[norm]:.2e}"),
            TextColumn("{task.fields[halvings]}"),
            TimeRemainingColumn(),
            console=console(stderr=True),
            transient=True,
        )
        self.task = self.bar.add_task(
            "", total=self.steps, value=float("nan"), norm=float("nan"), halvings=""
        )
        self.bar.start()
        return self._update

    def _update(self, step: int, value: float, norm: float, halvings: int) -> None:
        assert self.bar is not None
        text = f"{halvings} halvings" if halvings else "always feasible"
        self.bar.update(self.task, completed=step, value=value, norm=norm, halvings=text)

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.stop()


def _test_document(found: MetaTest) -> dict[str, Any]:
    import math

    def number(x: float) -> float | str | None:
        return None if math.isnan(x) else x if math.isfinite(x) else "inf"

    return {
        "benign": "adaptation",
        "tasks": [
            {
                "name": task.name,
                "seen": task.seen,
                "costs": [number(float(x)) for x in task.costs],
                "optimum": number(task.optimum),
                "W": task.W.tolist(),
            }
            for task in found.tasks
        ],
        "of": "(f - f*)/f*" if found.relative else "f",
        "quantiles": {
            f"{level:g}": [number(float(x)) for x in row]
            for level, row in zip(found.levels, found.quantiles, strict=True)
        },
    }
