"""The names that options take, and what is said of one that is none.

They stand here so that a slip is answered before anything heavy is imported; a test compares them with
those of the library.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import typer

from benign.errors import ProblemError

STEPS = ("gradient", "normalized")
PROOFS = ("required", "try", "off")
ALGORITHMS = (
    "maml",
    "normalized-maml",
    "first-order",
    "hf-maml",
    "reptile",
    "imaml",
    "minibatch-prox",
    "ftml",
)
OPTIMIZERS = ("sgd", "momentum", "adam", "rmsprop", "adagrad", "lion")
VARIANTS = ("gradient", "normalized-costs", "normalized-step")
CLAIMS = (
    "theorem 2",
    "theorem 1",
    "proposition 1",
    "non-singular form",
    "theorem 3",
    "proposition 2",
    "regret bound",
    "quantitative form",
    "theorem S",
)
FIGURES = ("1", "2", "2a", "2b", "3a", "3b", "3c", "3d")
STARTS = ("mean", "random")

LONGEST = 60
"""Characters of a name that are compared with the known ones."""


def choose(what: str, text: str, known: Collection[str], wanted: str = "") -> str:
    """The known name that is meant, read without regard to case and spaces.

    Args:
        what: the option, for messages.
        text: what was given.
        known: the names.
        wanted: what is expected, in words; by default one of the names.

    Raises:
        ProblemError: it is none of them; the message gives the nearest, or them all.
    """
    folded = {name.casefold(): name for name in known}
    given = " ".join(text.split()).casefold()
    if given in folded:
        return folded[given]
    if close := nearest(given, folded):
        raise ProblemError(f"{what}: no {text!r}; did you mean {folded[close]}?")
    raise ProblemError(f"{what}: expected {wanted or listed(known)}, got {text!r}")


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name that is most like another; empty if none is."""
    from difflib import get_close_matches

    return next(iter(get_close_matches(name[:LONGEST], known, n=1)), "")


def listed(names: Iterable[str]) -> str:
    """The names in a sentence: a, b or c."""
    *most, last = names
    return f"{', '.join(most)} or {last}" if most else last


def one_of(what: str, known: Collection[str], *flags: str, help: str, **settings: Any) -> Any:
    """An option whose value is one of some names: looked at first, and completed by the shell."""

    def chosen(value: Any) -> Any:
        return value if value is None else choose(what, value, known)

    def completed(incomplete: str) -> list[str]:
        return [name for name in known if name.startswith(incomplete.casefold())]

    return typer.Option(*flags, help=help, callback=chosen, autocompletion=completed, **settings)


def some_of(what: str, text: str, known: Collection[str]) -> list[str]:
    """The names in a list with commas.

    Raises:
        ProblemError: one is none of them.
    """
    wanted = f"some of {', '.join(known)}"
    return [choose(what, name, known, wanted) for name in text.split(",")]
