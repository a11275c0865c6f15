"""Every certificate of the paper's families is accepted; every false variant of one is rejected.

A mutation changes one field of a document so that its claim becomes false (or its proof incomplete),
and then *renews the digest*, so that it is the proof and not the digest that has to catch it. Changes
that leave the claim true, such as widening an enclosure, are not made: there is nothing to reject.
"""

import copy
import json
import random
from fractions import Fraction
from functools import cache

import pytest

from benign.certificates.check import check
from benign.certificates.claims import sealed
from benign.landscape.analyze import analyze
from benign.rigorous.problem import Problem, make_step
from benign.tasks.files import bundled_path, load

FIGURES = ("1", "2", "3a", "3b", "3c", "3d")
SETTINGS = [
    (figure, eta, kind, shots)
    for figure in FIGURES
    for eta in ("0.1", "0.05")
    for kind in ("gradient", "normalized")
    for shots in (1, 2)
]
FAR = 1e-6
"""How far a mutated number is moved: every enclosure is narrower than 1e-9."""


@cache
def text_of_certificate(figure, eta, kind, shots):
    family = load(bundled_path(f"paper-figure-{figure}")).family
    landscape = analyze(Problem(family, make_step(kind, eta, shots)))
    return json.dumps(landscape.certificate)


def certificate(*setting):
    return json.loads(text_of_certificate(*setting))


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: "-".join(map(str, setting)))
def test_every_certificate_of_the_paper_is_accepted(setting):
    assert check(certificate(*setting))


def move(bounds, amount):
    return [bound + amount for bound in bounds]


def inside_boxes(document):
    """Numbers of boxes that surely lie inside the domain claimed."""
    points = document["cover"]["points"]
    pieces = [(lo[1], hi[0]) for lo, hi in document["domain"]]
    return [
        i
        for i in range(len(points) - 1)
        if any(lo < points[i] and points[i + 1] < hi for lo, hi in pieces)
    ]


def with_tag(document, i, tag):
    tags = document["cover"]["tags"]
    document["cover"]["tags"] = tags[:i] + tag + tags[i + 1 :]


# Each takes (document, rng) and makes the claim false in place; it changes nothing where it does
# not apply.


def point_moved(document, rng):
    point = rng.choice(document["points"])
    point["W"] = move(point["W"], rng.choice([-FAR, FAR]))


def value_moved(document, rng):
    point = rng.choice(document["points"])
    point["value"] = move(point["value"], rng.choice([-FAR, FAR]))


def kind_changed(document, rng):
    point = rng.choice(document["points"])
    point["kind"] = rng.choice(
        [kind for kind in ("minimum", "maximum", "jump", "edge minimum") if kind != point["kind"]]
    )


def point_dropped(document, rng):
    document["points"].pop(rng.randrange(len(document["points"])))


def point_doubled(document, rng):
    document["points"].append(copy.deepcopy(rng.choice(document["points"])))


def limit_moved(document, rng):
    jumps = [point for point in document["points"] if point.get("limits")]
    if not jumps:
        return
    limits = rng.choice(jumps)["limits"]
    side = rng.choice([i for i in (0, 1) if limits[i] is not None])
    limits[side] = move(limits[side], rng.choice([-FAR, FAR]))


def epsilon_moved(document, rng):
    up = rng.random() < 0.5 or document["epsilon"][0] == 0
    document["epsilon"] = move(document["epsilon"], FAR if up else -FAR)


def minimum_moved(document, rng):
    document["minimum"] = move(document["minimum"], rng.choice([-FAR, FAR]))


def status_reversed(document, rng):
    document["status"] = {"proved": "refuted", "refuted": "proved"}[document["status"]]


def asked_too_much(document, rng):
    if document["status"] != "refuted":
        return
    document["asked"] = str(Fraction(document["epsilon"][1]) + Fraction(1, 1000))


