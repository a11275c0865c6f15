"""The command `benign`: its subcommands mirror the verbs of the library.

Results go to stdout, progress and errors to stderr. Exit status: 0 done, 1 an assertion that the user
asked for failed, 2 wrong usage or bad input (also: no gain is feasible, proved or not), 3 undecided
where a proof was required.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from benign.cli import bifurcation, checking, recommending, training
from benign.cli.common import (
    FAILED,
    UNDECIDED,
    USAGE,
    FamilyArgument,
    NormalizeOption,
    ShotsOption,
    StepOption,
    app,
    is_proved,
    kept_proof,
    normalized,
    tell_written,
)
from benign.cli.common import console as _console
from benign.cli.common import read as _read
from benign.errors import BenignError, InfeasibleError, OutputError, ProblemError
from benign.exact.rounding import named
from benign.text import clean, clean_lines
from benign.verdict import Status
from benign.version import __version__

if TYPE_CHECKING:
    from benign.exact.problem import Problem
    from benign.tasks.files import FamilyFile

PROOF = ("required", "try", "off")


FEW = 16
"""Random starts in each cell of a recommendation that comes with an analysis."""


def main() -> None:
    """Run the command; every error raised on purpose becomes one message and exit status 2."""
    try:
        app()
    except InfeasibleError as error:
        if error.certificate is None:
            _fail(str(error))
        print(f"benign: PROVED: {clean_lines(str(error))}", file=sys.stderr)
        sys.exit(USAGE)
    except BenignError as error:
        _fail(str(error))
    except BrokenPipeError:  # the reader of a pipe went away: nobody is left to tell
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except KeyboardInterrupt:
        print("benign: interrupted", file=sys.stderr)
        sys.exit(130)


def _fail(message: str) -> NoReturn:
    print(f"benign: error: {clean_lines(message)}", file=sys.stderr)
    sys.exit(USAGE)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"benign {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


@app.command()
def analyze(
    family: FamilyArgument,
    eta: Annotated[
        str | None,
        typer.Option(help="Adaptation step sizes, e.g. 0.05,0.1 [default: the file's, else 0.1]"),
    ] = None,
    step: StepOption = None,
    shots: ShotsOption = None,
    epsilon: Annotated[
        str | None,
        typer.Option(help="Assert that every local minimum is within this of the global one."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Directory for the picture, the result, the certificate.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    proof: Annotated[
        str, typer.Option(help="required (exit status 3 without one), try, or off (search only)")
    ] = "try",
    budget: Annotated[
        str | None, typer.Option(help="Time for each step size, e.g. 30s, 5m, 1h [default: no limit]")
    ] = None,
    level: Annotated[
        str | None,
        typer.Option(help="List the minima up to this h; inf for all [default: some times the least]"),
    ] = None,
    starts: Annotated[
        int | None, typer.Option(help="Random starts of a search, at most [default: by size]")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of a search.")] = 0,
    normalize_costs: NormalizeOption = False,
    recommend: Annotated[
        bool,
        typer.Option("--recommend", help="Say as well which variant and step size do better."),
    ] = False,
) -> None:
    """Find the local minima of a family, with proof where there is one, the verdict, the smallest ε.

    One state and one input: every stationary point, proved. Two to four parameters: every local
    minimum below a level, proved, with a search as guide. Else a search, with a certified gap for
    each minimum. With --epsilon the exit status is 1 if that is refuted and 3 if it is undecided. Where
    it is proved that no gain is feasible, --out gets the certificate, and the status is 2 as for bad
    input. A proof that is interrupted (Ctrl-C) writes what it has to --out, goes on from there when it
    is called again, and exits with 3.
    """
    from benign.durations import parse_duration
    from benign.exact.problem import Problem
    from benign.landscape.verb import analyze as run
    from benign.results.observed import ObservedLandscape

    if proof not in PROOF:
        raise ProblemError(f"proof: expected one of {', '.join(PROOF)}, got {proof!r}")
    if not 0 <= seed < 2**63:
        raise ProblemError(f"seed: expected a whole number from 0 to 2^63 - 1, got {seed}")
    seconds = None if budget is None else parse_duration(budget, "budget")
    height = None if level is None else _level(level)
    if recommend and json:
        raise ProblemError("--recommend prints text; `benign recommend --json` is for machines")
    file, steps = _read(family, eta, step, shots)
    if normalize_costs:
        file = normalized(file)
    problems = [Problem(file.family, one) for one in steps]
    proofs: list[Any] = [proof] * len(problems)
    if not file.family.is_scalar or proof == "off":
        import jax

        from benign.prove.boxes.below import applies

        jax.config.update("jax_enable_x64", True)
        scalar = file.family.is_scalar
        proofs = ["off" if applies(one) and not scalar else proof for one in problems]
    results: list[Any] = []
    written: list[Path] = []
    refused: dict[str, str] = {}
    for problem, how in zip(problems, proofs, strict=True):
        where = _place(out, problem, len(problems))
        try:
            with _progress() as report:
                found: Any = run(
                    problem,
                    epsilon=epsilon or 0,
                    proof=how,
                    level=height,
                    budget=seconds,
                    starts=starts,
                    seed=seed,
                    checkpoint=None if where is None else where / "unfinished-proof.npz",
                    progress=report,
                )
        except ProblemError as error:  # of this step size, it may be: the others are not lost for it
            written += kept_proof(error, where)
            if len(problems) == 1:
                if json or not is_proved(error):
                    raise
                print(f"PROVED: {error}")
                tell_written(written)
                raise typer.Exit(USAGE) from None
            reason = f"{error} (proved)" if is_proved(error) else str(error)
            refused[f"{float(problem.step.eta):g}"] = reason
            continue
        results.append(found)
        if where is not None:  # at once: who interrupts the next step size keeps this one
            written += found.save(where)
        if getattr(found, "interrupted", False):
            break
    if refused and len(set(refused.values())) == 1 and not results:
        tell_written(written if not json else [])
        raise ProblemError(next(iter(refused.values())))
    reasons = "".join(f"\n  eta = {size}: {reason}" for size, reason in refused.items())
    if not results:
        tell_written(written if not json else [])
        raise ProblemError(f"no step size will do{reasons}")
    _show(file, family, results, as_json=json)
    if not json:
        _advise(file, family, problems[0], results, wanted=recommend)
        if written:
            tell_written(written)
            _say_what_was_checked(results)
    if refused:
        raise ProblemError(f"no result for {len(refused)} of the step sizes{reasons}")
    observed = [isinstance(result, ObservedLandscape) for result in results]
    if proof == "required" and any(observed):
        from benign.prove.boxes.below import applies

        reason = next(filter(None, map(applies, problems)))
        print(f"benign: no proof, an observation: {reason}", file=sys.stderr)
        raise typer.Exit(UNDECIDED)
    _exit(results, observed, asserted=epsilon is not None, required=proof == "required")


def _say_what_was_checked(results: list[Any]) -> None:
    """Whether the certificates were proved again before they were written."""
    proofs = [result for result in results if getattr(result, "certificate", None) is not None]
    unchecked = sum(not result.checked for result in proofs)
    if proofs and not unchecked:
        _console().print("Checked: the checker has proved what the certificate says again.")
    elif proofs:
        _console().print(
            f"Not checked: {unchecked} of {len(proofs)}, as that takes long; `benign check` does it."
        )


def _exit(results: list[Any], observed: list[bool], *, asserted: bool, required: bool) -> None:
    """The exit status that the results and what was asked of them call for."""
    if any(getattr(result, "interrupted", False) for result in results):
        print("benign: interrupted; the same command with --out goes on from here", file=sys.stderr)
        raise typer.Exit(UNDECIDED)
    statuses = {
        result.verdict.status.value for result, seen in zip(results, observed, strict=True) if not seen
    }
    if asserted and "refuted" in statuses:
        raise typer.Exit(FAILED)
    # A list that is not complete is not the proof that was required, whatever it refutes.
    if required and any(getattr(result, "left", 0) for result in results):
        raise typer.Exit(UNDECIDED)
    if (asserted or required) and ("undecided" in statuses or (asserted and any(observed))):
        raise typer.Exit(UNDECIDED)


def _level(text: str) -> float:
    """The level of a proof; "inf" is the whole domain."""
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not value > 0:
        raise ProblemError(f'level: expected a positive number or "inf", got {text!r}')
    return value


def _place(out: Path | None, problem: Problem, count: int) -> Path | None:
    """Where the results for one of the step sizes go."""
    if out is None or count == 1:
        return out
    return out / f"eta-{float(problem.step.eta):g}"


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """A bar on stderr, where that is a terminal."""
    from rich.progress import Progress

    errors = _console(stderr=True)
    with Progress(console=errors, transient=True, disable=not errors.is_terminal) as progress:
        bar = progress.add_task("", total=None)

        def report(what: str, done: int, rest: int) -> None:
            if what == "search":
                progress.update(bar, description=what, completed=done, total=rest)
            else:
                text = f"{what}, {done} boxes done, {rest} waiting"
                progress.update(bar, description=text, completed=done, total=done + rest)

        yield report


def _show(file: FamilyFile, family: str, results: list[Any], *, as_json: bool) -> None:
    """The results on stdout."""
    import json

    from benign.results.below import LandscapeBelow
    from benign.results.documents import landscape_document
    from benign.results.line import LineLandscape
    from benign.views.below import below_report
    from benign.views.observed import observed_report
    from benign.views.report import report

    console = _console()
    title = file.title or Path(family).stem
    documents = []
    for result in results:
        if isinstance(result, LineLandscape):
            text = report(result, title=title)
        elif isinstance(result, LandscapeBelow):
            text = below_report(result, title=title)
        else:
            text = observed_report(result, title=title)
        documents.append(landscape_document(result))
        if not as_json:
            console.print(text)
    if as_json:
        print(json.dumps(documents[0] if len(documents) == 1 else documents, indent=1))
    elif file.sampled:
        console.print(
            "Continuous-time plants were sampled by zero-order hold; what is said is about the sampled "
            "numbers, rounded to float64."
        )


def _advise(
    file: FamilyFile, family: str, problem: Problem, results: list[Any], *, wanted: bool
) -> None:
    """Which variant and step size do better, if that is asked for; else where to ask, if refuted."""
    step = problem.step
    if wanted:
        present = step.eta if step.kind == "gradient" else None
        found = recommending.recommended(file, eta=present, shots=step.shots, own_eta=False, starts=FEW)
        _console().print(f"\n{clean_lines(str(found))}")
    elif any(result.verdict.status is Status.REFUTED for result in results):
        # Not a recommendation: that is a grid of landscapes, and takes its time.
        print(f"Another step size or variant may do better: benign recommend {clean(family)}")


@app.command()
def certify(
    family: FamilyArgument,
    gain: Annotated[
        str, typer.Argument(metavar="W", help='The gain: a number, or rows such as "[[1, 2]]".')
    ],
    eta: Annotated[str | None, typer.Option(help="Adaptation step size.")] = None,
    step: StepOption = None,
    shots: ShotsOption = None,
    claim: Annotated[
        str | None, typer.Option(help='e.g. "theorem 2", "regret bound" [default: the strongest]')
    ] = None,
    out: Annotated[Path | None, typer.Option(help="File for the certificate.")] = None,
) -> None:
    """Certify one gain: the strongest claim that applies to it, or the claim asked for."""
    import json as json_module

    from benign.certificates.check import check as prove
    from benign.exact.problem import Problem
    from benign.files import write_atomically
    from benign.prove.certify import certify as run

    file, steps = _read(family, eta, step, shots)
    try:
        W = json_module.loads(gain)
    except ValueError:
        raise ProblemError(f"W: expected a number or rows such as [[1, 2]], got {gain!r}") from None
    document = run(Problem(file.family, steps[0]), W, claim)
    print(f"eta = {named(steps[0].eta)}: {clean(str(prove(document)))}")
    if out is not None:
        write_atomically(out, json_module.dumps(document, indent=1) + "\n")
        print(f"Written: {clean(str(out))}")


@app.command()
def reproduce(
    figure: Annotated[
        list[str] | None, typer.Option(help="A figure of the paper, e.g. 3b; all by default.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Directory for results and pictures.")] = Path(
        "reproduction"
    ),
) -> None:
    """Reproduce the figures of the source paper and judge every claim made of them."""
    from rich.progress import Progress

    from benign.paper import claims_table, minimisers_table
    from benign.paper import reproduce as run

    errors = _console(stderr=True)
    with Progress(console=errors, transient=True, disable=not errors.is_terminal) as progress:
        bar = progress.add_task("figures", total=None)
        result = run(
            out,
            figure,
            progress=lambda done, total: progress.update(bar, completed=done, total=total),
        )
    console = _console()
    console.print(minimisers_table(result))
    console.print(claims_table(result))
    console.print(f"\nPictures, results and certificates: {clean(str(out))}")


@app.command()
def examples(
    name: Annotated[str | None, typer.Argument(help="A bundled family to copy.")] = None,
    to: Annotated[Path, typer.Option(help="Where to copy it.")] = Path(),
) -> None:
    """List the bundled families, or copy one to start a file of your own from."""
    from benign.files import write_atomically
    from benign.tasks.files import bundled, bundled_path

    if name is None:
        width = max(len(known) for known, _ in bundled())
        for known, title in bundled():
            print(f"{known:{width}}  {clean(title)}")
        print("\n`benign analyze NAME` reads one in place; `benign examples NAME` copies it.")
        return
    source = bundled_path(name)
    target = to / source.name if to.is_dir() else to
    if target.exists():
        raise OutputError(f"{target}: exists already; give another place with --to")
    write_atomically(target, source.read_text(encoding="utf-8"))
    print(f"Copied to {clean(str(target))}")


checking.register()
training.register()
bifurcation.register()
recommending.register()
