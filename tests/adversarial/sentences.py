"""A grammar of the sentences in which results and the checker speak, and what each has to mean.

A sentence is matched as a whole by one form; every number in it has to lie in a group of that form, and
the form's meaning is asserted in exact arithmetic of the `Facts`. A sentence of no form, or a number
that no group accounts for, is a failure: a new sentence needs a new form here.

How numbers are read: "at most", "at least" and "[a, b]" are bounds, exactly as printed; "X = 0.123"
says that X is within a unit of the last digit that is printed; a level or η followed by "(as float64)"
is the float64 next to it; a gain at which something is claimed is a float64, in its shortest form.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from math import inf, isfinite
from typing import Any

from benign.exact.surd import Surd

NUMBER = r"(?:-?\d+(?:\.\d+)?(?:e-?\d+)?(?:/\d+)?|-?inf)"
_NUMBERS = re.compile(rf"(?<![\w.]){NUMBER}(?![\w])")


@dataclass
class Facts:
    """What is known of a result, as exact as it is.

    Attributes:
        status: of the verdict.
        epsilon: bounds of the smallest ε.
        asked: the ε asked about, exact.
        level: a level that a statement may speak of.
        reached: the level up to which a list is complete.
        points: (kind, bounds of W entry by entry, bounds of h).
        doubts: undecided stretches, or boxes.
        gap: what was proved of one gain; share: in proportion to inf h.
        gain: its entries.
        rims: of the stabilising sets of two tasks.
    """

    status: str = ""
    epsilon: tuple[float, float] = (0.0, inf)
    asked: Fraction = Fraction(0)
    level: float = inf
    reached: float = inf
    points: list[tuple[str, list[tuple[float, float]], tuple[float, float]]] = field(
        default_factory=list
    )
    doubts: list[tuple[float, float]] = field(default_factory=list)
    left: int = 0
    gap: float = 0.0
    share: float = inf
    gain: list[float] = field(default_factory=list)
    rims: list[Surd] = field(default_factory=list)
    read: int = 0

    @property
    def minima(self) -> list[Any]:
        return [point for point in self.points if "minimum" in point[0]]


# --- numbers ---------------------------------------------------------------------------------


def parsed(text: str) -> Fraction:
    """A number that is exactly what is printed."""
    top, _, bottom = text.partition("/")
    return Fraction(top) / Fraction(bottom or 1)


def at_least(text: str, x: float | Fraction) -> None:
    """The text is a lower bound of x, and no needlessly bad one."""
    assert text != "inf"
    if text == "-inf":
        return
    assert parsed(text) <= Fraction(x), (text, x)
    assert parsed(text) >= Fraction(x) - abs(Fraction(x)) / 50, (text, x)


def at_most(text: str, x: float | Fraction) -> None:
    """The text is an upper bound of x, and no needlessly bad one."""
    assert text != "-inf"
    if text == "inf":
        assert x == inf
        return
    assert isfinite(x), "a bound is given where none is known"
    assert parsed(text) >= Fraction(x), (text, x)
    assert parsed(text) <= Fraction(x) + abs(Fraction(x)) / 50, (text, x)


def between(text: str, lo: float, hi: float) -> None:
    """The text is "[a, b]", which holds [lo, hi]."""
    a, b = text.strip("[]").split(", ")
    at_least(a, lo)
    at_most(b, hi)


def near(text: str, lo: float, hi: float) -> bool:
    """Whether all of [lo, hi] is within a unit of the last digit printed, or in the bounds printed."""
    if text.startswith("["):
        a, b = (parsed(x) for x in text.strip("[]").split(", "))
        return a <= Fraction(lo) and Fraction(hi) <= b
    shown = Decimal(text)
    unit = Fraction(10) ** shown.as_tuple().exponent
    x = Fraction(shown)
    return x - unit <= Fraction(lo) and Fraction(hi) <= x + unit if shown else lo == hi == 0


def is_level(text: str, level: float) -> None:
    """A level as printed, exactly or with "(as float64)"."""
    number = text.removesuffix(" (as float64)")
    if number == text:
        assert parsed(number) == Fraction(level), (text, level)
    else:
        assert float(number) == level, (text, level)


# --- forms -----------------------------------------------------------------------------------

LEVEL = rf"{NUMBER}(?: \(as float64\))?"
SPAN = rf"\[{NUMBER}, {NUMBER}\]"
SHOWN = rf"(?:{NUMBER}|{SPAN})"

PLACE = r"(?:, among the gains searched,| in that box)?"
EVERY = (
    rf"every local minimum of h(?: with h ≤ (?P<level>{LEVEL}))?{PLACE} is (?:(?:the )?"
    rf"(?:global|lowest)(?: one)?|(?:(?P<global>global)|within (?P<within>{NUMBER}) of "
    r"the (?:global|lowest) one))"
)

LISTED = "(?:; )?".join(
    rf"(?:(?P<{kind}>\d+) {words}s? of h, of values? in (?P<{kind}_h>{SPAN}))?"
    for kind, words in (
        ("minimum", "strict local minimiser"),
        ("saddle", "saddle"),
        ("maximum", "strict local maximiser"),
    )
)

CLAIMED = rf"(?P<word>not |whether )?{EVERY}(?P<open> is left open)?"
BOX = " in the box of gains that was searched"


def _every(m: re.Match[str], facts: Facts) -> None:
    if m["level"]:
        is_level(m["level"], facts.level)
    asked = parsed(m["within"]) if m["within"] else Fraction(0)
    assert asked == facts.asked
    if facts.status == "proved":
        assert Fraction(facts.epsilon[1]) <= asked
    elif facts.status == "refuted":
        assert Fraction(facts.epsilon[0]) > asked


def _spurious(m: re.Match[str], facts: Facts) -> None:
    lowest = min(Fraction(h[1]) for _, _, h in facts.minima)
    those = [
        h for kind, (W,), h in facts.minima if kind == m["kind"] and near(m["W"], *W)
    ]  # fmt: skip
    assert those, m["W"]
    assert any(Fraction(h[0]) - lowest >= parsed(m["gap"]) for h in those)
    at_least(m["gap"], facts.epsilon[0])


def _higher(m: re.Match[str], facts: Facts) -> None:
    lowest = min(Fraction(h[1]) for _, _, h in facts.minima)
    a, b = (parsed(x) for x in m["h"].strip("[]").split(", "))
    those = [h for _, _, h in facts.minima if a <= Fraction(h[0]) and Fraction(h[1]) <= b]
    assert those
    assert all(Fraction(h[1]) <= Fraction(facts.level) for h in those if isfinite(facts.level))
    assert any(Fraction(h[0]) - lowest >= parsed(m["gap"]) for h in those)


def _gap_left(m: re.Match[str], facts: Facts) -> None:
    if m["gap"]:
        at_most(m["gap"], facts.epsilon[1])
    else:
        assert facts.epsilon[1] == inf
    if m["count"]:
        assert int(m["count"]) == len(facts.doubts)


def _boxes_left(m: re.Match[str], facts: Facts) -> None:
    assert int(m["count"]) == facts.left
    if m["level"]:
        at_least(m["level"], facts.reached)


def _claimed(m: re.Match[str], facts: Facts) -> None:
    """A sentence of the checker: the finding, and how complete the list is."""
    word = m["word"] or ""
    facts.status = {"": "proved", "not ": "refuted", "whether ": "undecided"}[word]
    assert bool(m["open"]) == (facts.status == "undecided")
    _every(m, facts)


def _enumerated(m: re.Match[str], facts: Facts) -> None:
    _claimed(m, facts)
    assert int(m["doubts"] or 0) == len(facts.doubts)


def _below(m: re.Match[str], facts: Facts) -> None:
    _claimed(m, facts)
    assert int(m["count"] or 1) == len(facts.minima)
    if m.re.groupindex.get("height"):
        is_level(m["height"], facts.level)


def _global_point(m: re.Match[str], facts: Facts) -> None:
    between(m["W"], *facts.points[0][1][0])
    assert facts.gap == 0


def _global_point_in(m: re.Match[str], facts: Facts) -> None:
    """A box of gains, all its sides or the first."""
    sides = re.findall(SPAN, m["W"])
    _, box, _ = facts.points[0]
    assert len(sides) in (1, len(box))
    for text, (lo, hi) in zip(sides, box, strict=False):
        between(text, lo, hi)
    assert facts.gap == 0


def _gap(m: re.Match[str], facts: Facts) -> None:
    entries = re.findall(NUMBER, m["W"])
    assert list(map(float, entries)) == facts.gain[: len(entries)]
    assert len(entries) in (1, len(facts.gain))
    at_most(m["gap"], facts.gap)


def _share(m: re.Match[str], facts: Facts) -> None:
    """A gap, and how much of the infimum that is, in per cent."""
    _gap(m, facts)
    at_most(m["share"], 100 * Fraction(facts.share))


def _start(m: re.Match[str], facts: Facts) -> None:
    """What a method loses at most, from its start."""
    at_most(m["gap"], facts.gap)
    if m["share"]:
        _percent(m["share"], facts.share)


def _percent(text: str, share: float) -> None:
    """An upper bound in two digits."""
    assert 100 * Fraction(share) <= parsed(text) <= 111 * Fraction(share)


def _one(m: re.Match[str], facts: Facts) -> None:
    """Gains that are named are within those that were shown to be safe; the point is enclosed."""
    assert parsed(m["theta"]) == Fraction(28, 100)
    u, v = (parsed(x) for x in m["convex"].strip("[]").split(", "))
    first, last = map(Fraction, facts.gain)
    assert first <= u <= v <= last
    between(m["W"], *facts.points[0][1][0])


def _radius(m: re.Match[str], facts: Facts) -> None:
    """δ and ε as they stand in the document."""
    assert parsed(m["delta"]) == Fraction(facts.gap)
    assert parsed(m["within"]) == facts.asked


def _listed(m: re.Match[str], facts: Facts) -> None:
    """One line of `str(landscape)`: a point of the list, the next one."""
    kind, W, h = facts.points[facts.read]
    facts.read += 1
    assert m["kind"] == kind
    shown = re.findall(SHOWN, m["W"])
    assert len(shown) == len(W)
    assert all(near(text, *bounds) for text, bounds in zip(shown, W, strict=True))
    assert near(m["h"], *h)


def _doubt(m: re.Match[str], facts: Facts) -> None:
    assert any(_holds(m["W"], stretch) for stretch in facts.doubts)


def _holds(text: str, bounds: tuple[float, float]) -> bool:
    a, b = (parsed(x) for x in text.strip("[]").split(", "))
    return a <= Fraction(bounds[0]) and Fraction(bounds[1]) <= b


def _epsilon(m: re.Match[str], facts: Facts) -> None:
    between(m["epsilon"], *facts.epsilon)


def _complete(m: re.Match[str], facts: Facts) -> None:
    at_least(m["level"], facts.reached)
    assert int(m["left"]) == facts.left


def _needs(m: re.Match[str], facts: Facts) -> None:
    """The rims of two tasks, exact numbers: the first needs a larger gain than the second may have."""
    low, high = facts.rims
    assert Surd(parsed(m["low"])) <= low
    assert Surd(parsed(m["high"])) >= high


def _touching(m: re.Match[str], facts: Facts) -> None:
    """Two rims that no decimals tell apart, the first not left of the second."""
    low, high = facts.rims
    a, b = map(parsed, m["W"].strip("[]").split(", "))
    assert Surd(a) <= high <= low <= Surd(b)


def _no_gain(m: re.Match[str], facts: Facts) -> None:
    """No gain is feasible, or none a local minimiser below a level."""
    assert facts.points == []
    if m.re.groupindex.get("level") and m["level"]:
        at_least(m["level"], facts.level)


def _above_another(m: re.Match[str], facts: Facts) -> None:
    """One of two gains, in the order of their values."""
    (_, _, low), (_, _, high) = facts.points
    between(m["h"], *high)
    assert parsed(m["gap"]) <= Fraction(high[0]) - Fraction(low[1])
    at_least(m["gap"], facts.epsilon[0])
    assert parsed(m["within"] or "0") == facts.asked < facts.epsilon[0]


def _points(m: re.Match[str], facts: Facts) -> None:
    """How many points there are of each kind, and between which values."""
    read = 0
    for kind in ("minimum", "saddle", "maximum"):
        own = [h for name, _, h in facts.points if name == kind]
        assert int(m[kind] or 0) == len(own)
        if own:
            a, b = map(parsed, m[f"{kind}_h"].strip("[]").split(", "))
            assert a <= min(Fraction(h[0]) for h in own)
            assert b >= max(Fraction(h[1]) for h in own)
        read += len(own)
    assert read == len(facts.points)


def _exceeds(m: re.Match[str], facts: Facts) -> None:
    at_least(m["level"], facts.level)


def _nothing(m: re.Match[str], facts: Facts) -> None:
    """No number is said."""


def _trained(m: re.Match[str], facts: Facts) -> None:
    at_most(m["gap"], facts.gap)


FORMS = [
    (EVERY, _every),
    (rf"{CLAIMED}; the list of them is complete"
     r"(?: but for (?P<doubts>\d+) undecided stretch(?:es)?)?", _enumerated),
    (rf"{CLAIMED}; the (?:local minimiser is|(?P<count>\d+) local minimisers are) all there are"
     rf"(?:{BOX})?", _below),
    (rf"{CLAIMED}; besides the (?:one|(?P<count>\d+)) listed, no local minimiser(?:{BOX})? has "
     rf"h ≤ (?P<height>{LEVEL})", _below),
    (rf"epsilon is at most (?P<gap>{NUMBER})", lambda m, f: at_most(m["gap"], f.epsilon[1])),
    (rf"(?P<kind>[a-z ]*minimum) at W = (?P<W>{SHOWN}) is spurious: it lies at least "
     rf"(?P<gap>{NUMBER}) above the global minimum", _spurious),
    (rf"one with h in (?P<h>{SPAN}) lies at least (?P<gap>{NUMBER}) above the lowest that was found",
     _higher),
    (rf"(?:(?P<count>\d+) stretch(?:es)? of gains could not be decided|the values of the minima could "
     rf"not be told apart); the gap left is (?:at most (?P<gap>{NUMBER})|unbounded)", _gap_left),
    (r"(?P<count>\d+) box(?:es)? of gains (?:is|are) left; "
     rf"(?:the list is complete for h ≤ (?P<level>{NUMBER})|nothing is known)", _boxes_left),
    (r"there is one|it has one local minimum", _nothing),
    (r"(?P<number>Theorem [23])(?:, sharper form)?: [^0-9]*", _nothing),
    (rf"the stationary point in (?P<W>{SPAN}) is a global minimiser of h", _global_point),
    (rf"a stationary point in (?P<W>\[{SPAN}.*\]|the box of the document \(its first side is {SPAN}\)) "
     r"is a global minimiser of h", _global_point_in),
    (rf"h(?:\(| at the gain )(?P<W>(?:\[[^\]]*\]|{NUMBER}|W of the document \(its first entry is "
     rf"{NUMBER}\)))\)? exceeds (?:min h|the infimum of h) by at most (?P<gap>{NUMBER})", _gap),
    (rf"h(?:\(| at the gain )(?P<W>(?:\[[^\]]*\]|{NUMBER}|W of the document \(its first entry is "
     rf"{NUMBER}\)))\)? exceeds (?:min h|the infimum of h) by at most (?P<gap>{NUMBER}), which is at "
     rf"most (?P<share>{NUMBER}) % of it; so it does wherever a method ends that starts there and "
     r"never raises h", _share),
    (r"  proved: a method that never raises h and starts at [a-z ]+ ends (?:within "
     rf"(?P<share>{NUMBER}) % of the least h \(|with )h − inf h ≤ (?P<gap>{NUMBER})\)?", _start),
    (rf"where ηC'' ≤ (?P<theta>{NUMBER}) for every task, gains that hold all of (?P<convex>{SPAN}), h "
     rf"is strictly convex and has exactly one stationary point, a local minimiser in (?P<W>{SPAN})",
     _one),
    (rf"every family whose (?:[ABQR], )*[ABQR] of (?:every task|`[^`]*`)(?: and [^0-9]*)? differ by at "
     rf"most (?P<delta>{NUMBER}), all else being as it is, has every local minimum of h within "
     rf"(?P<within>{NUMBER}) of its global one", _radius),
    (rf"  (?P<kind>[a-z ]+?) +W = (?P<W>{SHOWN})  h = (?P<h>{SHOWN})", _listed),
    (rf"  (?P<kind>minimum)  h = (?P<h>{SHOWN})  W = \[(?P<W>.*)\]", _listed),
    (rf"  undecided      W in (?P<W>{SPAN})", _doubt),
    (rf"  epsilon in (?P<epsilon>{SPAN})", _epsilon),
    (rf"  complete for h ≤ (?P<level>{NUMBER}); (?P<boxes>\d+) boxes, (?P<left>\d+) left", _complete),
    (rf"(?:no gain is feasible: )?no gain stabilises every task: `[^`]*` needs W > (?P<low>{NUMBER}), "
     rf"`[^`]*` needs W < (?P<high>{NUMBER}); split the family", _needs),
    (r"no gain stabilises every task: `[^`]*` needs W > x, `[^`]*` needs W < y, and y ≤ x lie both in "
     rf"(?P<W>{SPAN})(?:; split the family)?", _touching),
    (rf"no gain is feasible: no gain stabilises every task: `[^`]*` needs W > (?P<low>{NUMBER}), "
     rf"`[^`]*` needs W < (?P<high>{NUMBER})", _needs),
    (r"no gain is feasible: (?:none stabilises the adaptation plants? of `[^`]*`(?:(?:, | and )`[^`]*`"
     r")*|every gain that stabilises the tasks is thrown out by the adaptation step(?:, where it has a "
     r"direction)?)", _no_gain),
    (rf"no gain(?:{BOX})? is feasible: each fails to stabilise some task, before or after adaptation",
     _no_gain),
    (rf"no gain is a local minimiser of h(?: with h ≤ (?P<level>{NUMBER}))?", _no_gain),
    (rf"h exceeds (?P<level>{NUMBER}) at every gain(?:{BOX})?", _exceeds),
    (rf"not every local minimum of h is (?:global|within (?P<within>{NUMBER}) of the global one): one "
     rf"of value in (?P<h>{SPAN}) lies at least (?P<gap>{NUMBER}) above another gain", _above_another),
    (rf"the list holds {LISTED}(?:, no two of them one)?; that there are no others is not claimed",
     _points),
    (rf"no gain is feasible: every gain that stabilises the tasks is thrown out by the adaptation "
     rf"step(?:, where it has a direction)?; lower eta \(it is (?P<eta>{LEVEL})\)", _nothing),
    (rf"level: h exceeds (?P<level>{NUMBER}) at every gain(?: among those searched)?(?: \(proved\))?; "
     "give a higher level", _exceeds),
    (rf"proved: h\(W\) is within (?P<gap>{NUMBER}) of its infimum \([a-z ]*\)", _trained),
]  # fmt: skip

_COMPILED = [(re.compile(form), meaning) for form, meaning in FORMS]


def understand(sentence: str, facts: Facts) -> None:
    """Assert that the sentence has a form, that all its numbers are read, and that it is true."""
    for form, meaning in _COMPILED:
        m = form.fullmatch(sentence)
        if m is None:
            continue
        spans = [m.span(name) for name in form.groupindex if m[name] is not None]
        for number in _NUMBERS.finditer(sentence):
            read = any(a <= number.start() and number.end() <= b for a, b in spans)
            assert read, f"the number {number.group()} is not accounted for in: {sentence}"
        meaning(m, facts)
        return
    raise AssertionError(f"a sentence of no known form: {sentence!r}")


def understand_verdict(verdict: Any, facts: Facts) -> None:
    """The statement, the reason, and the sentence that is printed of both."""
    facts.status = verdict.status.value
    understand(verdict.statement, facts)
    if verdict.reason:
        understand(verdict.reason, facts)
    finding = {
        "proved": verdict.statement,
        "refuted": f"not {verdict.statement}",
        "undecided": f"whether {verdict.statement} is left open",
    }[facts.status]
    assert verdict.finding == finding
    tail = f" ({verdict.reason})" if verdict.reason else ""
    assert str(verdict) == f"{facts.status}: {finding}{tail}"
