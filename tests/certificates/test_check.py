"""The checker accepts what is proved, and rejects every document that claims what is false.

Every mutation below makes the claim false, or leaves it without a proof, by construction: a number is
moved out of the enclosure that was proved for it, an entry that exists is dropped, one that does not
is added. (Widening an enclosure leaves a claim true; that is tested to be accepted.) The digest is
written anew after each mutation, so that what rejects it is the proof and not the digest.
"""

from __future__ import annotations

import copy
import json
import math
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benign.certificates import pieced
from benign.certificates.check import check
from benign.certificates.document import sealed
from benign.errors import CertificateError
from benign.exact.documents import problem_from_json
from benign.exact.numbers import exact
from benign.prove.certify import certify
from benign.prove.line.enumeration import analyze
from benign.verdict import Status
from helpers import PAPER, Reference, feasible_problem, paper_problem, scalar_plant, scalar_problem

Document = dict[str, Any]

CASES = Path(__file__).parents[1] / "cases"

FAMILIES = [
    (figure, eta, kind, shots)
    for figure in PAPER
    for eta in ("0.1", "0.05")
    for kind in ("gradient", "normalized")
    for shots in (1, 2)
]


def certificate(figure: str, eta: str, kind: str, shots: int) -> Document:
    """A certificate as a reader gets it: through JSON."""
    document = analyze(paper_problem(figure, eta, kind, shots)).certificate
    return json.loads(json.dumps(document))


def rejected(document: Document) -> bool:
    try:
        return check(document).status is Status.REFUTED
    except CertificateError:
        return True


FINDINGS = {
    "proved": "every local minimum of h is global",
    "refuted": "not every local minimum of h is global",
    "undecided": "whether every local minimum of h is global is left open",
}


@pytest.mark.parametrize(("figure", "eta", "kind", "shots"), FAMILIES)
def test_certificates_of_the_paper_are_accepted(figure, eta, kind, shots):
    document = certificate(figure, eta, kind, shots)
    verdict = check(document)
    assert verdict, verdict
    assert verdict.statement.startswith(FINDINGS[document["status"]])
    assert verdict.statement.endswith("the list of them is complete")


@pytest.mark.parametrize("seed", range(40))
def test_certificates_of_random_families_are_accepted(seed):
    landscape = analyze(feasible_problem(np.random.default_rng(seed)))
    verdict = check(json.loads(json.dumps(landscape.certificate)))
    assert verdict, (landscape.problem, verdict)


DEGENERATE = {
    "no cost": scalar_problem([scalar_plant("1.01", s=0)]),
    "infimum at a rim": scalar_problem([scalar_plant(1, q=0)]),
    "next to a double root": paper_problem("3b", "0.0713"),
    "another cost": scalar_problem(
        [scalar_plant("1.01", q=2)] * 2,
        "normalized",
        adaptation=[scalar_plant("0.9"), scalar_plant("1.2")],
    ),
}


@pytest.mark.parametrize("name", DEGENERATE)
def test_certificates_of_degenerate_problems_are_accepted_for_what_they_are(name):
    landscape = analyze(DEGENERATE[name])
    verdict = check(landscape.certificate)
    assert verdict
    count = len(landscape.undecided)
    stretches = f"{count} undecided stretch{'es' * (count > 1)}"
    assert verdict.statement.endswith(f"but for {stretches}" if count else "is complete")


# --- mutations that make the claim false ---------------------------------------------------------


def away(bounds: list, rng: np.random.Generator, room: float = math.inf) -> list[float]:
    """An interval that does not meet [lo, hi], next to it or further off, within `room` of it."""
    lo, hi = bounds
    width = max(hi - lo, math.ulp(hi), math.ulp(lo))
    shift = min(width * 10.0 ** rng.uniform(0.31, 9), room)
    if rng.random() < 0.5:
        return [hi + shift, hi + 2 * shift]
    return [lo - 2 * shift, lo - shift]


def points(document: Document, *kinds: str) -> list[Document]:
    return [p for p in document["points"] if not kinds or p["kind"] in kinds]


def drop_point(d: Document, rng: np.random.Generator) -> None:
    d["points"].remove(rng.choice(points(d)))  # type: ignore[arg-type]


