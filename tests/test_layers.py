"""The house keeps its layers, and the light parts stay light."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import benign

SRC = Path(benign.__file__).parent


def loaded_by(statement: str) -> set[str]:
    """Top-level modules in a fresh process after a statement."""
    code = f"{statement}\nimport sys\nprint(' '.join({{m.split('.')[0] for m in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_import_linter_contracts_hold():
    tool = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run(
        [str(tool) if tool.exists() else shutil.which("lint-imports") or "lint-imports"],
        cwd=SRC.parent.parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "statement",
    [
        "import benign",
        "import benign.cli",
        "from benign import analyze, certify, check, load",
        "import benign.certificates.check",
        "import benign.paper, benign.views.plots, benign.views.report, benign.views.save",
    ],
)
def test_nothing_that_proves_or_draws_imports_jax(statement):
    assert not {"jax", "equinox", "torch"} & loaded_by(statement)


WORLD = ("exact", "balls", "certificates", "verdict", "errors", "opening", "text", "version")
"""What `benign check` may load of the library."""


def test_the_checkers_world_is_behind_the_wall():
    code = "import benign.certificates.check, sys; print('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    own = {m for m in loaded if m.startswith("benign.")}
    assert "benign.certificates.registry" in own
    assert not [m for m in own if m.split(".")[1] not in WORLD]
    assert not {"jax", "scipy", "matplotlib", "benign.floats"} & set(loaded)


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ("certificates/gains.py", "from benign.floats.intervals import Interval"),
        ("balls/lqr.py", "from benign.prove.certify import certify"),
        ("exact/surd.py", "from benign.tasks.files import load"),
        ("certificates/check.py", "import scipy.optimize"),
    ],
)
def test_a_line_that_breaks_the_wall_fails(tmp_path, place, line):
    root = SRC.parent.parent
    copy = tmp_path / "src" / "benign"
    shutil.copytree(SRC, copy, ignore=shutil.ignore_patterns("__pycache__", "*.toml", "*.json"))
    shutil.copy(root / "pyproject.toml", tmp_path)
    broken = copy / place
    broken.write_text(broken.read_text(encoding="utf-8") + f"\n{line}\n", encoding="utf-8")
    done = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path / "src")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr
    assert "The wall" in done.stdout
    assert "BROKEN" in done.stdout


def test_every_exported_name_exists_and_has_a_docstring():
    names = [name for name in benign.__all__ if name != "__version__"]
    assert {"LQR", "TaskFamily", "MetaObjective", "analyze", "certify", "check"} <= set(names)
    for name in names:
        assert getattr(benign, name).__doc__, name


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        benign.nothing_of_the_kind  # noqa: B018


def test_no_pickle_and_no_unfinished_code():
    for path in SRC.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        imported = {
            alias.name
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.Import)
            for alias in node.names
        }
        assert not imported & {"pickle", "dill", "cloudpickle"}, path
        assert "NotImplementedError" not in text, path
