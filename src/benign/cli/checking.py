"""`benign check`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benign.cli.common import FAILED, UNDECIDED, USAGE, app
from benign.cli.families import normalized, read
from benign.cli.keeping import leave_with, tell_error
from benign.cli.options import NormalizeOption, ShotsOption, StepOption, documents, families
from benign.cli.ranges import FORMS
from benign.errors import CertificateError, ProblemError
from benign.text import clean
from benign.verdict import Status

if TYPE_CHECKING:
    from benign.exact.problem import Problem


CertificatesArgument = Annotated[
    list[Path], typer.Argument(help="Certificates to prove again.", autocompletion=documents)
]
FamilyOption = Annotated[
    str | None,
    typer.Option(
        help="A family file, or a bundled family: are the certificates about this problem?",
        autocompletion=families,
    ),
]
EtaOption = Annotated[
    str | None,
    typer.Option(
        help=f"Step sizes meant with --family, of which one will do, e.g. {FORMS}.",
        show_default="the file's, else 0.1",
    ),
]
LimitOption = Annotated[
    str | None,
    typer.Option(
        help="Leave out what would take longer by estimate, e.g. 30s, 5h.", show_default="10m"
    ),
]


def register() -> None:
    """Add the subcommand to the application."""
    app.command(short_help="What certificates are about; proves them again.")(check)


def check(
    certificates: CertificatesArgument,
    family: FamilyOption = None,
    eta: EtaOption = None,
    step: StepOption = None,
    shots: ShotsOption = None,
    normalize_costs: NormalizeOption = False,
    limit: LimitOption = None,
) -> None:
    """Say what certificates are about and prove them again, from their documents alone.

    The exit status is 1 if one of them does not prove what it claims or is about another problem than
    --family, 2 if one cannot be read, 3 if one was not checked because that would take too long.
    """
    from benign.certificates.check import LIMIT, examine
    from benign.durations import parse_duration

    seconds = LIMIT if limit is None else parse_duration(limit, "limit")
    if family is None and (eta is not None or step is not None or shots is not None or normalize_costs):
        raise ProblemError("--eta, --step, --shots and --normalize-costs need --family")
    meant = None if family is None else _meant(family, eta, step, shots, normalize_costs)
    found = set()
    for path in certificates:
        name = clean(str(path))
        try:
            examined = examine(path, limit=seconds)
        except (CertificateError, OSError) as error:
            tell_error(str(path), error)
            found.add(USAGE)
            continue
        print(name, *(f"  {line}" for line in examined.about), sep="\n")
        same = meant is None or _compare(examined.problem, meant, clean(str(family)))
        verdict = examined.verdict
        sentence = clean(str(verdict))
        if not same:
            found.add(FAILED)
        if verdict.status is Status.UNDECIDED:
            print(f"{name}: NOT CHECKED: {clean(verdict.reason.removeprefix('not checked: '))}")
            found.add(UNDECIDED)
        elif verdict:
            print(f"{name}: accepted: {sentence}")
        else:
            print(f"{name}: REJECTED: {sentence}")
            found.add(FAILED)
    leave_with(found)


def _meant(
    family: str, eta: str | None, step: str | None, shots: int | None, normalize_costs: bool
) -> list[Problem]:
    """The problems of a family file, one for each step size."""
    from benign.exact.problem import Problem

    file, steps = read(family, eta, step, shots)
    if normalize_costs:
        file = normalized(file)
    return [Problem(file.family, one) for one in steps]


def _compare(own: Problem | None, meant: list[Problem], family: str) -> bool:
    """Whether the certificate is about one of the problems; how it differs is printed."""
    from benign.certificates.describe import compare

    if own is None:
        return False
    compared = [compare(own, problem) for problem in meant]
    best = min(compared, key=lambda comparison: len(comparison.differences))
    for line in best.differences:
        print(f"  ANOTHER PROBLEM than {family}: {line}")
    for line in best.remarks:
        print(f"  remark: {line}")
    if best:
        print(f"  the same problem as {family}, number for number")
    return bool(best)
