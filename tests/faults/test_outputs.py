"""Where results go wrong: a full disk, places that are none, another problem's files, two writers.

In every case the verdict is on the screen or nothing was computed; what was there is there still.
"""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from processes import a_place, run

import benign
from benign.errors import OutputError
from benign.files import require_directory, require_file, write_atomically, write_own
from benign.folders import FILES, MANIFEST, About, claimed, clear, require_place, save_all
from benign.results.documents import about_landscape

VERDICT = "REFUTED: not every local minimum"
ANALYZE = ("analyze", "paper-figure-3b", "--eta", "0.05")
A, B = About("landscape", "a", "problem a"), About("landscape", "b", "problem b")


# --- before any work -------------------------------------------------------------------------


def places(folder):
    """Names of places that no result can go to, with a word of what is said."""
    (folder / "file").write_text("mine")
    os.mkfifo(folder / "pipe")
    (folder / "loop").symlink_to("loop")
    (folder / "nowhere").symlink_to("not-there")
    return {
        "file": "a file of that name is in the way",
        "file/below": "a part of this path is a file",
        "pipe": "a pipe of that name is in the way",
        "loop": "symbolic links",
        "nowhere": "leads nowhere",
        "x" * 300: "more than 255 bytes",
        "nul\0": "null",
    }


def test_places_that_are_none_are_refused_and_nothing_is_made(tmp_path):
    words = places(tmp_path)
    before = sorted(os.listdir(tmp_path))
    for name, said in words.items():
        with pytest.raises(OutputError, match=said):
            require_directory(tmp_path / name)
    for call in (require_directory, require_file):
        with pytest.raises(OutputError, match="a device of that name"):
            call("/dev/null")
    require_directory(tmp_path / "new" / "deep")
    assert sorted(os.listdir(tmp_path)) == before
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


@pytest.mark.parametrize("call", [
    lambda out: benign.analyze("four-masses", eta="0.01", out=out),
    lambda out: benign.search("four-masses", eta="0.01", out=out),
    lambda out: benign.certify("paper-figure-3b", 0.3, eta="0.05", out=out),
    lambda out: benign.bifurcate("paper-figure-3b", ["0.05", "0.1"], out=out),
    lambda out: benign.recommend("four-masses", out=out),
    lambda out: benign.train("four-masses", eta="0.01", out=out),
])  # fmt: skip
def test_every_verb_looks_at_its_place_before_it_works(call, tmp_path, monkeypatch):
    def work(*_, **__):
        raise AssertionError("it began to work")

    for name in ("benign.searches.search._searched", "benign.verbs.analyze._analyzed",
                 "benign.verbs.certify.proved", "benign.sweeps.recommend._recommended",
                 "benign.sweeps.bifurcate.analyze", "benign.meta.train.Course.run"):  # fmt: skip
        module, _, attribute = name.rpartition(".")
        if module == "benign.meta.train.Course":
            from benign.meta.train import Course as owner
        else:
            owner = __import__(module, fromlist=[attribute])
        monkeypatch.setattr(owner, attribute, work)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError, match="in the way"):
        call(tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"
    for names in FILES.values():
        (tmp_path / names[0]).write_text("mine")
    (tmp_path / "certificate.json").write_text("mine")
    with pytest.raises(OutputError, match="a file of that name is there, and not one of these results"):
        call(tmp_path)


@pytest.mark.parametrize("call", [
    lambda out: benign.analyze("paper-figure-3b", eta="0.05", out=out),
    lambda out: benign.bifurcate("paper-figure-3b", ["0.05", "0.1"], out=out),
    lambda out: benign.recommend("cruise-control", etas=["0.05"], variants=["gradient"], out=out),
    lambda out: benign.train("cruise-control", eta="0.05", steps=3, out=out),
    lambda out: benign.radius("paper-figure-3a", "0.01", eta="0.05", out=out),
])  # fmt: skip
def test_the_names_that_are_looked_for_are_those_that_are_written(call, tmp_path):
    call(tmp_path)
    manifest = json.loads((tmp_path / MANIFEST).read_text())
    own = {"checkpoint.npz"}  # training writes it itself, and looks at it by itself
    searched = {"certificate-points.json"}  # of points that a search met
    assert set(manifest["files"]) - own == set(FILES[manifest["what"]]) - searched


def test_the_place_is_looked_at_before_anything_is_proved():
    with a_place() as folder:
        (folder / "file").write_text("mine")
        status, told, errors = run(*ANALYZE, "--out", "file", cwd=folder)
        assert (status, told) == (2, "")
        assert "a file of that name is in the way" in errors
        assert len(errors.splitlines()) == 1


def test_a_directory_that_is_read_only():
    with a_place() as folder:
        locked = folder / "locked"
        locked.mkdir()
        locked.chmod(0o555)
        status, told, errors = run(*ANALYZE, "--out", "locked/out", cwd=folder)
        assert (status, told) == (2, "")
        assert "permission denied" in errors
        assert os.listdir(locked) == []


# --- a disk that is full ---------------------------------------------------------------------


def test_a_full_disk_loses_no_result():
    """Files of more than 10 kB cannot be written: neither there nor where spare files go."""
    with a_place() as folder:
        status, told, errors = run(*ANALYZE, "--out", "out", cwd=folder, largest_file=10_000)
        assert status == 2
        assert VERDICT in told
        assert "landscape.png: cannot be written" in errors
        assert "makes all of it again" in errors
        assert "Traceback" not in errors
        # What is small is there, whole, and listed.
        written = sorted(os.listdir(folder / "out"))
        assert written == ["certificate-start.json", "certificate.json", "landscape.json", MANIFEST]
        assert benign.check(folder / "out" / "certificate.json")
        for name in written[:3]:
            assert name in told
        assert json.loads((folder / "out" / MANIFEST).read_text())["complete"] is False


@pytest.mark.skipif(os.geteuid() != 0, reason="to mount a small disk one has to be root")
def test_a_result_that_does_not_fit_is_saved_elsewhere():
    with a_place() as folder:
        small = folder / "small"
        small.mkdir()
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=32k,mode=777", "none", str(small)],
            capture_output=True, check=False,
        )  # fmt: skip
        if mounted.returncode:
            pytest.skip("no small disk can be mounted here")
        try:
            status, told, errors = run(*ANALYZE, "--out", "small/out", cwd=folder)
        finally:
            subprocess.run(["umount", str(small)], check=True)
        assert status == 2
        assert VERDICT in told
        assert "no space left" in errors
        spare = Path(errors.split("all of the result is in ")[1].split(" instead")[0])
        assert spare.parent == folder
        assert {"landscape.json", "certificate.json", "landscape.png"} <= set(os.listdir(spare))
        assert benign.check(spare / "certificate.json")


