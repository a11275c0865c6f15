"""The methods of `LQR` and `MetaObjective` under the transformations of JAX, and SciPy's vectors."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
from jax import lax

import benign

OF_ONE = ("cost", "gradient", "hessian", "hessian_product", "status", "optimum")
OF_ALL = (
    "value", "gradient", "hessian", "hessian_product", "task_values", "adapted", "feasible", "values",
    "value_and_gradient",
)  # fmt: skip


def tasks(n):
    A = np.array([[0.9, 0.1], [0.0, 0.7]])[:n, :n]
    return [benign.LQR(s * A, np.ones((n, 1)), np.eye(n), 1.0) for s in (0.8, 1.0)]


CAR = {n: tasks(n)[1] for n in (1, 2)}
H = {n: benign.MetaObjective(tasks(n), eta=0.02) for n in (1, 2)}
W = {n: np.array([[0.3, 0.1]])[:, :n] for n in (1, 2)}


def method(n, name, which):
    """A method as a function of one gain, (1, n)."""
    found = getattr({"car": CAR, "h": H}[which][n], name)
    if name == "hessian_product":
        return lambda W: found(W, jnp.ones_like(W))
    if name in ("values", "value_and_gradient"):
        return lambda W: found(W[None])
    return (lambda _: found()) if name == "optimum" else found


def same(found, expected):
    a, b = jax.tree.leaves(found), jax.tree.leaves(expected)
    assert len(a) == len(b)
    for x, y in zip(a, b, strict=True):
        np.testing.assert_allclose(np.asarray(x), np.asarray(y), rtol=1e-11, atol=1e-11)


CASES = [(n, name, "car") for n in W for name in OF_ONE] + [
    (n, name, "h") for n in W for name in OF_ALL
]


CASES.remove((2, "hessian", "h"))  # a third of all compiling; `trust-exact` below asks for it


@pytest.mark.parametrize(("n", "name", "which"), CASES)
def test_jit_vmap_and_scan_do_not_change_it(n, name, which):
    function, gain = method(n, name, which), jnp.asarray(W[n])

    @jax.jit
    def crossed(batch):
        return lax.scan(lambda carry, some: (carry, jax.vmap(function)(some)), 0, batch[None])[1]

    found = crossed(jnp.stack([gain, gain]))  # one program: compiling is what takes the time
    same(found, jax.tree.map(lambda x: np.stack([x, x])[None], function(gain)))


@pytest.mark.parametrize(("name", "which"), [("cost", "car"), ("value", "h")])
def test_derivatives_by_jax_are_the_methods(name, which):
    at, owner = W[1], {"car": CAR, "h": H}[which][1]
    function = getattr(owner, name)
    same(jax.grad(function)(at), owner.gradient(at))
    same(jax.value_and_grad(function)(at)[0], function(at))
    same(jax.jit(jax.hessian(function))(at), owner.hessian(at))
    same(
        jax.jvp(owner.gradient, (at,), (np.ones_like(at),))[1],
        owner.hessian_product(at, np.ones_like(at)),
    )


@pytest.mark.parametrize("name", OF_ALL[:3])
def test_a_bound_method_goes_into_jit_as_it_is(name):
    for found in (getattr(H[1], name), getattr(CAR[1], name.replace("value", "cost"))):
        same(jax.jit(found)(0.3), found(0.3))
        same(jax.jit(found)(W[1]), found(W[1]))


def test_derivatives_in_the_numbers_of_a_task():
    def value(A):
        return benign.MetaObjective([benign.LQR(A, 1.0, 1.0, 1.0)], eta=0.02).value(0.3)

    slope = (value(0.9 + 1e-6) - value(0.9 - 1e-6)) / 2e-6
    assert float(jax.jit(jax.grad(value))(0.9)) == pytest.approx(float(slope), rel=1e-7)
    h = H[1]
    assert jax.jit(lambda h: h.values(jnp.ones(3)))(h).shape == (3,)


@pytest.mark.parametrize("n", W)
def test_a_vector_is_a_gain(n):
    flat = W[n].ravel()
    for owner in (CAR[n], H[n]):
        assert owner.gradient(flat).shape == owner.hessian_product(flat, flat).shape == (n,)
        same(owner.gradient(flat), np.ravel(owner.gradient(W[n])))
        same(owner.hessian(flat), np.reshape(owner.hessian(W[n]), (n, n)))
    assert H[n].adapted(flat).shape == (2, n)
    same(H[n].value(flat), H[n].value(W[n]))
    with pytest.raises(benign.ProblemError, match=rf"a gain of shape \(1, {n}\) or \({n},\)"):
        H[n].value(np.zeros(3))


@pytest.mark.parametrize("method", ["BFGS", "L-BFGS-B", "trust-exact"])
def test_scipy_minimises_it(method):
    h = H[2]
    second = {"hess": h.hessian} if method == "trust-exact" else {}
    found = scipy.optimize.minimize(h.value, np.zeros(2), jac=h.gradient, method=method, **second)
    assert np.linalg.norm(h.gradient(found.x)) < 1e-4
    assert float(found.fun) == pytest.approx(float(h.value(found.x.reshape(1, 2))), rel=1e-14)
