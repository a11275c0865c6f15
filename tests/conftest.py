"""Double precision for every test, and the shapes in the annotations checked while they run."""

from pathlib import Path

import jax
import pytest
from jaxtyping import install_import_hook

jax.config.update("jax_enable_x64", True)

CHECKED = ["benign.linalg", "benign.tasks.lqr", "benign.tasks.family", "benign.meta"]
install_import_hook(CHECKED, "beartype.beartype")


@pytest.fixture
def single_precision():
    """JAX as it comes out of the box, for one test."""
    jax.config.update("jax_enable_x64", False)
    yield
    jax.config.update("jax_enable_x64", True)


LISTED = Path(__file__).with_name("slow.txt")


def pytest_collection_modifyitems(config, items):
    """Mark what `slow.txt` lists; a line that names no test any more is an error of a whole run."""
    listed = {line for line in LISTED.read_text().splitlines() if line and not line.startswith("#")}
    for item in items:
        if item.nodeid in listed:
            item.add_marker("slow")
    strangers = sorted(listed - {item.nodeid for item in items})
    if strangers and config.args == config.getini("testpaths"):
        raise pytest.UsageError(f"tests/slow.txt lists tests that are not there: {strangers}")
