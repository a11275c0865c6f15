"""One step of MAML: a single gain, sixteen tasks, by us and by libraries of meta-learning."""

from __future__ import annotations

import jax
from jax import lax

from benchmarks import ours
from benchmarks.agreement import compare_both
from benchmarks.peers import load
from benchmarks.problems import random_bench
from benchmarks.progress import say
from benchmarks.report import Section
from benchmarks.timing import Contestant, interleave

PEERS = {
    "naive JAX": "naive_jax",
    "NumPy doubling": "numpy_batched",
    "PyTorch bmm": "torch_batched",
    "torch.func": "torch_functional",
    "SciPy loop": "scipy_loop",
    "python-control loop": "control_loop",
    "learn2learn's way": "learn2learn_style",
    "TorchOpt": "torchopt_loop",
}


def run(steps: int = 200, budget: float = 8.0) -> Section:
    """(4, 2), one gradient shot."""
    say("one step of MAML")
    section = Section(
        "One step of MAML",
        "Value and gradient of h at one gain, 16 tasks, (n, m) = (4, 2). `in a scan` is one of "
        f"{steps} steps W − β∇h(W) in a `lax.scan`. The peers are multiples of the scanned step.",
    )
    bench = random_bench(4, 2, 16, 1)
    h = ours.objective(bench)
    exact = ours.value_and_gradient(h, bench.gains)

    @jax.jit
    def train(h, W):
        return lax.scan(lambda W, _: (W - 1e-4 * h.gradient(W), None), W, None, length=steps)[0]

    start = bench.gains[0]
    train(h, start).block_until_ready()
    contestants = {
        "in a scan": Contestant(lambda: train(h, start).block_until_ready(), steps),
        "ours": Contestant(lambda: ours.value_and_gradient(h, bench.gains)),
    }
    for name, module in PEERS.items():
        if (peer := load(module)) is not None:
            compare_both(name, peer.value_and_gradient(bench), exact, judges=False)
            contestants[name] = Contestant(lambda p=peer: p.value_and_gradient(bench))
    times = interleave(contestants, budget, most=50)
    section.add("µs a step", "in a scan", 1e6 * times.median("in a scan"))
    section.add("µs a step", "a call from Python", 1e6 * times.median("ours"))
    for name in contestants:
        if name in PEERS:
            section.add("µs a step", name, 1e6 * times.median(name))
            section.add("multiple of the scanned step", name, times.ratio(name, "in a scan"))
    return section
