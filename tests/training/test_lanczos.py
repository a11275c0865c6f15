"""The Lanczos iteration against dense eigenvalues: clusters, ends, single precision, early stops."""

import numpy as np
import pytest

from benign.errors import ProblemError
from benign.training.lanczos import (
    VECTORS,
    Counted,
    Estimate,
    extreme,
    first_vector,
    smallest_jacobian,
)

SPECTRA = {
    "spread": np.linspace(-3.0, 5.0, 60),
    "negative end": np.linspace(-7.0, 5.0, 60),
    "low rank": np.r_[np.zeros(195), 1.0, 2.0, 5.0, 5.0, 9.0],
    "double ends": np.r_[-4.0, -4.0, np.linspace(-1, 1, 80), 6.0, 6.0],
    "few": np.array([-1.0, 0.5, 2.0]),
    "one value": np.full(40, 2.5),
}


def symmetric(values, seed=0):
    Q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(len(values), len(values))))
    return (Q * values) @ Q.T


def wanted(values, which):
    return {"SA": values.min(), "LA": values.max(), "LM": values[np.abs(values).argmax()]}[which]


@pytest.mark.parametrize("which", ["LM", "LA", "SA"])
@pytest.mark.parametrize("name", SPECTRA)
def test_the_ends_of_a_known_spectrum(name, which):
    values = SPECTRA[name]
    H = symmetric(values)
    found = extreme(lambda v: H @ v, first_vector(len(H), float, 1), which, 1e-9)
    scale = np.abs(values).max()
    assert found.value == pytest.approx(wanted(values, which), abs=1e-8 * scale)
    assert found.residual < 1e-7 * scale


@pytest.mark.parametrize("restarts", [0, 1, 3])
def test_a_residual_is_honest_also_when_the_iteration_is_stopped_early(restarts):
    values = np.linspace(0.0, 1.0, 300) ** 3
    H = symmetric(values)
    product = Counted(lambda v: H @ v)
    found = extreme(product, first_vector(300, float, 2), "SA", 1e-12, restarts)
    assert found.residual > 1e-9
    assert np.abs(values - found.value).min() <= found.residual
    assert product.count <= VECTORS * (restarts + 1) + 1


def test_single_precision_keeps_its_vectors_orthogonal():
    values = np.r_[np.linspace(0, 1, 400), 50.0]
    H = symmetric(values).astype(np.float32)
    begin = first_vector(401, np.float32, 0)
    assert begin.dtype == np.float32
    found = extreme(lambda v: H @ v, begin, "LA", 1e-5)
    assert found.value == pytest.approx(50.0, rel=1e-5)
    assert found.residual < 1e-3


@pytest.mark.parametrize("eta", [0.1, 0.9])
def test_the_jacobian_inside_and_outside_of_the_spectrum(eta):
    values = np.r_[np.linspace(-1.0, 0.5, 20), 1.05, 2.0, 3.0, 4.0]
    H = symmetric(values)
    begin = first_vector(len(H), float, 3)
    adaptation = extreme(lambda v: H @ v, begin, "LM", 1e-10)
    found = smallest_jacobian(lambda v: H @ v, adaptation, eta, begin, 1e-10)
    J = 1 - eta * values
    assert found.value == pytest.approx(J[np.abs(J).argmin()], abs=1e-7)


def test_where_everything_is_negative_the_jacobian_needs_the_other_end():
    values = -np.linspace(1.0, 9.0, 30)
    H = symmetric(values)
    begin = first_vector(30, float, 4)
    found = smallest_jacobian(lambda v: H @ v, Estimate(-9.0, 0.0), 0.1, begin, 1e-10)
    assert found.value == pytest.approx(1.1, rel=1e-8)


def test_a_product_that_is_not_finite_is_refused():
    with pytest.raises(ProblemError, match="finite"):
        extreme(lambda v: np.full_like(v, np.nan), first_vector(20, float, 0), "LM", 1e-6)
