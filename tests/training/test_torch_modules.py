"""The post-factum report of a PyTorch module: a network trained by TorchOpt's MAML; JAX beside it."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import benign
from benign.errors import ProblemError
from benign.tasks.supervised import sinusoids, squared_error

torch = pytest.importorskip("torch", reason="PyTorch is not installed; pip install benign[torch]")

ETA = 0.02

torch.set_num_threads(1)  # the tensors here are tiny, and threads that wait for one another are slow


def seen(x):
    return torch.from_numpy(np.array(x))


def to_jax(net):
    """The layers of a Sequential of Linear and Tanh as `benign.tasks.supervised` writes them."""
    linear = [layer for layer in net if isinstance(layer, torch.nn.Linear)]
    return [
        {
            "weight": jnp.asarray(l.weight.detach().numpy().T),
            "bias": jnp.asarray(l.bias.detach().numpy()),
        }
        for l in linear
    ]


def fresh(*widths):
    torch.manual_seed(0)
    layers = []
    for i, o in zip(widths, widths[1:], strict=False):
        layers += [torch.nn.Linear(i, o, dtype=torch.float64), torch.nn.Tanh()]
    return torch.nn.Sequential(*layers[:-1])


def loss_on(data):
    x, y = map(seen, data)
    return lambda net: ((net(x) - y) ** 2).sum(-1).mean()


@pytest.fixture(scope="module")
def trained():
    """A network after 150 meta-steps of TorchOpt's MAML on sinusoids, and the tasks."""
    with warnings.catch_warnings():
        # What a foreign library warns of while it is imported is not ours to fix.
        warnings.simplefilter("ignore")
        torchopt = pytest.importorskip("torchopt", reason="TorchOpt is not installed (extra bench)")
    tasks = sinusoids(jax.random.key(1), 20)
    losses = [(loss_on(task.f.data), loss_on(task.g.data)) for task in tasks]
    net = fresh(1, 16, 16, 1)
    inner = torchopt.MetaSGD(net, lr=ETA)
    outer = torch.optim.Adam(net.parameters(), lr=5e-3)
    costs = []
    for step in range(150):
        outer.zero_grad()
        start = torchopt.extract_state_dict(net, by="reference")
        memory = torchopt.extract_state_dict(inner, by="reference")
        total = 0.0
        for k in range(4):
            f, g = losses[(4 * step + k) % len(losses)]
            inner.step(g(net))
            total = total + f(net) / 4
            torchopt.recover_state_dict(net, start)
            torchopt.recover_state_dict(inner, memory)
        total.backward()
        outer.step()
        costs.append(float(total.detach()))
    assert np.mean(costs[-20:]) < 0.8 * np.mean(costs[:20])
    return net, tasks


def test_a_network_of_another_library_gets_its_report_in_one_call(trained):
    net, tasks = trained
    before = [p.detach().clone() for p in net.parameters()]
    f, g = loss_on(tasks[0].f.data), loss_on(tasks[0].g.data)
    report = benign.postfactum(net, f, g, ETA, tolerance=1e-10)
    assert report.parameters == sum(p.numel() for p in net.parameters())
    assert report.products > 0
    assert str(report).startswith("observed")
    for p, old in zip(net.parameters(), before, strict=True):
        assert torch.equal(p, old)
        assert p.requires_grad


def test_it_is_what_jax_says_of_the_same_network(trained):
    """Two routes: torch.autograd and JAX, on the same numbers and data."""
    net, tasks = trained
    task = tasks[3]
    W = to_jax(net)
    other = benign.postfactum(
        W, lambda W: squared_error(W, task.f.data), lambda W: squared_error(W, task.g.data), ETA,
        tolerance=1e-10,
    )  # fmt: skip
    found = benign.postfactum(net, loss_on(task.f.data), loss_on(task.g.data), ETA, tolerance=1e-10)
    assert found.value == pytest.approx(other.value, rel=1e-12)
    assert found.gradient_norm == pytest.approx(other.gradient_norm, rel=1e-9)
    for name in ("adaptation", "curvature", "jacobian"):
        mine, theirs = getattr(found, name), getattr(other, name)
        assert mine.value == pytest.approx(theirs.value, rel=1e-6, abs=1e-9), name
        assert mine.residual < 1e-6 * max(1.0, abs(found.adaptation.value))
    assert found.meets_theorem_2 == other.meets_theorem_2


