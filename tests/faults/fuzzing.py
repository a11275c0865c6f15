"""Inputs at random for every reader, option and constructor, each from one number.

    python tests/faults/fuzzing.py 10000        # counts by kind, and every fault

An input is done with if it is taken, or refused by an error of ours or an exit status with a sentence.
Anything else is a fault: another exception, a traceback, a status that is none, more than 20 seconds.
The same seed gives the same inputs. They are made, and given in, in a directory for temporary files.
"""

import argparse
import contextlib
import io
import json
import os
import random
import resource
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

import benign
from benign.archives import to_bytes
from benign.cli.application import app
from benign.cli.guard import _status
from benign.errors import BenignError
from benign.exact.problem import Problem, make_family, make_step
from benign.prove.boxes import below, state
from benign.tasks.files import bundled_names, bundled_path, load, loads
from benign.training import checkpoint

SLOW = 20.0
FAMILY = "paper-figure-3b"

# --- what is wrong ---------------------------------------------------------------------------


class Odd:
    """An object that says it is an array, and is none."""

    def __array__(self, *_, **__):
        raise RuntimeError("no array")


def loop():
    """A list that holds itself, twice."""
    found = []
    found += [found, found]
    return found


VALUES = [
    lambda: None, lambda: True, lambda: -1, lambda: 0, lambda: 3, lambda: 10**400, lambda: 2**63,
    lambda: 0.5, lambda: float("nan"), lambda: float("inf"), lambda: -float("inf"), lambda: 5e-324,
    lambda: 1e308, lambda: "x", lambda: "", lambda: "0.1", lambda: "1/0", lambda: "\ud800",
    lambda: "a\0b", lambda: b"0.1", lambda: [1, 2], lambda: [[1, 2], [3]], list, loop, dict, set,
    lambda: 1j, lambda: np.array([[1 + 1j]]), lambda: np.ma.array([[1.0]], mask=[[True]]),
    lambda: np.array([[object()]], dtype=object), lambda: np.array(0.1), lambda: np.ones((2, 2, 2)),
    lambda: np.array([[np.nan]]), lambda: np.array([[True]]), lambda: np.array([["a"]]),
    lambda: np.datetime64("2020-01-01"), lambda: np.zeros(1, dtype=[("a", float)]), lambda: int, object,
    Odd, lambda: iter([1]), lambda: (lambda *_: 1), lambda: Path("/nonexistent/x.toml"), tuple,
]  # fmt: skip

TEXTS = [
    "nan", "inf", "-inf", "-1", "0", "1e400", "1e-400", "2147483648", "9" * 500, "x", "", " ", "--",
    "é",
    "\u202e", "1:2", "1:2:0", "0.1:0.2:3", "0.1,,0.2", "[[1]]", "[", "[[[[[1]]]]]", "null", "1h", "5 s",
    "-5s", "1e5h", "0.05", "none", "x" * 5000, "True", "1/0", "1/3", "💥", "a\nb",
]  # fmt: skip

PIECES = [
    b"nan", b"-1", b"0", b"1e400", b"[", b"]", b"{", b"}", b'"', b"\n", b"=", b"null", b"\0",
    b"\xff\xfe",
    b"[[1, 2], [3]]", b'"1/0"', b"2020-01-01", b"[[tasks]]", b"noise = 1", b"1e308", b"." * 40, b"'''",
    b"9" * 401, "\u202eé".encode(), b"\\ud800", b"#", b",", b"true", b".".join([b"a"] * 18),
]  # fmt: skip


def mutated(data, chance):
    """The bytes with some pieces cut, put in, flipped or repeated."""
    data = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(data) + 1)
        what = chance.randrange(5)
        if what == 0:
            del data[at : at + chance.randint(1, 40)]
        elif what == 1:
            data[at:at] = chance.choice(PIECES)
        elif what == 2 and at < len(data):
            data[at] ^= 1 << chance.randrange(8)
        elif what == 3:
            del data[at:]
        else:
            data[at:at] = data[at : at + 60] * chance.randint(1, 50)
    return bytes(data)


