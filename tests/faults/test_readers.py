"""Files that are none: one reader for all of them, and nothing that is not validated goes on."""

import io
import os
import time
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest

import benign
from benign import archives
from benign.archives import Malformed, field, read_archive, to_bytes
from benign.errors import BenignError, CertificateError, FileFormatError, ProblemError
from benign.exact.problem import Problem, make_family, make_step
from benign.opening import read_bytes, read_json
from benign.tasks.files import bundled_path, load, loads
from benign.training import checkpoint
from benign.training.result import read_training
from benign.training.train import train

READERS = {
    "family": (benign.load, FileFormatError),
    "certificate": (benign.check, CertificateError),
    "result": (benign.read, FileFormatError),
    "run": (read_training, FileFormatError),
    "checkpoint": (lambda path: checkpoint.read_checkpoint(path, ""), FileFormatError),
    "archive": (lambda path: read_archive(path, "x", 1, "cure"), FileFormatError),
}


def strange(folder):
    """Paths at which nothing can be read."""
    os.mkfifo(folder / "pipe.toml")
    (folder / "loop.toml").symlink_to("loop.toml")
    (folder / "latin.toml").write_bytes(b'benign = 1\ntitle = "\xe9"\n')
    (folder / "zero.toml").symlink_to("/dev/zero")
    (folder / "version.toml").symlink_to("/proc/version")
    (folder / "directory.toml").mkdir()
    names = ["pipe", "loop", "latin", "zero", "version", "directory", "none", "x" * 300, "nul\0"]
    return [folder / f"{name}.toml" for name in names]


@pytest.mark.parametrize("reader", READERS)
def test_what_is_no_file_is_refused_at_once_in_a_sentence(reader, tmp_path):
    read, kind = READERS[reader]
    for path in strange(tmp_path):
        began = time.perf_counter()
        with pytest.raises(kind) as caught:
            read(path)
        assert time.perf_counter() - began < 2, path
        assert len(str(caught.value)) < 400
        assert "\n" not in str(caught.value)


def test_no_more_is_read_than_may_be(tmp_path):
    (tmp_path / "large").write_bytes(b"x" * 1001)
    with pytest.raises(FileFormatError, match="is it the right file"):
        read_bytes(tmp_path / "large", 1000, "a test")
    for text in ("[" * 100_000, '{"a": 1, "a": 2}', '{"a": NaN}', "[1]"):
        (tmp_path / "x.json").write_text(text)
        with pytest.raises(FileFormatError):
            read_json(tmp_path / "x.json", 10**6, "a test")


LONG = {
    "inline": "x = {y = 1, " + ".".join("a" * 150_000) + " = 1}",
    "quoted": "x = {" + ".".join(['"a"'] * 75_000) + " = 1}",
    "spaced": "x = [{" + " . ".join("a" * 75_000) + " = 1}]",
    "top": ".".join("a" * 150_000) + " = 1",
    "header": "[" + ".".join("a" * 150_000) + "]",
    "lists": "x = [" + "1," * 2_000_000 + "]",
    "tables": "[[x]]\n" * 250_000,
    "deep": "x = " + "[" * 100_000,
}


@pytest.mark.parametrize("name", LONG)
def test_a_family_file_is_refused_in_bounded_time(name):
    began = time.perf_counter()
    with pytest.raises(FileFormatError):
        loads(LONG[name])
    assert time.perf_counter() - began < 10


def test_dots_in_texts_and_numbers_are_no_keys():
    dots = ".".join("a" * 30)
    text = f'benign = 1 # {dots}\ntitle = "{dots}"\nnotes = """{dots}\n{dots} = 1"""\n'
    assert loads(text + "[[tasks]]\nA = 1.0\nB = 1\nQ = 1\nR = 1\n").title == dots


# --- archives --------------------------------------------------------------------------------

ABOUT = {"benign": "x", "version": 1}


def nan(x):
    return np.full_like(x, np.nan)


def test_a_bomb_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MAX_BYTES", 10_000_000)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("header.npy", b"\0" * 100_000_000)
    (tmp_path / "bomb").write_bytes(buffer.getvalue())
    assert (tmp_path / "bomb").stat().st_size < 200_000
    with pytest.raises(FileFormatError, match="unpack to more"):
        read_archive(tmp_path / "bomb", "x", 1, "cure")


