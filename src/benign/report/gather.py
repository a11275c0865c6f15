"""What a directory of results holds, for a report: landscapes, their certificates, a recommendation."""

from __future__ import annotations

import json
from base64 import b64encode
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benign.certificates.below import BELOW
from benign.certificates.check import check, cost
from benign.certificates.enumeration import ENUMERATION
from benign.certificates.spurious import SPURIOUS
from benign.errors import BenignError, FileFormatError
from benign.exact.documents import problem_to_json
from benign.files import to_text
from benign.opening import exists, is_directory, path_of
from benign.results.below import LandscapeBelow
from benign.results.line import LineLandscape
from benign.results.observed import ObservedLandscape
from benign.text import clean
from benign.verbs.read import read

if TYPE_CHECKING:
    from benign.clock import Clock
    from benign.results.landscape import Landscape

MOST_LANDSCAPES = 12
"""Landscapes of a page."""

MOST_ENTRIES = 200
"""Subdirectories that are looked at."""

CHECKING = 20.0
"""Seconds that the checks of a page's certificates may be estimated to take, together."""

LARGEST = 2_000_000
"""Bytes of a certificate that is put into the page itself."""


@dataclass(frozen=True)
class Checked:
    """What came of a certificate.

    Attributes:
        state: "accepted", "refused", "unchecked" (it would take long), "missing", or "none" (the result
            claims nothing that has one).
        words: what the checker said.
        name: the file's.
        digest: the document's.
        data: a data: URI of it, empty where it is large.
        minimiser: the number of the minimiser it is about; 0 for the whole.
        asked: whether it is about an ε that is not zero.
    """

    state: str
    words: str = ""
    name: str = ""
    digest: str = ""
    data: str = ""
    minimiser: int = 0
    asked: bool = False


@dataclass(frozen=True)
class Section:
    """A landscape and what came of its certificates: of the whole, and of its minimisers."""

    place: str
    landscape: Landscape
    own: Checked
    points: tuple[Checked, ...] = ()


@dataclass
class Gathered:
    """All of it.

    Attributes:
        sections: the landscapes.
        advice: recommendations, by the name of their directory.
        others: results that a page only names, in a sentence each.
        refused: files that are none of ours, and why.
        left: landscapes that a page has no room for.
    """

    sections: list[Section] = field(default_factory=list)
    advice: list[tuple[str, Any]] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    left: int = 0


def gather(directory: Any, clock: Clock) -> Gathered:
    """The results in a directory and in those directly below it.

    Raises:
        FileFormatError: there are none.
    """
    folder = Path(path_of(directory, "report"))
    if not is_directory(folder):
        raise FileFormatError(
            f"{clean(str(folder))}: no such directory; give one that --out of `benign analyze` wrote"
        )
    found, budget = Gathered(), _Seconds(CHECKING, clock)
    for place in [folder, *_below(folder)]:
        clock.check("reading the results")
        _add(found, place, "" if place is folder else place.name, budget)
    if not (found.sections or found.advice):
        why = f" ({found.refused[0]})" if found.refused else ""
        raise FileFormatError(
            f"{clean(str(folder))}: there is no result of `benign analyze` or `benign recommend` in "
            f"this directory{why}; `benign analyze FAMILY --out DIR` writes one"
        )
    return found


def _below(folder: Path) -> list[Path]:
    """Directories in it, in natural order; links are not followed."""
    try:
        inside = sorted(folder.iterdir(), key=lambda path: (len(path.name), path.name))
    except OSError:
        return []
    return [path for path in inside[:MOST_ENTRIES] if path.is_dir() and not path.is_symlink()]


READ = {"landscape": "landscape.json", "advice": "recommendation.json"}
NAMED = {"training.json": "a training run", "bifurcation.json": "a bifurcation diagram"}


def _add(found: Gathered, place: Path, name: str, budget: _Seconds) -> None:
    from benign.results.landscape import Landscape
    from benign.sweeps.recommendation import Recommendation

    for kind, file in READ.items():
        path = place / file
        if not exists(path):
            continue
        if kind == "landscape" and len(found.sections) >= MOST_LANDSCAPES:
            found.left += 1
            continue
        try:
            result = read(path)
        except BenignError as error:
            found.refused.append(clean(str(error), 300))
            continue
        if isinstance(result, Landscape):
            found.sections.append(_section(place, name, result, budget))
        elif isinstance(result, Recommendation):
            found.advice.append((name, result))
        else:
            found.refused.append(f"{clean(file)}: is another kind of result than its name says")
    for file, words in NAMED.items():
        if exists(place / file):
            found.others.append(f"{clean(f'{name}/{file}' if name else file)}: {words}")