def altered(document, chance):
    """A JSON document in which some values are others."""
    document = json.loads(json.dumps(document))
    for _ in range(chance.randint(1, 3)):
        node = document
        while isinstance(node, (dict, list)) and node:
            keys = list(node) if isinstance(node, dict) else range(len(node))
            key = chance.choice(list(keys))
            if not isinstance(node[key], (dict, list)) or not node[key] or chance.random() < 0.2:
                node[key] = chance.choice(
                    [None, -1, 0, 1e308, "x", "inf", [], {}, [[1]], 10**400, True, "9" * 500]
                )
                break
            node = node[key]
    return json.dumps(document).encode()


# --- the kinds of inputs ---------------------------------------------------------------------


class Inputs:
    """One function a kind; each makes its input from a source of chance, and gives it in."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.families = [bundled_path(name).read_bytes() for name in bundled_names()]
        problem = Problem(load(bundled_path(FAMILY)).family, make_step("gradient", "0.05"))
        landscape = benign.analyze(problem)
        self.certificate = landscape.certificate
        landscape.save(self.folder / "landscape")
        self.landscape = json.loads((self.folder / "landscape" / "landscape.json").read_text())
        self.settings = {"eta": "0.05", "beta": 0.01, "steps": 2, "certified": False}
        self.trained = benign.train(FAMILY, **self.settings)
        self.trained.save(self.folder / "run")
        self.record = json.loads((self.folder / "run" / "training.json").read_text())
        self.archive = checkpoint.to_bytes(self.trained.snapshot, self.trained.digest)
        self.lqr = benign.LQR(1, 1, 1, 1)
        self.h = benign.MetaObjective(FAMILY, "0.05")
        self._proof()

    def _proof(self):
        family = load(bundled_path("four-masses")).family
        self.problem = Problem(make_family(family.tasks[:1]), make_step("gradient", "0.01"))
        path = self.folder / "proof.npz"

        def progress(done, waiting, found):
            if done > 400 and waiting:
                raise KeyboardInterrupt

        below.prove(self.problem, checkpoint=path, progress=progress)
        self.kept = state.read(path, self.problem)
        self.state = path.read_bytes()

    def write(self, name, data):
        path = self.folder / name
        path.write_bytes(data)
        return path

    def family_file(self, chance):
        data = mutated(chance.choice(self.families), chance)
        benign.load(self.write("family.toml", data))

    def family_json(self, chance):
        family = loads(chance.choice(self.families).decode()).family
        from benign.tasks.files import dumps

        document = json.loads(dumps(family, "json"))
        benign.load(self.write("family.json", altered(document, chance)))

    def certificate_file(self, chance):
        data = altered(self.certificate, chance)
        benign.check(
            self.write("c.json", mutated(data, chance) if chance.random() < 0.3 else data), limit=5
        )

    def result_file(self, chance):
        data = altered(chance.choice([self.landscape, self.record]), chance)
        benign.read(self.write("r.json", mutated(data, chance) if chance.random() < 0.3 else data))

    def checkpoint_file(self, chance):
        path = self.write("k.npz", mutated(self.archive, chance))
        checkpoint.read_checkpoint(path, self.trained.digest)

    def checkpoint_fields(self, chance):
        arrays = {f"leaf_{i}": np.array(x) for i, x in enumerate(self.trained.snapshot.leaves)}
        arrays["rows"] = self.trained.snapshot.rows
        about = {"benign": checkpoint.KIND, "version": checkpoint.VERSION,
                 "run": self.trained.digest, "n": len(arrays) - 1}  # fmt: skip
        path = self.write("k.npz", to_bytes(about, self.changed(arrays, chance)))
        benign.train(FAMILY, **self.settings, checkpoint=path, resume=True)

    def proof_file(self, chance):
        below.prove(
            self.problem, budget=0.0, checkpoint=self.write("p.npz", mutated(self.state, chance))
        )

    def proof_fields(self, chance):
        head = {"benign": state.KIND, "version": state.VERSION, "problem": state._digest(self.problem),
                "centre": [str(x) for x in self.kept.frame.centre],
                "axes": [[str(x) for x in row] for row in self.kept.frame.axes],
                "level": self.kept.asked.hex(), "boxes": self.kept.boxes}  # fmt: skip
        if chance.random() < 0.3:
            head = json.loads(altered(head, chance))
        arrays = self.changed(self.kept.arrays, chance)
        below.prove(self.problem, budget=0.0, checkpoint=self.write("p.npz", to_bytes(head, arrays)))

    def changed(self, arrays, chance):
        """Arrays of which one is another."""
        arrays = {name: np.array(array) for name, array in arrays.items()}
        name = chance.choice(sorted(arrays))
        array, what = arrays[name], chance.randrange(7)
        if what == 0:
            arrays[name] = arrays[chance.choice(sorted(arrays))]
        elif what == 1:
            arrays[name] = array[..., : chance.randint(0, 2)] if array.ndim else array[None]
        elif what == 2:
            arrays[name] = array.astype(chance.choice([np.float32, np.int8, np.float64]))
        elif what == 3 and array.size:
            array.reshape(-1)[chance.randrange(array.size)] = chance.choice([0, 1, 77])
        elif what == 4 and array.size and array.dtype.kind == "f":
            array.reshape(-1)[chance.randrange(array.size)] = chance.choice([np.nan, np.inf, -1e300])
        elif what == 5:
            del arrays[name]
        else:
            arrays[name] = array[::-1] if array.ndim else -array.astype(float)
        return arrays

    def manifest(self, chance):
        folder = self.folder / "results"
        folder.mkdir(exist_ok=True)
        from benign.folders import MANIFEST, About, save_all

        about = About("x", "y", "z")
        (folder / MANIFEST).unlink(missing_ok=True)
        (folder / "x").unlink(missing_ok=True)
        save_all(folder, about, {"x": "1"})
        document = json.loads((folder / MANIFEST).read_text())
        (folder / MANIFEST).write_bytes(altered(document, chance))
        save_all(folder, about, {"x": "2"})

    # --- options

    def option(self, chance):
        verb, fixed, options = chance.choice(COMMANDS)
        flags = chance.sample(options, chance.randint(1, min(3, len(options))))
        arguments = [verb, *fixed]
        for flag in flags:
            arguments += [flag, chance.choice(TEXTS)]
        self.command(arguments)

    def place(self, chance):
        """A family, a certificate or a run that is a strange path."""
        own = [self.folder, *(self.folder / name for name in ("none", "c.json", "k.npz"))]
        strange = ["/dev/zero", "/proc/version", "x" * 300, "a\ud800b", "/dev/null", "", "~", "-", *own]
        verb = chance.choice([["analyze"], ["check"], ["adapt"], ["certify"], ["train"]])
        path = str(chance.choice(strange))
        rest = {"adapt": [FAMILY], "certify": ["0.5"], "train": ["--steps", "1"]}.get(verb[0], [])
        self.command([*verb, path, *rest])

    def command(self, arguments):
        told, errors = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(told), contextlib.redirect_stderr(errors):
            status = _status(lambda: app(arguments, prog_name="benign"))
        text = errors.getvalue()
        if "Traceback" in text or status not in (0, 1, 2, 3):
            raise AssertionError(f"{arguments}: status {status}: {text[-300:]}")
        if (
            status == 1
            and not {"--epsilon", "--gap"} & set(arguments)
            and "REJECTED" not in told.getvalue()
        ):
            raise AssertionError(f"{arguments}: status 1 without an assertion")
        if status == 2 and not text:
            raise AssertionError(f"{arguments}: status 2 without a word")

    # --- arguments

    def argument(self, chance):
        value = chance.choice(VALUES)()
        call = chance.choice(CALLS)
        call(self, value)


COMMANDS = [
    ("analyze", [FAMILY], ["--eta", "--step", "--shots", "--epsilon", "--proof", "--budget", "--level",
                           "--starts", "--seed"]),
    ("certify", [FAMILY], ["--eta", "--step", "--shots", "--claim"]),
    ("certify", [FAMILY, "0.5"], ["--eta", "--step", "--shots", "--claim"]),
    ("check", ["none.json"], ["--family", "--eta", "--limit", "--shots"]),
    ("bifurcate", [FAMILY], ["--eta", "--step", "--shots"]),
    ("train", [FAMILY, "--steps", "1"], ["--eta", "--algorithm", "--lambda", "--beta", "--optimizer",
        "--batch", "--every", "--start", "--seed", "--tolerance", "--gap", "--seconds"]),
    ("adapt", ["none.json", FAMILY], ["--task", "--shots"]),
    ("recommend", [FAMILY, "--etas", "x"], ["--eta", "--variants", "--starts", "--seed", "--budget"]),
    ("examples", [], ["--to"]),
    ("reproduce", [], ["--figure"]),
]  # fmt: skip


def keyword(call, name, **fixed):
    return lambda inputs, value: call(**{**fixed, name: value})


def _calls():
    scalar = {"A": 1, "B": 1, "Q": 1, "R": 1}
    stacked = {**scalar, "A": [1, 1]}
    exact = dict.fromkeys(("A", "B", "Q", "R", "S0"), ((1,),))
    fields = ("A", "B", "Q", "R", "S0", "discount", "noise", "adaptation")
    calls = [keyword(benign.LQR, name, **scalar) for name in (*fields, "name")]
    calls += [keyword(benign.TaskFamily.stack, n, **stacked) for n in (*fields, "names", "weights")]
    calls += [keyword(benign.Plant, name, **exact) for name in exact]
    calls += [
        lambda i, v: benign.TaskFamily(v), lambda i, v: benign.TaskFamily([v]),
        lambda i, v: benign.TaskFamily([i.lqr, i.lqr], v), lambda i, v: benign.TaskFamily([i.lqr], [v]),
        lambda i, v: benign.TaskStack(v), lambda i, v: benign.TaskStack([v]),
        lambda i, v: benign.TaskStack([i.lqr], v), lambda i, v: benign.TaskFamily.from_exact(v),
        lambda i, v: benign.Task("x", v), lambda i, v: benign.Family(v, v),
        lambda i, v: benign.Problem(v, v), lambda i, v: benign.Step("gradient", v, v),
        lambda i, v: benign.Enclosure(v, v), lambda i, v: benign.GradientStep(v),
        lambda i, v: benign.GradientStep(0.1, v), lambda i, v: benign.NormalizedStep(v),
        lambda i, v: benign.MetaObjective(v, 0.1), lambda i, v: benign.MetaObjective(FAMILY, v),
        lambda i, v: i.h.value(v), lambda i, v: i.h.values(v), lambda i, v: i.h.gradient(v),
        lambda i, v: i.lqr.cost(v), lambda i, v: benign.normalize(v), lambda i, v: benign.load(v),
        lambda i, v: benign.read(v), lambda i, v: benign.check(v),
        lambda i, v: benign.check(i.certificate, limit=v),
        lambda i, v: benign.save_family(v, i.folder / "saved.toml"),
        lambda i, v: benign.certify(FAMILY, v, eta="0.05"), lambda i, v: benign.adapt(v, i.lqr),
        lambda i, v: benign.adapt(i.trained, v), lambda i, v: benign.adapt(i.trained, i.lqr, v),
    ]  # fmt: skip
    for name in ("eta", "step", "shots", "epsilon", "proof", "level", "budget", "starts", "seed",
                 "progress"):  # fmt: skip
        if name in ("eta", "shots"):
            calls.append(keyword(benign.MetaObjective, name, family=FAMILY, eta=0.1))
        else:
            calls.append(keyword(benign.analyze, name, objective=FAMILY, eta="0.05"))
    for name in ("algorithm", "step", "lam", "delta", "every", "beta", "armijo", "steps", "batch",
                 "start", "tolerance", "gap", "budget", "seed", "progress"):  # fmt: skip
        fixed = {"eta": "0.05", "steps": 0, "certified": False}
        calls.append(keyword(benign.train, name, objective=FAMILY, **fixed))
    for name in ("budget", "starts", "seed", "progress"):
        fixed = {"eta": "0.05", "starts": 1, "budget": 0}
        calls.append(keyword(benign.search, name, objective=FAMILY, **fixed))
    for name in ("eta", "etas", "variants", "shots", "budget", "starts", "seed"):
        fixed = {"etas": [], "starts": 1, "budget": 1}
        calls.append(keyword(benign.recommend, name, objective=FAMILY, **fixed))
    return calls


CALLS = _calls()

KINDS = ("family_file", "family_json", "certificate_file", "result_file", "checkpoint_file",
         "checkpoint_fields", "proof_file", "proof_fields", "manifest", "option", "place",
         "argument")  # fmt: skip


# --- running ---------------------------------------------------------------------------------


@dataclass
class Counts:
    """What came of the inputs: how many of each kind were taken and refused, and the faults."""

    taken: Counter = field(default_factory=Counter)
    refused: Counter = field(default_factory=Counter)
    faults: list = field(default_factory=list)
    slowest: float = 0.0
    megabytes: float = 0.0

    def __str__(self):
        lines = [f"{'kind':18}{'inputs':>8}{'taken':>8}{'refused':>8}{'faults':>8}"]
        for kind in KINDS:
            faults = sum(name == kind for name, _, _ in self.faults)
            taken, refused = self.taken[kind], self.refused[kind]
            lines.append(f"{kind:18}{taken + refused + faults:8}{taken:8}{refused:8}{faults:8}")
        lines.append(f"slowest {self.slowest:.1f} s, memory at most {self.megabytes:.0f} MB")
        return "\n".join([*lines, *(f"FAULT {k} {seed}: {text}" for k, seed, text in self.faults)])


def _late(*_):
    raise TimeoutError(f"more than {SLOW:g} s")


def fuzz(count, folder, seed=0, kinds=KINDS):
    """So many inputs, the kinds in turn."""
    counts = Counts()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        inputs = Inputs(folder)
        before = signal.signal(signal.SIGALRM, _late)
        where = os.getcwd()
        os.chdir(folder)
        try:
            for number in range(count):
                one(inputs, kinds[number % len(kinds)], seed + number, counts)
        finally:
            os.chdir(where)
            signal.signal(signal.SIGALRM, before)
    counts.megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    return counts


def one(inputs, kind, seed, counts):
    began = time.perf_counter()
    signal.alarm(int(SLOW))
    try:
        getattr(inputs, kind)(random.Random(seed))
        counts.taken[kind] += 1
    except BenignError as error:
        signal.alarm(0)
        fault = "\n" in str(error).strip() or len(str(error)) > 2000
        if fault:
            counts.faults.append((kind, seed, f"no sentence: {str(error)[:200]!r}"))
        else:
            counts.refused[kind] += 1
    except BaseException as error:  # every other way out is a fault
        signal.alarm(0)
        if isinstance(error, KeyboardInterrupt):
            raise
        counts.faults.append((kind, seed, f"{type(error).__name__}: {str(error)[:300]}"))
    finally:
        signal.alarm(0)
    counts.slowest = max(counts.slowest, time.perf_counter() - began)


def main():
    """Print the counts; status 1 if there was a fault."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", choices=KINDS, action="append")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        counts = fuzz(given.count, folder, given.seed, tuple(given.kind or KINDS))
    print(counts)
    sys.exit(bool(counts.faults))


if __name__ == "__main__":
    main()