def test_an_array_that_says_it_is_huge_is_not_made(tmp_path):
    data = io.BytesIO()
    shape = {"descr": "<f8", "fortran_order": False, "shape": (10**12,)}
    np.lib.format.write_array_header_1_0(data, shape)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("header.npy", data.getvalue() + b"\0" * 8)
    (tmp_path / "huge").write_bytes(buffer.getvalue())
    with pytest.raises(FileFormatError, match="another size than it says"):
        read_archive(tmp_path / "huge", "x", 1, "cure")


def test_swapped_and_altered_arrays_break_the_digest(tmp_path):
    path, arrays = tmp_path / "a", {"y": np.arange(3.0), "r": np.ones(3)}
    path.write_bytes(to_bytes(ABOUT, arrays))
    assert read_archive(path, "x", 1, "cure")[0] == ABOUT
    with np.load(path) as data:
        kept = dict(data)
    for change in ({"y": kept["r"], "r": kept["y"]}, {"y": kept["y"].reshape(3, 1)}, {"z": kept["y"]},
                   {"y": kept["y"].astype(np.float32)}, {"y": np.array([0, 1, np.nan])}):  # fmt: skip
        with path.open("wb") as file:
            np.savez(file, **{**kept, **change})
        with pytest.raises(FileFormatError, match="altered or damaged"):
            read_archive(path, "x", 1, "cure")
    with path.open("wb") as file:
        np.savez(file, header=np.empty(1, object))
    with pytest.raises(FileFormatError):
        read_archive(path, "x", 1, "cure")


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros(3, np.float32), "type"),
        (np.zeros((3, 1)), "shape"),
        (np.array([0, np.nan, 0]), "outside"),
        (np.array([0, 2.0, 0]), "outside"),
    ],
)
def test_a_field_is_checked(array, words):
    with pytest.raises(Malformed, match=words):
        field({"x": array}, "x", float, (3,), low=-1, high=1)
    with pytest.raises(Malformed, match="missing"):
        field({}, "x", float, (3,))


# --- checkpoints -----------------------------------------------------------------------------


def altered(snapshot, name, change):
    """The snapshot with one of its leaves, or its rows, changed."""
    leaves = [np.array(leaf) for leaf in snapshot.leaves]
    rows = change(snapshot.rows) if name == "rows" else snapshot.rows
    if name != "rows":
        leaves[name] = change(leaves[name])
    return SimpleNamespace(leaves=tuple(leaves), rows=rows)


ALTERED = {
    "W is NaN": (0, nan),
    "directions are infinite": (1, lambda x: np.full_like(x, np.inf)),
    "values are NaN": (2, nan),
    "weights are negative": (5, lambda x: -x),
    "the length is zero": (6, np.zeros_like),
    "the step is negative": (7, lambda x: x * 0 - 5),
    "the step is another": (7, lambda x: x + 1),
    "backtracks are negative": (8, lambda x: x * 0 - 1),
    "the reason is none": (10, lambda x: x * 0 + 77),
    "a leaf has another shape": (0, lambda x: x[None]),
    "a leaf has another type": (0, lambda x: x.astype(np.float32)),
    "the trace is short": ("rows", lambda x: x[:, :-1]),
    "the trace is NaN": ("rows", nan),
    "the trace has other rows": ("rows", lambda x: x[:3]),
}


@pytest.fixture(scope="module")
def trained():
    return train("paper-figure-3b", eta="0.05", beta=0.01, steps=10, certified=False)


@pytest.mark.parametrize("name", ALTERED)
def test_a_checkpoint_that_is_no_moment_of_the_run_is_refused(name, trained, tmp_path):
    """Its digest is right each time: whoever altered it sealed it again."""
    path = tmp_path / "checkpoint.npz"
    settings = {"eta": "0.05", "beta": 0.01, "steps": 10, "certified": False, "checkpoint": path}
    checkpoint.write_checkpoint(path, trained.snapshot, trained.digest)
    assert train("paper-figure-3b", **settings, resume=True).steps == 10
    snapshot = altered(trained.snapshot, *ALTERED[name])
    checkpoint.write_checkpoint(path, snapshot, trained.digest)
    with pytest.raises((FileFormatError, ProblemError), match="resum"):
        train("paper-figure-3b", **settings, resume=True)