def repeat_point(d: Document, rng: np.random.Generator) -> None:
    i = int(rng.integers(len(d["points"])))
    d["points"].insert(i, copy.deepcopy(d["points"][i]))


def wrong_kind(d: Document, rng: np.random.Generator) -> None:
    point = rng.choice(points(d))  # type: ignore[arg-type]
    others = {"minimum", "maximum", "jump", "jump minimum", "edge minimum"} - {point["kind"]}
    point["kind"] = str(rng.choice(sorted(others)))


def moved_gain(d: Document, rng: np.random.Generator) -> None:
    point = rng.choice(points(d))  # type: ignore[arg-type]
    distances = [abs(p["W"][0] - point["W"][0]) for p in points(d) if p is not point]
    point["W"] = away(point["W"], rng, min(distances, default=1.0) / 8)


def moved_value(d: Document, rng: np.random.Generator) -> None:
    point = rng.choice(points(d))  # type: ignore[arg-type]
    point["value"] = away(point["value"], rng)


def moved_limit(d: Document, rng: np.random.Generator) -> bool:
    turns = [
        p for p in points(d, "jump", "jump minimum", "edge minimum") if "inf" not in str(p["limits"])
    ]
    if not turns:
        return False
    point = rng.choice(turns)  # type: ignore[arg-type]
    side = int(rng.choice([i for i, x in enumerate(point["limits"]) if x is not None]))
    point["limits"][side] = away(point["limits"][side], rng) if rng.random() < 0.7 else None
    return True


def moved_minimum(d: Document, rng: np.random.Generator) -> None:
    d["minimum"] = away(d["minimum"], rng)


def moved_epsilon(d: Document, rng: np.random.Generator) -> None:
    lo, hi = d["epsilon"]
    above = [hi + 1e-9 * 10 ** rng.uniform(0, 9), math.inf]
    d["epsilon"] = (
        [above[0], "inf"] if lo <= 0 or rng.random() < 0.5 else [0.0, lo * rng.uniform(0, 0.99)]
    )


def wrong_status(d: Document, _: np.random.Generator) -> None:
    d["status"] = {"proved": "refuted", "refuted": "proved"}[d["status"]]


def wrong_question(d: Document, rng: np.random.Generator) -> bool:
    """A refuted statement with an ε that is large enough."""
    d["asked"] = str(int(10 ** rng.uniform(2, 6)))
    return d["status"] == "refuted"


def lost_end_of_the_domain(d: Document, rng: np.random.Generator) -> None:
    piece = rng.choice(len(d["domain"]))
    d["domain"][piece][int(rng.integers(2))] = away(d["domain"][piece][int(rng.integers(2))], rng)


def lost_piece_of_the_domain(d: Document, rng: np.random.Generator) -> None:
    del d["domain"][int(rng.integers(len(d["domain"])))]


def undecided_with_a_false_value(d: Document, rng: np.random.Generator) -> bool:
    """A minimum hidden in an undecided stretch, whose values are said to be those of another."""
    order = [p["value"][0] for p in points(d) if "minimum" in p["kind"]]
    inner = [p for p in points(d, "minimum") if p["value"][0] > min(order) + 1e-9]
    if not inner:
        return False
    point = rng.choice(inner)  # type: ignore[arg-type]
    d["points"].remove(point)
    ends = [float(x) for end in d["domain"] for pair in end for x in pair]
    d["undecided"] = [{"W": [min(ends), max(ends)], "value": [min(order), min(order)]}]
    d["epsilon"], d["status"] = [0.0, 1e-10], "undecided"
    return True


def wrong_tag(d: Document, rng: np.random.Generator) -> bool:
    """A sign or a curvature turned over, in a box that has a point of the domain; or `O` made `v`."""
    if "cover" not in d:
        return False
    cover, reference = d["cover"], Reference(problem_from_json(d["problem"]))
    turned = {"+": "-", "-": "+", "v": "^", "^": "v", "O": "v"}
    for i in rng.permutation(len(cover["tags"])):
        lo, hi = cover["points"][i], cover["points"][i + 1]
        tag = cover["tags"][i]
        if tag == "O" or reference(lo + (hi - lo) / 2, 0) is not None:
            new = turned[tag] if rng.random() < 0.7 or tag == "O" else "O"
            cover["tags"] = cover["tags"][:i] + new + cover["tags"][i + 1 :]
            return True
    return False


