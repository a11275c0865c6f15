"""Double precision for every test, and the shapes in the annotations checked while they run."""

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