def domain_moved(document, rng):
    piece = rng.choice(document["domain"])
    side = rng.randrange(2)
    piece[side] = move(piece[side], rng.choice([-FAR, FAR]))


def domain_dropped(document, rng):
    document["domain"].pop()


def sign_reversed(document, rng):
    if "cover" not in document:
        return
    flip = {"+": "-", "-": "+", "v": "^", "^": "v"}
    boxes = [i for i in inside_boxes(document) if document["cover"]["tags"][i] in flip]
    i = rng.choice(boxes)
    with_tag(document, i, flip[document["cover"]["tags"][i]])


def called_empty(document, rng):
    if "cover" not in document:
        return
    with_tag(document, rng.choice(inside_boxes(document)), "O")


def called_undecided(document, rng):
    # Hides what the box holds without saying so in the list of undecided stretches.
    if "cover" not in document:
        return
    with_tag(document, rng.choice(inside_boxes(document)), "?")


def box_missing(document, rng):
    if "cover" not in document:
        return
    cover = document["cover"]
    if rng.random() < 0.5:
        cover["points"], cover["tags"] = cover["points"][1:], cover["tags"][1:]
    else:
        cover["points"], cover["tags"] = cover["points"][:-1], cover["tags"][:-1]


def boundary_missing(document, rng):
    if "cover" not in document:
        return
    document["cover"]["points"].pop(rng.randrange(1, len(document["cover"]["points"]) - 1))


def number_of_a_task(document, rng):
    cost = rng.choice(document["problem"]["tasks"])["cost"]
    key = rng.choice(["A", "B", "Q", "R", "S0"])
    cost[key] = [[str(Fraction(cost[key][0][0]) * Fraction(1001, 1000))]]


def step_size(document, rng):
    step = document["problem"]["step"]
    step["eta"] = str(Fraction(step["eta"]) * Fraction(1001, 1000))


def number_of_shots(document, rng):
    document["problem"]["step"]["shots"] += 1


def weights_shifted(document, rng):
    tasks = document["problem"]["tasks"]
    if len(tasks) < 2:
        return
    one, other = rng.sample(tasks, 2)
    one["weight"] = str(Fraction(one["weight"]) + Fraction(1, 1000))
    other["weight"] = str(Fraction(other["weight"]) - Fraction(1, 1000))


def task_dropped(document, rng):
    tasks = document["problem"]["tasks"]
    if len(tasks) < 2:
        return
    tasks.pop(rng.randrange(len(tasks)))
    for task in tasks:
        task["weight"] = str(Fraction(1, len(tasks)))


MUTATIONS = [
    point_moved, value_moved, kind_changed, point_dropped, point_doubled, limit_moved,
    epsilon_moved, minimum_moved, status_reversed, asked_too_much, domain_moved, domain_dropped,
    sign_reversed, called_empty, called_undecided, box_missing, boundary_missing,
    number_of_a_task, step_size, number_of_shots, weights_shifted, task_dropped,
]  # fmt: skip


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.__name__)
def test_a_false_variant_is_rejected_whatever_its_digest(mutation):
    rng = random.Random(mutation.__name__)
    tried = 0
    settings = [s for s in SETTINGS if s[0] != "3d"]
    while tried < 20:
        setting = rng.choice(settings)
        document = certificate(*setting)
        original = copy.deepcopy(document)
        mutation(document, rng)
        if document == original:
            continue  # the mutation does not apply to this document
        mutated = sealed(document)
        assert not check(mutated), (setting, mutation.__name__)
        tried += 1


def test_any_change_without_a_new_digest_is_rejected():
    original = certificate("3b", "0.05", "gradient", 1)
    rng = random.Random(0)
    for mutation in MUTATIONS:
        document = copy.deepcopy(original)
        mutation(document, rng)
        if document != original:
            verdict = check(document)
            assert not verdict
    harmless = copy.deepcopy(original)
    harmless["points"][0]["value"][1] += FAR  # wider, and so still true
    assert not check(harmless)
    assert check(sealed(harmless))
