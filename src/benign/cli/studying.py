"""`benign study`: run, status, export, plot."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benign.cli.bars import counting
from benign.cli.began import clock as clock_of
from benign.cli.common import UNDECIDED, app
from benign.cli.keeping import tell_json, tell_written
from benign.cli.options import JsonOption, files
from benign.interrupts import keeping
from benign.text import clean_lines

if TYPE_CHECKING:
    from benign.studies.store import Store

group = typer.Typer(
    help="Landscapes of thousands to millions of families: how close, how many, how long a step.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def _studies(incomplete: str) -> list[str]:
    from benign.studies.definition import bundled_names

    return [x for x in bundled_names() if x.startswith(incomplete)] + files(incomplete, ".toml")


StudyArgument = Annotated[
    str, typer.Argument(help="A study file (TOML), or a bundled study.", autocompletion=_studies)
]
StoreArgument = Annotated[
    str, typer.Argument(help="The store: a directory, or an address such as s3://bucket/study.")
]


def register() -> None:
    """Add the subcommands to the application."""
    group.command(short_help="Measure the cells that are missing.")(run)
    group.command(short_help="How far a study is.")(status)
    group.command(short_help="The cells as a table (CSV).")(export)
    group.command(short_help="A picture of what is stored.")(plot)
    group.command("list", short_help="The bundled studies.")(list_)
    app.add_typer(group, name="study", short_help="Landscapes of many families, as functions of axes.")


def run(
    study: StudyArgument,
    out: Annotated[str, typer.Option(help="The store: a directory, or s3://bucket/study.")],
    workers: Annotated[
        int, typer.Option(min=0, max=1024, help="Processes of this machine; 0: this process alone.")
    ] = 0,
    scheduler: Annotated[
        str | None, typer.Option(help="The address of a running Dask cluster, e.g. tcp://host:8786.")
    ] = None,
    retry: Annotated[
        bool, typer.Option("--retry", help="Also the cells that failed or were stopped.")
    ] = False,
    budget: Annotated[
        str | None, typer.Option(help="Time for the whole command, e.g. 10m.", show_default="no limit")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Measure the cells of a study that are not measured yet; what is done is kept as it is done."""
    clock = clock_of(budget)
    from benign.studies.definition import read_study
    from benign.studies.run import run_study

    wanted = read_study(study)
    with keeping(partial(_kept, out)), counting("cells") as report:
        found = run_study(
            wanted,
            out,
            workers=workers,
            scheduler=scheduler,
            retry=retry,
            budget=clock,
            progress=report,
        )
    if json:
        tell_json(vars(found))
    else:
        print(f"{wanted.name}: {found}")
        print(f"Store: {clean_lines(out)}   ({found.seconds:.3g} s)")
    if not found.is_complete:
        raise typer.Exit(UNDECIDED)


def _kept(out: str) -> str:
    return f"the cells that are done are in {out}; the same command goes on from there"


def status(store: StoreArgument, json: JsonOption = False) -> None:
    """How many cells are done, failed or missing, why they failed, and whether proofs agree."""
    from benign.studies.summary import status_of

    found = status_of(_open(store))
    if json:
        tell_json(found)
        return
    cells = found["cells"]
    print(f"{clean_lines(found['study'])}: {found['done']:,} of {cells:,} cells are done")
    for name in ("failed", "late", "missing"):
        if found[name]:
            print(f"  {name}: {found[name]:,}")
    for one in found["reasons"]:
        place = ", ".join(f"{name} = {value}" for name, value in one["cell"].items())
        print(f"    {place}: {clean_lines(one['reason'])}")
    for name in ("observed benign", "proved benign", "proofs that agree"):
        if found.get(name) is not None:
            extra = f" of {found['proofs']:,} proofs" if name != "observed benign" else ""
            print(f"  {name}: {100 * found[name]:.4g} %{extra}")


def export(
    store: StoreArgument,
    out: Annotated[Path, typer.Option(help="The file, CSV.")],
    by: Annotated[
        str | None,
        typer.Option(
            help="Axes, e.g. eta,tasks: means and quantiles over all others.", show_default="cells"
        ),
    ] = None,
) -> None:
    """Write the cells, or their means over all but some axes, as a table."""
    from benign.errors import OutputError
    from benign.files import require_directory, write_atomically
    from benign.opening import shown
    from benign.studies.summary import frame, means

    require_directory(out.parent)
    if out.exists():
        raise OutputError(f"{shown(out)}: a file of that name is there; name another")
    opened = _open(store)
    table = frame(opened) if by is None else means(opened, [x.strip() for x in by.split(",")])
    write_atomically(out, table.to_csv(index=False))
    print(f"{len(table):,} rows")
    tell_written([out])


def plot(
    store: StoreArgument,
    out: Annotated[Path, typer.Option(help="The picture, PNG or SVG.")],
    kind: Annotated[
        str | None, typer.Option(help="phase, lines or compare.", show_default="the study's")
    ] = None,
    x: Annotated[
        str | None, typer.Option(help="The axis to the right.", show_default="the study's")
    ] = None,
    y: Annotated[str | None, typer.Option(help="The axis upwards.", show_default="the study's")] = None,
    value: Annotated[
        str | None,
        typer.Option(help="A column, benign or relative_epsilon.", show_default="the study's"),
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(help="The axis with a line or a panel each.", show_default="the study's"),
    ] = None,
) -> None:
    """Draw what is stored; nothing is computed anew."""
    from benign.errors import OutputError
    from benign.files import require_directory, write_atomically
    from benign.opening import shown
    from benign.views.save import render
    from benign.views.studies import draw_study

    suffix = out.suffix.lower().lstrip(".")
    if suffix not in ("png", "svg"):
        raise OutputError(f"{shown(out)}: a picture is .png or .svg; name it so")
    require_directory(out.parent)
    asked = {"kind": kind, "x": x, "y": y, "value": value, "by": by}
    figure = draw_study(_open(store), {name: said for name, said in asked.items() if said is not None})
    write_atomically(out, render(figure)[suffix])
    tell_written([out])


def list_() -> None:
    """List the bundled studies with their titles."""
    from benign.studies.definition import bundled_names, read_study

    for name in bundled_names():
        study = read_study(name)
        print(f"{name:22} {study.cells:>12,} cells   {study.title}", file=sys.stdout)


def _open(address: str) -> Store:
    from benign.studies.store import Store, is_elsewhere

    if not is_elsewhere(address) and not Path(address).is_dir():
        from benign.errors import FileFormatError
        from benign.opening import shortened

        raise FileFormatError(
            f"{shortened(address)}: no such directory; give the --out of `benign study run`"
        )
    return Store(address)
