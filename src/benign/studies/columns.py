"""What is stored of each cell: name, type, unit, meaning."""

from __future__ import annotations

from dataclasses import dataclass

MISSING, DONE, FAILED, LATE = range(4)
"""Of a cell: not looked at yet; measured; an error, its reason kept; over its time, and stopped."""

STATES = ("missing", "done", "failed", "late")

NONE, BENIGN, SPURIOUS, UNDECIDED, INFEASIBLE = range(5)

VERDICTS = ("none", "benign", "spurious", "undecided", "infeasible")
"""No minimiser was met, or no proof asked for; all are global; some exceed the least; a proof could not
tell; no gain is feasible, proved."""

LETTERS = 160
"""Letters of a reason, at most, in UTF-8."""


@dataclass(frozen=True)
class Column:
    """A variable of the store.

    Attributes:
        kind: NumPy's type.
        words: what whole numbers stand for, if they stand for words.
    """

    name: str
    kind: str
    unit: str
    meaning: str
    words: tuple[str, ...] = ()

    @property
    def fill(self) -> float | int:
        """What stands where nothing was measured."""
        return 0 if self.words else -1 if self.kind.startswith("i") else float("nan")


STATUS = Column("status", "i1", "1", "what became of the cell", STATES)

SECONDS = Column("seconds", "f4", "s", "time that the cell took, an equal share of its batch's")

LANDSCAPE = (
    Column("minimisers", "i4", "1", "local minimisers of h that were met"),
    Column("minimum", "f8", "cost", "the least h that was met"),
    Column("epsilon", "f8", "cost", "what the worst minimiser exceeds the least by"),
    Column("verdict", "i1", "1", "observed: whether every local minimum is global", VERDICTS),
    Column("success", "f4", "1", "share of starts, uniform over the feasible gains, that end globally"),
    Column("regret", "f8", "cost", "min h less the mean of the tasks' own least costs"),
    Column("variance", "f8", "cost", "V of Theorem H at the best minimiser, a bound of h − inf h"),
    Column("curvature", "f8", "1", "the greatest ηC'' of a task at the best, safest minimiser"),
    Column("proved", "i1", "1", "the same by proof; none where no proof was asked for", VERDICTS),
    Column("epsilon_low", "f8", "cost", "ε is proved to be at least this"),
    Column("epsilon_high", "f8", "cost", "ε is proved to be at most this"),
    Column("agrees", "i1", "1", "1 where observation and proof agree, 0 where not, −1 without proof"),
)
"""Of a cell that is a landscape."""

TRAINING = (
    Column("cost", "f8", "cost", "h at the end: the mean cost after adaptation"),
    Column("gap", "f8", "cost", "h at the end exceeds min h by no more, proved"),
    Column("regret", "f8", "cost", "h at the end less the mean of the tasks' own least costs"),
    Column("meta_steps", "i4", "1", "steps that the run took"),
    Column("rested", "i1", "1", "whether the run ended where ∇ of its own objective vanishes"),
)
"""Of a cell that is a run of training."""


def columns(trains: bool) -> tuple[Column, ...]:
    """The measured columns, in the order of the store; `status` and the reason are apart."""
    return (*(TRAINING if trains else LANDSCAPE), SECONDS)