@pytest.mark.parametrize("eta", [0.02, 0.6])
def test_the_eigenvalues_are_those_of_the_dense_matrices(eta):
    net = fresh(2, 5, 1)
    rng = np.random.default_rng(0)
    data = rng.normal(size=(20, 2)), rng.normal(size=(20, 1))
    f, g = loss_on(data), loss_on(tuple(part[:7] for part in data))
    names = [name for name, _ in net.named_parameters()]
    shapes = [p.shape for p in net.parameters()]
    w = torch.cat([p.detach().reshape(-1) for p in net.parameters()])

    class Flat(torch.nn.Module):
        def __init__(self, cost):
            super().__init__()
            self.net, self.cost = net, cost

        def forward(self):
            return self.cost(self.net)

    def on(cost):
        def at(w):
            parts = torch.split(w, [s.numel() for s in shapes])
            swapped = {f"net.{k}": v.reshape(s) for k, v, s in zip(names, parts, shapes, strict=True)}
            return torch.func.functional_call(Flat(cost), swapped, ())

        return at

    H = torch.autograd.functional.hessian(on(g), w).numpy()
    own, J = np.linalg.eigvalsh(H), np.linalg.eigvalsh(np.eye(len(w)) - eta * H)

    def h(w):
        (slope,) = torch.autograd.grad(on(g)(w), w, create_graph=True)
        return on(f)(w - eta * slope)

    curvature = np.linalg.eigvalsh(torch.autograd.functional.hessian(h, w).numpy())
    found = benign.postfactum(net, f, g, eta, tolerance=1e-9)
    assert found.adaptation.value == pytest.approx(own[np.abs(own).argmax()], rel=1e-6)
    assert found.curvature.value == pytest.approx(curvature[0], rel=1e-5)
    assert abs(found.jacobian.value) <= np.abs(J).min() + found.jacobian.residual + 1e-9


def test_single_precision_frozen_and_tied_parameters():
    torch.manual_seed(1)

    class Tied(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.first = torch.nn.Linear(6, 6)
            self.second = torch.nn.Linear(6, 6)
            self.second.weight = self.first.weight
            self.frozen = torch.nn.Linear(6, 1).requires_grad_(False)

        def forward(self, x):
            return self.frozen(torch.tanh(self.second(torch.tanh(self.first(x)))))

    net = Tied()
    x = torch.randn(30, 6)
    found = benign.postfactum(net, lambda net: (net(x) ** 2).mean(), eta=0.1)
    assert found.parameters == 36 + 6 + 6
    # What one shot leaves of the gradient, computed with the module itself.
    w = [*net.first.parameters(), net.second.bias]
    (net(x) ** 2).mean().backward()
    with torch.no_grad():
        for p in w:
            p -= 0.1 * p.grad
        assert found.value == pytest.approx(float((net(x) ** 2).mean()), rel=1e-5)


def test_running_means_are_left_alone():
    net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 1))
    x = torch.randn(16, 3, generator=torch.Generator().manual_seed(0))
    before = {name: b.clone() for name, b in net.named_buffers()}
    benign.postfactum(net, lambda net: (net(x) ** 2).mean())
    for name, b in net.named_buffers():
        assert torch.equal(b, before[name]), name


def test_bad_input():
    x = torch.randn(8, 3)
    net = torch.nn.Linear(3, 2)
    with pytest.raises(ProblemError, match="does not depend"):
        benign.postfactum(net, lambda _: (x**2).mean())
    with pytest.raises(ProblemError, match="one real number"):
        benign.postfactum(net, lambda net: net(x))
    loose = torch.nn.Sequential(net, torch.nn.Dropout())
    with pytest.raises(ProblemError, match=r"dropout.*eval"):
        benign.postfactum(loose, lambda net: (net(x) ** 2).mean())
    with pytest.raises(ProblemError, match="three"):
        benign.postfactum(torch.nn.Linear(1, 1), lambda net: net(x[:, :1]).mean())
    with pytest.raises(ProblemError, match="bfloat16"):
        benign.postfactum(torch.nn.Linear(3, 2).bfloat16(), lambda net: net(x.bfloat16()).mean())
    with pytest.raises(ProblemError, match="finite"):
        benign.postfactum(net, lambda net: torch.log(-(net(x) ** 2)).sum())
    with pytest.raises(ProblemError, match="eta"):
        benign.postfactum(net, lambda net: (net(x) ** 2).mean(), eta=-1.0)