# --- certificates ----------------------------------------------------------------------------------


class _Seconds:
    """What checks may take, together."""

    def __init__(self, seconds: float, clock: Clock) -> None:
        self.seconds, self.clock = seconds, clock

    def take(self, seconds: float) -> bool:
        """Whether there is time for a check."""
        if seconds > min(self.seconds, max(self.clock.left, 0.0)):
            return False
        self.seconds -= seconds
        return True


def _section(place: Path, name: str, landscape: Landscape, budget: _Seconds) -> Section:
    own = landscape.certificate
    claims = landscape.verdict.status.value in ("proved", "refuted")
    if own is None:
        whole = Checked("missing" if claims else "none")
    else:
        whole = checked(own, landscape, "certificate.json", 0, budget)
        if claims and not is_of(own, landscape):
            whole = Checked("refused", "the result tells something else than it", "certificate.json")
    points = tuple(
        checked(p.certificate, landscape, f"certificate-{i}.json", i, budget)
        for i, p in enumerate(landscape.minimizers, start=1)
        if p.certificate is not None and p.certificate is not own
    )
    return Section(name or clean(place.absolute().name, 80), landscape, whole, points)


def is_of(document: dict[str, Any], landscape: Landscape) -> bool:
    """Whether a certificate claims the very verdict and the very numbers that the result tells."""
    if isinstance(landscape, ObservedLandscape):
        return document.get("claim") == SPURIOUS
    line = isinstance(landscape, LineLandscape)
    claim = (document.get("claim"), document.get("status"))
    if claim != (ENUMERATION if line else BELOW, landscape.verdict.status.value):
        return False
    try:
        pairs = [
            (document["minimum"], landscape.minimum),
            (document["epsilon"], landscape.epsilon),
        ]
        if isinstance(landscape, LineLandscape):
            told, own = document["points"], landscape.stationary_points
            pairs += [(p["W"], q.at) for p, q in zip(told, own, strict=True)]
            kinds = [(p["kind"], q.kind.value) for p, q in zip(told, own, strict=True)]
            left = len(document["undecided"]) == len(landscape.undecided)
        else:
            assert isinstance(landscape, LandscapeBelow)
            told, own = document["minimisers"], landscape.minimizers
            kinds = [
                (document["bounded"], landscape.bounded),
                (float(document["level"]), landscape.level),
            ]
            left = True
        pairs += [(p["value"], q.value) for p, q in zip(told, own, strict=True)]
        same = all([float(x) for x in one] == [*other] for one, other in pairs)
        return same and left and all(one == other for one, other in kinds)
    except (KeyError, TypeError, ValueError):
        return False


def checked(
    document: dict[str, Any], landscape: Landscape, name: str, number: int, budget: _Seconds
) -> Checked:
    """A certificate, proved again if that is short, and about this very problem."""
    text = to_text(document).encode()
    data = "" if len(text) > LARGEST else f"data:application/json;base64,{b64encode(text).decode()}"
    facts = {"name": name, "digest": clean(str(document.get("digest", "")), 80), "minimiser": number}
    mine = json.dumps(problem_to_json(landscape.problem), sort_keys=True)
    if json.dumps(document.get("problem"), sort_keys=True) != mine:
        return Checked("refused", "it is about another problem", **facts)
    try:
        if not budget.take(cost(document, landscape.problem).seconds):
            return Checked("unchecked", "a check takes long", data=data, **facts)
        verdict = check(document)
    except (BenignError, KeyError, TypeError, ValueError) as error:
        return Checked("refused", clean(str(error), 200), **facts)
    if not verdict:
        return Checked("refused", clean(verdict.reason, 200), **facts)
    words = clean(verdict.statement, 600)
    return Checked("accepted", words, data=data, asked=document.get("asked", "0") != "0", **facts)
