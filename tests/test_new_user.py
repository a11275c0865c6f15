"""The jobs of somebody who never saw this code, done as the README tells them."""

import json

import numpy as np
import pytest
import scipy.io
import scipy.linalg

import benign


def test_three_motors_by_hand(tmp_path):
    """DC motors, speed from voltage, sampled: K and the time constant from three data sheets."""
    motors = [
        benign.LQR([[-1 / tau]], [[gain / tau]], 1, 0.1, time="continuous", dt="0.05", name=name)
        for name, gain, tau in [("small", 0.8, 0.2), ("medium", 1.1, 0.3), ("large", 1.6, 0.5)]
    ]
    landscape = benign.analyze(motors, eta=0.05)
    assert landscape.verdict.status in ("proved", "refuted")
    best = landscape.minimizers[0]
    h = benign.MetaObjective(motors, 0.05)
    values = [float(h.value(w)) for w in np.linspace(best.W[0, 0] - 0.3, best.W[0, 0] + 0.3, 601)]
    assert min(values) >= best.value.lo
    paths = landscape.save(tmp_path)
    assert {"landscape.json", "certificate.json", "landscape.png"} <= {path.name for path in paths}
    assert benign.read(tmp_path) == landscape
    family = benign.save_family(motors, tmp_path / "motors.toml")
    assert benign.analyze(tmp_path / "motors.toml", eta=0.05).minimum == landscape.minimum
    assert family is None or family.exists()


def test_an_aircraft_at_three_conditions(tmp_path):
    """Short-period models of python-control (numbers of our own), the gain used in its simulation."""
    control = pytest.importorskip("control")
    conditions = [(-0.8, -1.1, -4.0), (-1.0, -1.6, -6.5), (-1.3, -2.4, -9.0)]
    aircraft = [
        control.ss([[a, 1.0], [b, -0.9]], [[0.0], [c]], np.eye(2), np.zeros((2, 1)))
        for a, b, c in conditions
    ]
    tasks = [
        benign.LQR.from_state_space(system, np.eye(2), 1.0, dt=0.1, name=f"condition {i}")
        for i, system in enumerate(aircraft, start=1)
    ]
    landscape = benign.analyze(tasks, eta=0.002, proof="off", starts=16)
    assert landscape.verdict.status == "observed"
    assert not landscape.verdict
    W = landscape.minimizers[0].W
    assert W.shape == (1, 2)
    assert landscape.minimizers[0].gap < 0.1 * float(landscape.minimizers[0].value)
    for system in aircraft:
        sampled = control.c2d(system, 0.1)
        assert np.abs(np.linalg.eigvals(sampled.A - sampled.B @ W)).max() < 1


def test_a_mat_file_in_three_lines(tmp_path):
    scipy.io.savemat(tmp_path / "plants.mat", {"A": [[[0.9]], [[1.1]]], "B": [[[0.5]], [[0.4]]]})

    data = scipy.io.loadmat(tmp_path / "plants.mat")
    tasks = [benign.LQR(A, B, Q=1, R=1) for A, B in zip(data["A"], data["B"], strict=True)]
    landscape = benign.analyze(tasks, eta=0.05)

    assert landscape.verdict.status in ("proved", "refuted")
    assert benign.check(landscape.certificates[0])


def test_a_trained_gain_is_adapted_to_an_unseen_plant_and_used_elsewhere(tmp_path):
    """Four states: train on three plants, adapt to a fourth, simulate it with NumPy alone."""
    rng = np.random.default_rng(5)
    A = np.eye(4) + 0.1 * np.diag([1.0, 1.0, 1.0], 1)
    B = np.array([[0.0], [0.0], [0.0], [0.1]])

    def plant():
        return benign.LQR(A + 0.005 * rng.normal(size=(4, 4)), B, np.eye(4), 0.1)

    seen, unseen = [plant() for _ in range(3)], plant()
    run = benign.train(seen, eta=1e-7, steps=30, out=tmp_path)
    assert np.isfinite(run.gap)
    adapted = benign.adapt(run, unseen)
    again = benign.adapt(benign.read(tmp_path), unseen)
    assert list(adapted.costs) == pytest.approx(list(again.costs), rel=1e-12)
    assert adapted.costs[-1] <= adapted.costs[0]
    W = np.asarray(adapted.W)
    loop = np.asarray(unseen.A) - np.asarray(unseen.B) @ W
    stage = np.eye(4) + 0.1 * W.T @ W
    P = scipy.linalg.solve_discrete_lyapunov(loop.T, stage)
    assert np.trace(P) == pytest.approx(float(adapted.costs[-1]), rel=1e-8)


CELLS = [
    "import benign\n"
    "h = benign.MetaObjective('paper-figure-1', eta='0.05')\n"
    "landscape = benign.analyze(h)\n"
    "landscape",
    "h",
    "h.family",
    "landscape.plot()",
]


def test_a_notebook_shows_a_picture_and_short_texts(tmp_path):
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    client = nbclient.NotebookClient(book, timeout=300, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()
    outputs = [cell["outputs"][-1]["data"] for cell in book["cells"]]
    assert "image/png" in outputs[0]
    assert "every local minimum of h is global" in outputs[0]["text/plain"]
    assert len(outputs[0]["text/plain"]) < 2000
    for shown in outputs[1:3]:
        assert len(shown["text/plain"]) < 600
        assert "eta" in outputs[1]["text/plain"]
    assert "image/png" in outputs[3]
    assert len(json.dumps(outputs[1])) < 2000
