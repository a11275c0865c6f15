"""What `radius` returns: how far a family is from one that is not ε-global, enclosed."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from benign.exact.documents import problem_from_json, problem_to_json
from benign.exact.neighbourhood import Scales, in_words, scales_from_json, scales_to_json
from benign.exact.numbers import read_written, written
from benign.exact.problem import Problem
from benign.exact.rounding import at_least, exactly
from benign.results.documents import about_radius
from benign.version import __version__

if TYPE_CHECKING:
    from pathlib import Path

VERSION = 1


@dataclass(frozen=True, eq=False)
class Radius:
    """The largest δ for which every family within δ is ε-global lies in [delta, above).

    Attributes:
        problem: the family in the middle, its step and η.
        epsilon: ε.
        scales: by how many δ each entry of A, B, Q, R of each task may move.
        delta: every family within it is ε-global, which is proved; 0 if nothing was.
        certificate: of that; None if nothing was proved.
        above: δ of a family that is proved not to be ε-global; None if none was found.
        outside: the certificate of that family, an ordinary enumeration; None if none was found.
        facts: seconds.
    """

    problem: Problem
    epsilon: Fraction
    scales: Scales
    delta: Fraction
    certificate: dict[str, Any] | None
    above: Fraction | None
    outside: dict[str, Any] | None
    facts: dict[str, float] = field(default_factory=dict, repr=False)

    @property
    def share(self) -> float:
        """δ that is proved, as a share of what was reached from above; 0 if nothing was found there."""
        return float(self.delta / self.above) if self.above else 0.0

    def __str__(self) -> str:
        what = in_words(self.problem, self.scales)
        within = f"within {exactly(self.epsilon)} of the global one"
        if self.certificate is None:
            lines = [f"undecided: no radius is proved for local minima {within}"]
        else:
            lines = [
                f"proved: every family whose {what} differ by at most {exactly(self.delta)}, all else "
                f"being as it is, has every local minimum of h {within}"
            ]
        if self.above is None:
            lines.append("  no family beyond was found that is not so")
        else:
            lines.append(
                f"  proved: a family that differs by {exactly(self.above)} is not so"
                + (
                    f"; the radius is at least {at_least(100 * self.share, 3)} % of that"
                    * (self.delta > 0)
                )
            )
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """As a JSON document; certificates are told by their digests."""
        return {
            "benign": "radius",
            "version": VERSION,
            "library": __version__,
            "epsilon": written(self.epsilon),
            "delta": written(self.delta),
            "above": None if self.above is None else written(self.above),
            "vary": scales_to_json(self.scales),
            "certificate": None if self.certificate is None else self.certificate["digest"],
            "outside": None if self.outside is None else self.outside["digest"],
            "problem": problem_to_json(self.problem),
            "facts": dict(self.facts),
        }

    def save(self, directory: str | os.PathLike[str]) -> list[Path]:
        """Write radius.json, certificate.json and outside.json, as far as there are any, and the family
        outside as outside.toml, to a directory, made if need be.

        Raises:
            OutputError: the directory cannot be made or written, or holds results of another problem.
        """
        from benign.files import to_text
        from benign.folders import save_all
        from benign.tasks.saving import family_text

        contents: dict[str, str | bytes] = {"radius.json": to_text(self.to_dict())}
        if self.certificate is not None:
            contents["certificate.json"] = to_text(self.certificate)
        if self.outside is not None:
            contents["outside.json"] = to_text(self.outside)
            other = problem_from_json(self.outside["problem"])
            title = f"Not within {exactly(self.epsilon)} of the global minimum"
            contents["outside.toml"] = family_text(other.family, "toml", title=title, step=other.step)
        return save_all(directory, about_radius(self.problem), contents)


def radius_from(document: dict[str, Any]) -> Radius:
    """What `Radius.to_dict` wrote, nothing computed again; the certificates are files of their own."""
    problem = problem_from_json(document["problem"])
    above = document["above"]
    return Radius(
        problem=problem,
        epsilon=read_written(document["epsilon"]),
        scales=scales_from_json(document["vary"], len(problem.tasks)),
        delta=read_written(document["delta"]),
        certificate=None,
        above=None if above is None else read_written(above),
        outside=None,
        facts=dict(document["facts"]),
    )
