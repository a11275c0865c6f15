"""Whether the checker refuses every false certificate of minimisers below a level.

    python -m scripts.mutations COUNT [--first 0] [--level 2] [--boxes 3000]

Certificates of random families of two parameters are altered in one place and sealed again with a
right digest. A jury in floating point, which knows neither enclosures nor trees, says of each whether
its claim is false: a listed gain that is not stationary or of another value, a minimum that a search
meets and the list lacks, a wrong minimum, ε or status. An alteration of the tree leaves the claim true
and its proof possibly wrong; these are counted apart, for a leaf may bear another letter that is true
as well. The exit status is 1 if one false claim is accepted.
"""

from __future__ import annotations

import argparse
import collections
import copy
import sys
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import jax
import numpy as np
from benchmarks.proofs import random_problem
from rich.progress import track

from benign.certificates.check import check
from benign.certificates.document import sealed
from benign.errors import BenignError, ProblemError
from benign.exact.problem import problem_from_json
from benign.landscape.search import search
from benign.landscape.verb import meta_objective
from benign.prove.boxes.below import prove
from benign.verdict import Status

Document = dict[str, Any]
Change = Callable[[Document, np.random.Generator], None]

CLOSE = 1e-7
"""What the jury takes for a difference: it works in floating point."""


# --- alterations -------------------------------------------------------------------------------------


def _entry(d: Document, rng: np.random.Generator) -> Document:
    return d["minimisers"][rng.integers(len(d["minimisers"]))]


def _number(rng: np.random.Generator) -> float:
    """A relative change, from slight to gross, of either sign."""
    return float(rng.choice([-1, 1]) * 10.0 ** rng.uniform(-5, -0.3))


def _moved(key: str) -> Change:
    def change(d: Document, rng: np.random.Generator) -> None:
        entry, by = _entry(d, rng), _number(rng)
        entry[key] = [[a + by, b + by] for a, b in entry[key]]

    return change


def _value(d: Document, rng: np.random.Generator) -> None:
    entry, by = _entry(d, rng), _number(rng)
    entry["value"] = [x * (1 + by) for x in entry["value"]]


def _dropped(d: Document, rng: np.random.Generator) -> None:
    d["minimisers"].remove(_entry(d, rng))


def _matrix(d: Document, rng: np.random.Generator) -> None:
    cost = d["problem"]["tasks"][rng.integers(len(d["problem"]["tasks"]))]["cost"]
    M = cost[str(rng.choice(["A", "B", "Q", "R", "S0"]))]
    row = M[rng.integers(len(M))]
    column = rng.integers(len(row))
    row[column] = str(Fraction(row[column]) * (1 + Fraction(_number(rng)).limit_denominator(10**6)))


def _eta(d: Document, rng: np.random.Generator) -> None:
    step = d["problem"]["step"]
    step["eta"] = str(Fraction(step["eta"]) * (1 + Fraction(_number(rng)).limit_denominator(10**6)))


def _weights(d: Document, rng: np.random.Generator) -> None:
    share = Fraction(1, 2) + Fraction(0.4 * _number(rng)).limit_denominator(10**6)
    first, second = d["problem"]["tasks"]
    first["weight"], second["weight"] = str(share), str(1 - share)


def _level(d: Document, rng: np.random.Generator) -> None:
    d["level"] = d["level"] * float(rng.choice([0.3, 0.9, 1.1, 3.0, 30.0]))


def _minimum(d: Document, rng: np.random.Generator) -> None:
    by = _number(rng)
    d["minimum"] = [x * (1 + by) for x in d["minimum"]]


def _epsilon(d: Document, rng: np.random.Generator) -> None:
    by = abs(_number(rng))
    d["epsilon"] = [x + by for x in d["epsilon"]]


def _status(d: Document, rng: np.random.Generator) -> None:
    d["status"] = str(rng.choice([s for s in ("proved", "refuted") if s != d["status"]]))


def _twice(d: Document, rng: np.random.Generator) -> None:
    d["minimisers"].append(copy.deepcopy(_entry(d, rng)))


def _frame(d: Document, rng: np.random.Generator) -> None:
    d["frame"]["centre"] = [x + _number(rng) for x in d["frame"]["centre"]]


def _letter(d: Document, rng: np.random.Generator) -> None:
    leaves = [i for i, letter in enumerate(d["tree"]) if not letter.isdigit()]
    place = int(rng.choice(leaves))
    other = str(rng.choice([x for x in "uorlgsnm" if x != d["tree"][place]]))
    d["tree"] = d["tree"][:place] + other + d["tree"][place + 1 :]


def _cut(d: Document, rng: np.random.Generator) -> None:
    place = int(rng.integers(len(d["tree"])))
    d["tree"] = d["tree"][:place] + d["tree"][place + 1 :]


CLAIM: dict[str, Change] = {
    "gain moved": _moved("W"),
    "coordinates moved": _moved("y"),
    "value": _value,
    "minimiser dropped": _dropped,
    "minimiser twice": _twice,
    "matrix": _matrix,
    "eta": _eta,
    "weights": _weights,
    "level": _level,
    "minimum": _minimum,
    "epsilon": _epsilon,
    "status": _status,
}
PROOF: dict[str, Change] = {"frame moved": _frame, "letter": _letter, "tree cut": _cut}


