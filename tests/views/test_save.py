import json
import math
import os

import pytest
from view_problems import PROBLEMS

from benign.errors import FileFormatError, OutputError
from benign.files import write_atomically
from benign.results.documents import landscape_document, read_landscape
from benign.views import save_landscape


def test_four_files_are_written_with_their_manifest_and_nothing_else(landscapes, tmp_path):
    written = save_landscape(landscapes["one task"], tmp_path / "a" / "b")
    names = ["landscape.json", "certificate.json", "landscape.png", "landscape.svg", "manifest.json"]
    assert [path.name for path in written] == names
    assert sorted(os.listdir(tmp_path / "a" / "b")) == sorted(names)
    assert json.loads(written[1].read_text()) == landscapes["one task"].certificate


@pytest.mark.parametrize("name", PROBLEMS)
def test_reading_gives_back_what_was_written(landscapes, name, tmp_path):
    landscape = landscapes[name]
    document = landscape_document(landscape)
    text = json.dumps(document, allow_nan=False)
    path = write_atomically(tmp_path / "landscape.json", text)
    back = read_landscape(path, landscape.certificate)
    assert back == landscape
    assert back.optima == landscape.optima or any(math.isnan(o.W.lo) for o in landscape.optima)


def test_infinity_is_the_string_inf(landscapes):
    document = landscape_document(landscapes["narrow and undecided"])
    assert document["epsilon"][1] == "inf"
    assert document["coverage"]["complete"] is False


def test_the_same_landscape_gives_the_same_pictures(landscapes, tmp_path):
    first = save_landscape(landscapes["one task"], tmp_path / "1")
    second = save_landscape(landscapes["one task"], tmp_path / "2")
    for a, b in zip(first, second, strict=True):
        assert a.read_bytes() == b.read_bytes()


def test_a_file_in_the_way_is_an_output_error(landscapes, tmp_path):
    (tmp_path / "taken").write_text("mine")
    for place in ("taken", "taken/below"):
        with pytest.raises(OutputError, match="another directory"):
            save_landscape(landscapes["one task"], tmp_path / place)
    assert (tmp_path / "taken").read_text() == "mine"


@pytest.mark.parametrize(
    "error", [PermissionError(13, "Permission denied"), OSError(28, "No space left on device")]
)
def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch, error):
    target = tmp_path / "result.json"
    target.write_text("old")

    def refuse(*_):
        raise error

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OutputError, match=r"result\.json.*choose another directory|may write"):
        write_atomically(target, "new")
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["result.json"]


def test_a_directory_that_cannot_be_made_is_an_output_error(landscapes, tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.mkdir", refuse)
    with pytest.raises(OutputError, match="permission denied"):
        save_landscape(landscapes["one task"], tmp_path / "new")


def test_a_missing_directory_and_a_bad_name_are_output_errors(tmp_path):
    with pytest.raises(OutputError, match="does not exist"):
        write_atomically(tmp_path / "no" / "file", "x")
    with pytest.raises(OutputError):
        write_atomically(tmp_path / "nul\0", "x")


def test_a_long_name_can_be_written(tmp_path):
    assert write_atomically(tmp_path / ("x" * 250), b"y").read_bytes() == b"y"


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"benign": "landscape", "version": 1}', '{"benign": "family", "version": 1}'],
)
def test_what_is_no_landscape_is_refused(tmp_path, text):
    path = tmp_path / "landscape.json"
    path.write_text(text)
    with pytest.raises(FileFormatError, match=r"landscape\.json"):
        read_landscape(path)


def test_a_missing_landscape_is_refused(tmp_path):
    with pytest.raises(FileFormatError, match="no such file"):
        read_landscape(tmp_path / "none.json")