def short_cover(d: Document, rng: np.random.Generator) -> bool:
    """A cover that ends before the first minimum, or begins after the last one."""
    if "cover" not in d:
        return False
    cover, minima = d["cover"], points(d, "minimum")
    if rng.random() < 0.5:
        keep = [i for i, x in enumerate(cover["points"]) if x > minima[0]["W"][1]]
        cover["points"], cover["tags"] = cover["points"][keep[0] :], cover["tags"][keep[0] :]
    else:
        keep = [i for i, x in enumerate(cover["points"]) if x < minima[-1]["W"][0]]
        cover["points"], cover["tags"] = cover["points"][: keep[-1] + 1], cover["tags"][: keep[-1]]
    return len(cover["tags"]) > 0


def gap_in_the_cover(d: Document, rng: np.random.Generator) -> bool:
    """A box with a point of the list is taken out, its neighbours left as they are."""
    if "cover" not in d:
        return False
    cover, point = d["cover"], rng.choice(points(d))  # type: ignore[arg-type]
    i = next(i for i, x in enumerate(cover["points"][1:]) if x > point["W"][0])
    del cover["points"][i]  # the box before now reaches over it, with its own tag
    cover["tags"] = cover["tags"][:i] + cover["tags"][i + 1 :]
    return cover["tags"][max(i - 1, 0)] not in "v^"


def tangled_cover(d: Document, rng: np.random.Generator) -> bool:
    if "cover" not in d:
        return False
    x = d["cover"]["points"]
    i = int(rng.integers(1, len(x) - 1))
    x[i], x[i + 1 if i + 1 < len(x) else i - 1] = x[i + 1 if i + 1 < len(x) else i - 1], x[i]
    return True


def no_numbers(d: Document, rng: np.random.Generator) -> None:
    """Something that is no interval in the place of one."""
    place = rng.choice(points(d))  # type: ignore[arg-type]
    lo, hi = place["W"]
    bad = [["nan", hi], [math.nan, math.nan], ["-inf", "inf"], [hi, lo - 1.0], [lo], None, lo,
           [True, hi], [10**400, hi], [[lo], hi]]  # fmt: skip
    place["W"] = bad[int(rng.integers(len(bad)))]


def altered_problem(d: Document, rng: np.random.Generator) -> bool:
    """Another number in a task or the step; kept only if some claimed enclosure is then wrong."""
    problem = d["problem"]
    if rng.random() < 0.3:
        choice = int(rng.integers(3))
        if choice == 0:
            problem["step"]["eta"] = str(float(d_eta(problem)) * rng.uniform(1.01, 1.2))
        elif choice == 1:
            problem["step"]["shots"] += 1
        else:
            kinds = {"gradient": "normalized", "normalized": "gradient"}
            problem["step"]["kind"] = kinds[problem["step"]["kind"]]
    else:
        task = problem["tasks"][int(rng.integers(len(problem["tasks"])))]
        key = str(rng.choice(["A", "B", "Q", "R", "S0"]))
        size = float(rng.choice([1e-6, 1e-3, 0.05]))
        old = float(problem_from_json(problem).tasks[0].f.R[0][0])
        assert old > 0
        top, _, bottom = task["cost"][key][0][0].partition("/")
        task["cost"][key] = [[f"{int(top) / int(bottom or 1) * (1 + size)!r}"]]
    truth = analyze(problem_from_json(problem))
    return not all(
        any(abs(p.value.mid - q["value"][0]) < 1e-9 and abs(p.at.mid - q["W"][0]) < 1e-9
            for p in truth.stationary_points)
        for q in d["points"]
    )  # fmt: skip


def d_eta(problem: Document) -> float:
    top, _, bottom = problem["step"]["eta"].partition("/")
    return int(top) / int(bottom or 1)