def test_a_full_disk_behind_stdout_keeps_the_files():
    with a_place() as folder, open("/dev/full", "wb") as full:
        status, _, errors = run(*ANALYZE, "--out", "out", cwd=folder, stdout=full)
        assert status == 2
        assert "standard output cannot be written (no space left on device)" in errors
        assert benign.check(folder / "out" / "certificate.json")


def test_a_reader_that_goes_away_ends_it_quietly_with_all_saved():
    with a_place() as folder:
        reader, writer = os.pipe()
        os.close(reader)
        with os.fdopen(writer, "wb") as pipe:
            status, _, errors = run(*ANALYZE, "--out", "out", cwd=folder, stdout=pipe)
        assert (status, errors) == (0, "")
        certificates = {"certificate.json", "certificate-start.json"}
        names = {*certificates, "landscape.json", "landscape.png", "landscape.svg", MANIFEST}
        assert set(os.listdir(folder / "out")) == names


# --- whose files -----------------------------------------------------------------------------


def test_another_problem_is_refused_and_the_same_one_replaces_its_files(tmp_path):
    save_all(tmp_path, A, {"x.json": "1", "certificate-2.json": "old"})
    with pytest.raises(OutputError, match=r"another problem \(landscape: problem a\).*x\.json"):
        save_all(tmp_path, B, {"x.json": "2"})
    with pytest.raises(OutputError, match="another problem"):
        require_place(tmp_path, B)
    assert (tmp_path / "x.json").read_text() == "1"
    save_all(tmp_path, A, {"x.json": "3"})
    assert sorted(os.listdir(tmp_path)) == [MANIFEST, "x.json"]  # nothing stale
    (tmp_path / "mine").write_text("")
    clear(tmp_path)
    assert os.listdir(tmp_path) == ["mine"]


def test_a_certificate_of_another_result_never_lies_beside_a_new_one(tmp_path):
    landscape = benign.analyze("paper-figure-3b", eta="0.05", out=tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(OutputError, match="another problem"):
        benign.analyze("paper-figure-3b", eta="0.1", out=tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    # The same problem, this time without a proof: what proved the old result goes.
    save_all(tmp_path, about_landscape(landscape.problem), {"landscape.json": "{}"})
    assert not (tmp_path / "certificate.json").exists()


def test_a_file_that_is_not_ours_is_never_replaced(tmp_path):
    (tmp_path / "landscape.json").write_text("mine")
    with pytest.raises(OutputError, match="not one of these results"):
        benign.analyze("paper-figure-3b", eta="0.05", out=tmp_path)
    with pytest.raises(OutputError, match="a file of that name is there"):
        benign.save_family("paper-figure-3b", tmp_path / "landscape.json")
    assert os.listdir(tmp_path) == ["landscape.json"]
    own = benign.save_family("paper-figure-3b", tmp_path / "g.toml")
    before = own.read_text() + "# what I found out about these plants"
    own.write_text(before)
    with pytest.raises(OutputError, match="a file of that name is there"):
        benign.save_family("paper-figure-3b", own)
    with pytest.raises(OutputError, match="a file of that name is there, and no certificate"):
        write_own(own, "{}", "certificate")
    assert own.read_text() == before
    benign.save_family("paper-figure-3b", own, replace=True)
    assert "found out" not in own.read_text()
    for _ in range(2):
        write_own(tmp_path / "c.json", '{\n "benign": "certificate"}', "certificate")
    (tmp_path / "link").symlink_to("g.toml")
    with pytest.raises(OutputError, match="this is a link"):
        write_atomically(tmp_path / "link", "x")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"benign": "results", "files": {"../x": ""}}'])
def test_a_manifest_that_is_none_removes_nothing(tmp_path, text):
    (tmp_path / "x").write_text("mine")
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / MANIFEST).write_text(text)
    for call in (lambda: clear(folder), lambda: save_all(folder, A, {"y": ""})):
        with pytest.raises(OutputError, match=MANIFEST):
            call()
    assert (tmp_path / "x").read_text() == "mine"


# --- two writers -----------------------------------------------------------------------------

HOLD = """
import sys
from benign.folders import claimed
with claimed(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_two_writers_do_not_mix(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "out")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout.readline() == "held\n"
    with pytest.raises(OutputError, match="another process is writing"), claimed(tmp_path / "out"):
        pass
    process.communicate("")
    assert not (tmp_path / "out").exists()  # nothing came of it
    with claimed(tmp_path / "out", A) as folder:
        save_all(folder, A, {"x": "1"})
    assert (tmp_path / "out" / "x").read_text() == "1"