# --- the jury ----------------------------------------------------------------------------------------


def falsehood(d: Document, seed: int) -> str:
    """Why the claim is false, as far as floating point can tell; empty if nothing speaks against it."""
    try:
        objective = meta_objective(problem_from_json(d["problem"]))
        met = search(objective, starts=24, seed=seed).minimizers
    except BenignError as error:
        return f"no such problem: {error}"
    listed, scale = d["minimisers"], abs(d["level"])
    if not listed:
        return "an empty list" if any(x.value < d["level"] for x in met) else ""
    middles = [np.mean(entry["W"], axis=1) for entry in listed]
    for entry, W in zip(listed, middles, strict=True):
        shape = (objective.family.m, objective.family.n)
        value = float(objective.value(W.reshape(shape)))
        if not np.isfinite(value) or abs(value - np.mean(entry["value"])) > CLOSE * scale:
            return f"h is {value:.9g} at a listed minimiser"
        gradient = np.asarray(objective.gradient(W.reshape(shape))).reshape(-1)
        hessian = np.asarray(objective.hessian(W.reshape(shape))).reshape(W.size, W.size)
        width = np.max(np.ptp(entry["W"], axis=1))
        away = np.abs(np.linalg.solve(hessian, gradient)).max()  # the Newton step to where it vanishes
        if away > width + CLOSE * (1 + np.abs(W).max()):
            return f"a listed minimiser is {away:.3g} away from the stationary point"
    for i, W in enumerate(middles):
        if any(np.abs(W - other).max() < CLOSE for other in middles[:i]):
            return "one minimiser twice"
    centre, axes = np.array(d["frame"]["centre"]), np.array(d["frame"]["axes"])
    for point in met:
        W = np.asarray(point.W).reshape(-1)
        if np.abs(np.linalg.solve(axes, W - centre)).max() > 1 and not d["bounded"]:
            continue  # the claim is about the box of gains that was searched
        if point.value < d["level"] * (1 - CLOSE) and all(
            np.abs(W - other).max() > 1e-5 * (1 + np.abs(W).max()) for other in middles
        ):
            return f"a minimum of value {point.value:.9g} is not listed"
    values = [float(np.mean(entry["value"])) for entry in listed]
    if not d["minimum"][0] - CLOSE * scale <= min(values) <= d["minimum"][1] + CLOSE * scale:
        return "another minimum"
    gap = max(values) - min(values)
    if not d["epsilon"][0] - CLOSE * scale <= gap <= d["epsilon"][1] + CLOSE * scale:
        return "another epsilon"
    if (d["status"] == "proved") != (gap <= CLOSE * scale) and d["status"] != "undecided":
        return "another status"
    return ""


# --- the trial ---------------------------------------------------------------------------------------


def main() -> int:
    """Draw, alter, ask both, count."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("count", type=int)
    parser.add_argument("--first", type=int, default=0, help="seed of the first family")
    parser.add_argument("--level", type=float, default=2.0, help="times the least value")
    parser.add_argument("--boxes", type=int, default=3000, help="of a tree at most: checks take long")
    asked = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    changes = list((CLAIM | PROOF).items())
    counts: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    accepted, document, seed = [], None, asked.first
    for number in track(range(asked.count), description="alterations"):
        if number % len(changes) == 0 or document is None:
            document, seed = _certificate(asked, seed)
        name, change = changes[number % len(changes)]
        body = copy.deepcopy(document)
        body.pop("digest")
        change(body, np.random.default_rng([seed, number]))
        why = "" if name in PROOF else falsehood(body, number)
        try:
            held = check(sealed(body)).status is Status.PROVED
        except BenignError:
            held = False
        counts[name][("false" if why else "not false") + (", accepted" if held else ", refused")] += 1
        if why and held:
            accepted.append(f"family {seed - 1}, alteration {number} ({name}): {why}")
    for name, count in counts.items():
        print(f"{name:18} " + "; ".join(f"{key}: {n}" for key, n in sorted(count.items())))
    false = sum(n for count in counts.values() for key, n in count.items() if key.startswith("false"))
    print(f"\n{asked.count} alterations, {false} false claims, accepted of these: {len(accepted)}")
    for text in accepted:
        print(text)
    return 1 if accepted else 0


def _certificate(asked: argparse.Namespace, seed: int) -> tuple[Document, int]:
    """The certificate of the next family that is small enough, and the seed after it."""
    while True:
        n, m = (2, 1) if seed % 2 else (1, 2)
        problem = random_problem(n, m, 2, "0.02", seed)
        seed += 1
        try:
            lowest = prove(problem, budget=0).minimum.hi
            found = prove(problem, level=asked.level * lowest, budget=20)
        except ProblemError:  # no gain is feasible
            continue
        if found.certificate is not None and not found.left and found.boxes <= asked.boxes:
            return found.certificate, seed


if __name__ == "__main__":
    sys.exit(main())