MUTATIONS: list[Callable[[Document, np.random.Generator], bool | None]] = [
    drop_point, repeat_point, wrong_kind, moved_gain, moved_value, moved_limit, moved_minimum,
    moved_epsilon, wrong_status, wrong_question, lost_end_of_the_domain, lost_piece_of_the_domain,
    undecided_with_a_false_value, wrong_tag, short_cover, gap_in_the_cover, tangled_cover, no_numbers,
    altered_problem,
]  # fmt: skip


def mutants(rng: np.random.Generator, count: int) -> Iterator[tuple[str, Document]]:
    """Random single mutations of random certificates, each sealed again."""
    made = 0
    small = [family for family in FAMILIES if family[0] in ("1", "2", "3a", "3b")]
    while made < count:
        family = small[int(rng.integers(len(small)))]
        mutate = MUTATIONS[made % len(MUTATIONS)]
        document = certificate(*family)
        if mutate(document, rng) is not False:
            made += 1
            yield f"{mutate.__name__} of {family}", sealed(document)


@pytest.mark.parametrize("part", range(4))
def test_false_claims_are_rejected_though_their_digest_is_right(part):
    seen: Counter[str] = Counter()
    for name, document in mutants(np.random.default_rng(part), 6 * len(MUTATIONS)):
        assert rejected(document), name
        seen[name.split()[0]] += 1
    assert len(seen) == len(MUTATIONS)
    assert sum(seen.values()) == 6 * len(MUTATIONS)


@pytest.mark.parametrize("part", range(2))
def test_wider_enclosures_leave_a_claim_true(part):
    """The counterpart: what only weakens a claim is accepted, so the rejections are no accident."""
    rng = np.random.default_rng(part)
    for figure, eta, kind, shots in [FAMILIES[int(i)] for i in rng.integers(0, len(FAMILIES), 12)]:
        document = certificate(figure, eta, kind, shots)
        for point in document["points"]:
            room = 10.0 ** rng.uniform(-12, 0)
            point["value"] = [point["value"][0] - room, point["value"][1] + room]
        document["minimum"] = [0.0, 1e6]
        document["epsilon"] = [0.0, "inf"]
        document["status"] = "undecided"
        assert check(sealed(document))


# --- changes without a new digest ----------------------------------------------------------------


def leaves(value: Any, path: tuple = ()) -> Iterator[tuple]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, (*path, key))
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield from leaves(item, (*path, i))
    else:
        yield path


@pytest.mark.parametrize("family", [("3b", "0.1", "gradient", 1), ("3b", "0.1", "normalized", 2)])
def test_any_change_at_all_is_seen_by_the_digest(family):
    document = certificate(*family)
    for path in leaves(document):
        changed = copy.deepcopy(document)
        *steps, last = path
        at: Any = changed
        for step in steps:
            at = at[step]
        old = at[last]
        at[last] = np.nextafter(old, 10.0).item() if isinstance(old, float) else f"{old} "
        assert rejected(changed), path
    for key in document:
        changed = {k: v for k, v in document.items() if k != key}
        assert rejected(changed)
    assert rejected({**document, "note": "more"})


# --- what a forger may try with the text -----------------------------------------------------------


def test_a_key_written_twice_is_no_certificate(tmp_path):
    text = json.dumps(certificate("1", "0.1", "gradient", 1))
    path = tmp_path / "certificate.json"
    path.write_text(text.replace('"status": "refuted"', '"status": "proved", "status": "refuted"'))
    with pytest.raises(CertificateError, match="twice"):
        check(path)


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity"])
def test_constants_that_json_has_not_are_refused(tmp_path, text):
    document = certificate("1", "0.1", "gradient", 1)
    path = tmp_path / "certificate.json"
    path.write_text(json.dumps(document).replace(repr(document["minimum"][0]), text))
    with pytest.raises(CertificateError, match="no JSON"):
        check(path)


def test_files_that_are_no_certificates_are_named(tmp_path):
    path = tmp_path / "certificate.json"
    for text in ("", "{", "[1, 2]", '"text"', "{}", '{"benign": "certificate"}', "[" * 100_000):
        path.write_text(text)
        with pytest.raises(CertificateError):
            check(path)
    with pytest.raises(CertificateError, match="a directory"):
        check(tmp_path)
    with pytest.raises(CertificateError, match="no such file"):
        check(tmp_path / "missing.json")


