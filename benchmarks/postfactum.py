"""The memory and the cost of a post-factum report of ten million parameters; each in a process of its
own.

python -m benchmarks.postfactum jax|torch PARAMETERS    prints one line of JSON
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time

import numpy as np

from benchmarks.peers import load
from benchmarks.progress import say
from benchmarks.report import Section

INPUTS, OUTPUTS, SAMPLE, SHOTS, ETA, RESTARTS = 64, 10, 64, 16, 1e-3, 3


def widths(parameters: int) -> tuple[int, ...]:
    """A network of three hidden layers of one width with about so many parameters."""
    w = int((-(INPUTS + OUTPUTS) + ((INPUTS + OUTPUTS) ** 2 + 8 * parameters) ** 0.5) / 4)
    return INPUTS, w, w, w, OUTPUTS


def numbers(parameters: int) -> tuple[list[tuple[np.ndarray, np.ndarray]], np.ndarray, np.ndarray]:
    """Layers in single precision, and a sample of the curve they are to fit."""
    rng = np.random.default_rng(0)
    sizes = widths(parameters)
    layers = [
        (rng.standard_normal((i, o), dtype=np.float32) / np.float32(i**0.5), np.zeros(o, np.float32))
        for i, o in zip(sizes, sizes[1:], strict=False)
    ]
    x = rng.standard_normal((SAMPLE, INPUTS), dtype=np.float32)
    return layers, x, np.tanh(x[:, :OUTPUTS] * x[:, OUTPUTS : 2 * OUTPUTS])


def problem_of_jax(parameters: int):
    """Parameters, f and g of JAX."""
    import jax.numpy as jnp

    from benign.tasks.supervised import squared_error

    layers, x, y = numbers(parameters)
    W = [{"weight": jnp.asarray(a), "bias": jnp.asarray(b)} for a, b in layers]
    return W, lambda W: squared_error(W, (x, y)), lambda W: squared_error(W, (x[:SHOTS], y[:SHOTS]))


def problem_of_torch(parameters: int):
    """The same as a module with its losses."""
    import torch

    layers, x, y = numbers(parameters)
    parts: list[torch.nn.Module] = []
    for weight, bias in layers:
        linear = torch.nn.Linear(*weight.shape)
        linear.weight = torch.nn.Parameter(torch.from_numpy(weight.T.copy()))
        linear.bias = torch.nn.Parameter(torch.from_numpy(bias))
        parts += [linear, torch.nn.Tanh()]
    x, y = torch.from_numpy(x), torch.from_numpy(y)

    def loss(x, y):
        return lambda net: ((net(x) - y) ** 2).sum(-1).mean()

    return torch.nn.Sequential(*parts[:-1]), loss(x, y), loss(x[:SHOTS], y[:SHOTS])


def peak() -> int:
    """The largest resident size of this process so far, in bytes (Linux counts in KiB)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def child(library: str, parameters: int) -> dict[str, float]:
    """Make the problem and its report here, and say what they took."""
    from benign.training.postfactum import postfactum

    W, f, g = (problem_of_jax if library == "jax" else problem_of_torch)(parameters)
    before, began = peak(), time.process_time()
    report = postfactum(W, f, g, ETA, restarts=RESTARTS)
    print(report, file=sys.stderr)
    return {
        "before": before,
        "peak": peak(),
        "bytes": 4 * report.parameters,
        "products": report.products,
        "seconds": time.process_time() - began,
    }


def run(parameters: int = 10_000_000) -> Section:
    """JAX, and PyTorch if it is there."""
    section = Section(
        "Post-factum report",
        f"A network of about {parameters:,} parameters in single precision, {SAMPLE} points for f and "
        f"{SHOTS} for g. Peak resident memory of the whole process, interpreter included, "
        "as a multiple of the bytes of the parameters; `before` is the process with the network in it.",
    )
    for library, needed in (("jax", None), ("torch", "torch_functional")):
        if needed is not None and load(needed) is None:
            continue
        say(f"post-factum report by {library}")
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.postfactum", library, str(parameters)],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        found = json.loads(done.stdout)
        section.add(library, "before", found["before"] / found["bytes"])
        section.add(library, "peak memory", found["peak"] / found["bytes"], 40, at_most=True)
        section.add(library, "products", found["products"])
        section.add(library, "seconds", found["seconds"])
    return section


if __name__ == "__main__":
    print(json.dumps(child(sys.argv[1], int(sys.argv[2]))))
