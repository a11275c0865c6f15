"""The options of `benign train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benign.cli.choices import ALGORITHMS, OPTIMIZERS, STARTS, listed, one_of

AlgorithmOption = Annotated[
    str, one_of("algorithm", ALGORITHMS, "--algorithm", help=f"{listed(ALGORITHMS)}.")
]
LambdaOption = Annotated[
    float | None, typer.Option("--lambda", help="λ of imaml and minibatch-prox, which need it.")
]
BetaOption = Annotated[
    float | None, typer.Option(help="Meta-step size.", show_default="found by Armijo's rule")
]
OptimizerOption = Annotated[
    str,
    one_of(
        "optimizer", OPTIMIZERS, "--optimizer", help=f"{listed(OPTIMIZERS)}; all but sgd need --beta."
    ),
]
ArmijoOption = Annotated[
    bool | None,
    typer.Option(
        "--armijo/--constant",
        help="How the meta-step size is found.",
        show_default="constant with --beta, else armijo",
    ),
]
StepsOption = Annotated[int, typer.Option(help="Meta-steps at most.")]
BatchOption = Annotated[int | None, typer.Option(help="Tasks in a batch.", show_default="all")]
EveryOption = Annotated[int, typer.Option(help="FTML: meta-steps between two arrivals.")]
StartOption = Annotated[
    str,
    typer.Option(
        help='mean (of the task optima), random, or a gain such as "[[1, 2]]".',
        autocompletion=lambda incomplete: [name for name in STARTS if name.startswith(incomplete)],
    ),
]
SeedOption = Annotated[int, typer.Option(help="Of a random start and of the batches.")]
ToleranceOption = Annotated[
    float, typer.Option(help="End where the norm of the update is at most this.")
]
GapOption = Annotated[
    float | None,
    typer.Option(help="End where h is certified to be within this of its infimum; assert it."),
]
SecondsOption = Annotated[
    str | None,
    typer.Option(
        "--budget",
        "--seconds",
        help="Time for the whole command, e.g. 30s; a number is seconds.",
        show_default="no limit",
    ),
]
OutOption = Annotated[
    Path | None,
    typer.Option(help="Directory for the result, the picture, certificates and the checkpoint."),
]
ResumeOption = Annotated[
    bool, typer.Option("--resume", help="Go on from the checkpoint in --out, if there is one.")
]
ForceOption = Annotated[
    bool, typer.Option("--force", help="Replace the run that --out holds, and its checkpoint.")
]
CacheOption = Annotated[
    Path | None,
    typer.Option(
        help="Directory where compiled code is kept for the next run.",
        show_default="BENIGN_CACHE, else the user's cache",
    ),
]