@pytest.mark.parametrize("version", [0, 2, True, 1.0, "1", None])
def test_another_version_is_not_read(version):
    document = {**certificate("1", "0.1", "gradient", 1), "version": version}
    with pytest.raises(CertificateError, match="version"):
        check(document)


FORGED: dict[str, Callable[[Document], object]] = {
    "cover to infinity": lambda d: d["cover"]["points"].__setitem__(0, "-inf"),
    "tags no text": lambda d: d["cover"].__setitem__("tags", list(d["cover"]["tags"])),
    "unknown tag": lambda d: d["cover"].__setitem__("tags", "x" + d["cover"]["tags"][1:]),
    "something beside the cover": lambda d: d["cover"].__setitem__("proof", "trust me"),
    "no cover": lambda d: d.pop("cover"),
    "a claim of its own": lambda d: d["points"][0].__setitem__("curvature", [1.0, 1.0]),
    "limits of a minimum": lambda d: d["points"][0].__setitem__("limits", [[0.0, 0.0], [0.0, 0.0]]),
    "a point that is no object": lambda d: d["points"].append(7),
    "an undecided gain at infinity": lambda d: d["undecided"].append(
        {"W": ["-inf", "inf"], "value": [0.0, "inf"]}
    ),
    "asked a number": lambda d: d.__setitem__("asked", 0),
    "asked below zero": lambda d: d.__setitem__("asked", "-1"),
    "asked beyond all numbers": lambda d: d.__setitem__("asked", "1e320"),
    "another word": lambda d: d.__setitem__("status", "certain"),
    "another claim": lambda d: d.__setitem__("claim", "theorem 9"),
    "a claim that is no text": lambda d: d.__setitem__("claim", ["theorem 1"]),
    "the problem is a list": lambda d: d.__setitem__("problem", []),
    "R below zero": lambda d: d["problem"]["tasks"][0]["cost"].__setitem__("R", [["-2"]]),
    "Q below zero": lambda d: d["problem"]["tasks"][0]["cost"].__setitem__("Q", [["-2"]]),
    "S0 below zero": lambda d: d["problem"]["tasks"][0]["cost"].__setitem__("S0", [["-1"]]),
    "A beyond all numbers": lambda d: d["problem"]["tasks"][0]["cost"].__setitem__("A", [["1e320"]]),
    "eta beyond all numbers": lambda d: d["problem"]["step"].__setitem__("eta", "1e320"),
    "division by zero": lambda d: d["problem"]["tasks"][0]["cost"].__setitem__("A", [["1/0"]]),
    "two states": lambda d: d["problem"]["tasks"][0].__setitem__(
        "cost", {key: [["1", "0"], ["0", "1"]] for key in ("A", "B", "Q", "R", "S0")}
    ),
}


@pytest.mark.parametrize("name", FORGED)
def test_forged_documents_are_refuted_and_never_break_the_checker(name):
    document = certificate("1", "0.1", "gradient", 1)
    FORGED[name](document)
    assert check(sealed(document)).status is Status.REFUTED


def test_a_name_of_any_characters_is_read():
    document = certificate("1", "0.1", "gradient", 1)
    document["problem"]["tasks"][0]["name"] = "\ud800 ∞ \u202e"
    assert check(sealed(document))


def test_a_normalised_step_has_no_cover_and_no_gain_at_infinity():
    document = certificate("1", "0.1", "normalized", 1)
    assert rejected(sealed({**document, "cover": {"points": [0.0, 1.0], "tags": "?"}}))
    document["points"][0]["W"] = ["-inf", "inf"]
    assert rejected(sealed(document))


def hidden_minimum() -> Document:
    """A spurious minimum hidden in an undecided piece, with a false value."""
    plants = [scalar_plant("1.01"), scalar_plant("0.5", q=3)]
    document = json.loads(json.dumps(analyze(scalar_problem(plants, "normalized", "0.4")).certificate))
    spurious = next(p for p in document["points"] if p["kind"] == "minimum" and 0.5 < p["W"][0] < 0.6)
    at = document["points"].index(spurious)
    ends = [document["points"][at - 1]["W"][0], document["points"][at + 1]["W"][1]]
    document["points"].remove(spurious)
    value = document["points"][0]["value"]
    document["undecided"] = [{"W": ends, "value": value}]
    return {**document, "epsilon": [0.0, 1e-6], "asked": "1e-6", "status": "proved"}