def test_a_file_that_is_no_checkpoint_is_not_replaced_by_one(tmp_path):
    path = tmp_path / "checkpoint.npz"
    path.write_text("mine")
    with pytest.raises(BenignError, match="no checkpoint"):
        train("paper-figure-3b", eta="0.05", steps=1, checkpoint=path)
    assert path.read_text() == "mine"


# --- unfinished proofs -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def unfinished(tmp_path_factory):
    """A problem, and the header and arrays of a proof about it that was ended after some boxes."""
    from benign.prove.boxes import below, state

    path = tmp_path_factory.mktemp("proof") / "proof.npz"
    family = load(bundled_path("four-masses")).family
    problem = Problem(make_family(family.tasks[:1]), make_step("gradient", "0.01"))

    def progress(done, waiting, found):
        if done > 400 and waiting:
            raise KeyboardInterrupt

    found = below.prove(problem, checkpoint=path, progress=progress)
    assert found.left > 0
    return problem, *read_archive(path, state.KIND, state.VERSION, "")


def letters(tags, wanted):
    return np.flatnonzero(np.isin(tags, np.frombuffer(wanted.encode(), np.uint8)))


def put(name, where, value):
    def change(arrays):
        array = arrays[name].copy()
        array[where] = value
        return {**arrays, name: array}

    return change


def without_a_box(arrays):
    cut = {"y": arrays["y"][:, 1:], "r": arrays["r"][:, 1:]}
    return {**arrays, **cut, "node": arrays["node"][1:], "bound": arrays["bound"][1:]}


STATES = {
    "y and r are swapped": lambda a: {**a, "y": a["r"], "r": a["y"]},
    "y is NaN": lambda a: {**a, "y": nan(a["y"])},
    "a box lies elsewhere": put("y", (0, 0), 0.123),
    "a bound is NaN": put("bound", 0, np.nan),
    "a bound is above the level": put("bound", 0, 1e300),
    "a box that waits is missing": without_a_box,
    "a node waits twice": lambda a: {**a, "node": a["node"] * 0 + a["node"][0]},
    "the tree is short": lambda a: {**a, "tags": a["tags"][:-1], "first": a["first"][:-1]},
    "the root is no box": put("first", 0, 0),
    "a letter is none": lambda a: put("tags", letters(a["tags"], "uorlgsn")[0], ord("x"))(a),
    "boxes that wait have a letter": lambda a: {
        **a, "tags": np.where(a["tags"] == ord(" "), ord("g"), a["tags"]).astype(np.uint8),
        "y": a["y"][:, :0], "r": a["r"][:, :0], "node": a["node"][:0], "bound": a["bound"][:0],
    },
    "letters have another type": lambda a: {**a, "tags": a["tags"].astype(np.int64)},
    "a minimiser lies elsewhere": lambda a: {**a, "points": a["points"] + 0.3},
    "a minimiser is none": lambda a: {**a, "centres": a["centres"] * 0 + 0.9},
    "a minimiser has no centre": lambda a: {**a, "centres": a["centres"][:0]},
    "boxes are around no minimiser": lambda a: {**a, "around": np.array([[0, 0]])},
    "an array is missing": lambda a: {k: v for k, v in a.items() if k != "bound"},
}  # fmt: skip


@pytest.mark.parametrize("name", STATES)
def test_a_state_that_is_no_moment_of_the_proof_is_refused(name, unfinished, tmp_path):
    """Its digest is right each time: whoever altered it sealed it again."""
    from benign.prove.boxes import below

    problem, head, arrays = unfinished
    path = tmp_path / "proof.npz"
    path.write_bytes(to_bytes(head, STATES[name](arrays)))
    with pytest.raises(FileFormatError, match="begin anew"):
        below.prove(problem, budget=0.0, checkpoint=path)


def test_a_state_goes_on_with_its_own_level_and_says_so_of_another(unfinished, tmp_path):
    from benign.prove.boxes import below

    problem, head, arrays = unfinished
    path = tmp_path / "proof.npz"
    path.write_bytes(to_bytes(head, arrays))
    found = below.prove(problem, budget=0.0, checkpoint=path)
    assert found.left == len(arrays["node"])
    with pytest.raises(FileFormatError, match="leave it"):
        below.prove(problem, budget=0.0, checkpoint=path, level=2 * found.asked)
    other = Problem(problem.family, make_step("gradient", "0.02"))
    with pytest.raises(FileFormatError, match="another problem"):
        below.prove(other, budget=0.0, checkpoint=path)
