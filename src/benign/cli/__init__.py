"""The command `benign`: its subcommands mirror the verbs of the library.

Results go to stdout, progress and errors to stderr. Exit status: 0 done, 1 an assertion that the user
asked for failed, 2 wrong usage or bad input, 3 undecided where a proof was required.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from benign import __version__
from benign.cli import bifurcation, training
from benign.cli.common import FAILED, UNDECIDED, USAGE, FamilyArgument, ShotsOption, StepOption, app
from benign.cli.common import console as _console
from benign.cli.common import read as _read
from benign.errors import BenignError, OutputError, ProblemError

if TYPE_CHECKING:
    from benign.landscape.landscape import Landscape
    from benign.rigorous.problem import Step
    from benign.tasks.files import FamilyFile


def main() -> None:
    """Run the command; every error raised on purpose becomes one message and exit status 2."""
    try:
        app()
    except BenignError as error:
        _fail(str(error))
    except BrokenPipeError:  # the reader of a pipe went away: nobody is left to tell
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except KeyboardInterrupt:
        print("benign: interrupted", file=sys.stderr)
        sys.exit(130)


def _fail(message: str) -> NoReturn:
    print(f"benign: error: {message}", file=sys.stderr)
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
) -> None:
    """Prove the landscape of a family: every stationary point, the verdict, the smallest ε.

    With --epsilon the exit status is 1 if that is refuted and 3 if it is undecided. With more than
    one state or input the landscape is searched instead, and the gap of each minimum is certified.
    """
    from benign.landscape.analyze import analyze as run
    from benign.rigorous.problem import Problem

    file, steps = _read(family, eta, step, shots)
    if not file.family.is_scalar:
        _observe(file, family, steps, out, as_json=json)
        raise typer.Exit(UNDECIDED if epsilon is not None else 0)
    results = [run(Problem(file.family, one), epsilon=epsilon or 0) for one in steps]
    if json:
        _print_json(results)
    else:
        _print_reports(file, family, results)
    if out is not None:
        written = []
        for one, landscape in zip(steps, results, strict=True):
            where = out if len(steps) == 1 else out / f"eta-{float(one.eta):g}"
            written += landscape.save(where)
        if not json:
            _console().print("\nWritten:", *(f"  {path}" for path in written), sep="\n")
    if epsilon is not None:
        statuses = {landscape.verdict.status.value for landscape in results}
        if "refuted" in statuses:
            raise typer.Exit(FAILED)
        if "undecided" in statuses:
            raise typer.Exit(UNDECIDED)


@app.command()
def check(
    certificates: Annotated[list[Path], typer.Argument(help="Certificates to prove again.")],
) -> None:
    """Prove certificates again, from their documents alone.

    The exit status is 1 if one of them does not prove what it claims.
    """
    from benign.certificates.check import check as run

    failed = False
    for path in certificates:
        verdict = run(path)
        failed |= not verdict
        print(f"{path}: {'accepted' if verdict else 'REJECTED'}: {verdict}")
    if failed:
        raise typer.Exit(FAILED)


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
    from benign.certificates.claims import certify as run
    from benign.rigorous.problem import Problem
    from benign.views.save import write_atomically

    file, steps = _read(family, eta, step, shots)
    try:
        W = json_module.loads(gain)
    except ValueError:
        raise ProblemError(f"W: expected a number or rows such as [[1, 2]], got {gain!r}") from None
    document = run(Problem(file.family, steps[0]), W, claim)
    print(f"eta = {float(steps[0].eta):g}: {prove(document)}")
    if out is not None:
        write_atomically(out, json_module.dumps(document, indent=1) + "\n")
        print(f"Written: {out}")


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
    console.print(f"\nPictures, results and certificates: {out}")


@app.command()
def examples(
    name: Annotated[str | None, typer.Argument(help="A bundled family to copy.")] = None,
    to: Annotated[Path, typer.Option(help="Where to copy it.")] = Path(),
) -> None:
    """List the bundled families, or copy one to start a file of your own from."""
    from benign.tasks.files import bundled, bundled_path
    from benign.views.save import write_atomically

    if name is None:
        width = max(len(known) for known, _ in bundled())
        for known, title in bundled():
            print(f"{known:{width}}  {title}")
        print("\n`benign analyze NAME` reads one in place; `benign examples NAME` copies it.")
        return
    source = bundled_path(name)
    target = to / source.name if to.is_dir() else to
    if target.exists():
        raise OutputError(f"{target}: exists already; give another place with --to")
    write_atomically(target, source.read_text(encoding="utf-8"))
    print(f"Copied to {target}")


def _observe(
    file: FamilyFile, family: str, steps: list[Step], out: Path | None, *, as_json: bool
) -> None:
    """Search the landscape of a family of more than one state or input, and certify the gaps."""
    import json

    import jax
    from rich.progress import Progress

    from benign.landscape.observed import observed_document
    from benign.landscape.search import certified, search
    from benign.meta.adaptation import step_of
    from benign.meta.objective import MetaObjective
    from benign.tasks.family import TaskFamily
    from benign.views.observed import observed_report

    jax.config.update("jax_enable_x64", True)
    errors, console = _console(stderr=True), _console()
    tasks = TaskFamily.from_exact(file.family)
    documents = []
    for one in steps:
        objective = MetaObjective(tasks, step_of(one))
        with Progress(console=errors, transient=True, disable=not errors.is_terminal) as progress:
            bar = progress.add_task(f"search, eta = {float(one.eta):g}", total=None)
            landscape = certified(
                search(
                    objective,
                    progress=lambda done, most, p=progress, b=bar: p.update(
                        b, completed=done, total=most
                    ),
                )
            )
        documents.append(observed_document(landscape))
        if not as_json:
            console.print(observed_report(landscape, title=file.title or Path(family).stem))
        if out is not None:
            where = out if len(steps) == 1 else out / f"eta-{float(one.eta):g}"
            written = landscape.save(where)
            if not as_json:
                console.print("Written:", *(f"  {path}" for path in written), sep="\n")
    if as_json:
        print(json.dumps(documents[0] if len(documents) == 1 else documents, indent=1))


# --- printing ---------------------------------------------------------------------------------


def _print_json(results: list[Landscape]) -> None:
    import json

    from benign.views.save import landscape_document

    documents = [landscape_document(landscape) for landscape in results]
    print(json.dumps(documents[0] if len(documents) == 1 else documents, indent=1))


def _print_reports(file: FamilyFile, family: str, results: list[Landscape]) -> None:
    from benign.views.report import report

    console = _console()
    title = file.title or Path(family).stem
    for landscape in results:
        console.print(report(landscape, title=title))
    if file.sampled:
        console.print(
            "Continuous-time plants were sampled by zero-order hold; the proof speaks of the sampled "
            "numbers, rounded to float64."
        )


training.register()
bifurcation.register()