def test_values_of_undecided_pieces_are_proved_too():
    verdict = check(sealed(hidden_minimum()))
    assert verdict.status is Status.REFUTED
    assert "undecided: h falls below" in verdict.reason


def test_an_undecided_stretch_that_is_dropped_is_missed():
    for name in ("no cost", "infimum at a rim"):
        document = json.loads(json.dumps(analyze(DEGENERATE[name]).certificate))
        for i in range(len(document["undecided"])):
            fewer = copy.deepcopy(document)
            del fewer["undecided"][i]
            assert rejected(sealed(fewer)), (name, i)


def test_what_an_undecided_stretch_covers_need_not_be_listed():
    """A weaker claim than could be proved is true all the same."""
    document = certificate("3b", "0.1", "normalized", 1)
    document["points"] = [p for p in document["points"] if p["kind"] != "minimum"]
    document["undecided"] = [{"W": [0.0, 2.0], "value": [0.0, "inf"]}]
    document |= {"epsilon": [0.0, "inf"], "minimum": [0.0, "inf"], "status": "undecided"}
    assert check(sealed(document))
    assert rejected(sealed({**document, "undecided": []}))
    assert rejected(sealed({**document, "epsilon": [0.0, 1.0]}))


@pytest.mark.parametrize("name", ["holds_doubt", "within"])
def test_a_checker_with_a_hole_lets_false_documents_through(monkeypatch, name):
    """The mutations are sharp: without one of its steps the checker accepts what is false."""
    document = hidden_minimum()
    if name == "within":
        document = certificate("3b", "0.1", "normalized", 1)
        points(document, "minimum")[0]["value"] = [1.0, 1.0]
    assert rejected(sealed(document))
    monkeypatch.setattr(pieced, name, lambda *_: None)
    assert check(sealed(document))


# --- exact objects that no float64 tells apart ---------------------------------------------------

TWINS = {
    "proportional up to rounding": [(0.9, 1.0, 3.0, 1.0), (0.9, 1.0, 0.3, 0.1)],
    "one float apart": [(0.9, 1.0, 3.0, 1.0), (0.9, 1.0, math.nextafter(3.0, 4.0), 1.0)],
    "less than a float apart": [("0.9", "1", "3", "1"), ("0.9", "1", "3.00000000000000000001", "1")],
}


@pytest.mark.parametrize("shots", [1, 2, 3])
@pytest.mark.parametrize("name", TWINS)
def test_optima_within_one_float_are_two_breaks(name, shots):
    plants = [scalar_plant(exact(a), b=exact(b), q=exact(q), r=exact(r)) for a, b, q, r in TWINS[name]]
    landscape = analyze(scalar_problem(plants, "normalized", "0.05", shots))
    assert check(json.loads(json.dumps(landscape.certificate)))
    jumps = [point for point in landscape.stationary_points if "jump" in point.kind]
    assert len(jumps) == 2 * (2 * shots - 1) or len(jumps) + len(landscape.undecided) >= 2


def test_two_breaks_in_one_float_interval_are_not_pooled():
    """A jump minimum of value 49.8 hidden behind the other jump at the same float."""
    verdict = check(CASES / "forged_jump.json")
    assert verdict.status is Status.REFUTED
    assert "jump minimum" in verdict.reason


def test_a_checker_that_knows_more_accepts_what_claims_less():
    assert check(CASES / "own_refused_5004.json")


def test_claims_about_a_point_are_checked():
    document = certify(paper_problem("1", "0.1"), 0.618034)
    assert check(document)
    for key, value in (("W", [0.6, 0.61]), ("W", ["-inf", "inf"]), ("gap", -1.0), ("gap", 1.0),
                       ("claim", "theorem 3"), ("claim", "proposition 2")):  # fmt: skip
        assert rejected(sealed({**document, key: value})), (key, value)
