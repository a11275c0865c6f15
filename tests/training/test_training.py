"""The verb `train`: starts, certificates, checkpoints that survive, errors that say the cure."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from benign.certificates.check import check
from benign.errors import BudgetError, FileFormatError, ProblemError
from benign.meta.adaptation import GradientStep
from benign.meta.objective import MetaObjective
from benign.meta.ticks import InfeasibleStartError, Stop
from benign.prove.line.enumeration import analyze
from benign.tasks.family import TaskFamily
from benign.tasks.lqr import LQR
from benign.tasks.optima import optima
from benign.training.checkpoint import digest_of, read_checkpoint, to_bytes
from benign.training.result import read_training
from benign.training.starts import mean_of_optima, random_start
from benign.training.train import train
from helpers import paper_problem, scalar_plant, scalar_problem


def family_3b():
    return paper_problem("3b", "0.05").family


def plane():
    A = np.array([[0.9, 0.3], [-0.1, 0.8]])
    return TaskFamily(
        [
            LQR(A + shift, [[0.1], [1.0]], np.eye(2), [[1.0]], discount=0.95, noise=0.1 * np.eye(2))
            for shift in (0.0, 0.05)
        ]
    )


def test_one_task_is_trained_to_a_proved_global_minimum():
    result = train(paper_problem("1", "0.05").family, eta="0.05")
    assert result.stop is Stop.GRADIENT
    assert result.gap == 0
    assert result.claim == "theorem 2"
    assert [d["claim"] for d in result.certificates] == ["theorem 2", "quantitative form"]
    assert all(check(document) for document in result.certificates)
    assert "proved" in result.verdict


def test_one_task_of_two_states_gets_a_small_gap():
    one = TaskFamily([plane()[0]])
    result = train(one, eta=0.01, start=np.array([[0.1, 0.4]]), steps=3000)
    assert 0 <= result.gap < 1e-10 * result.value
    assert {d["claim"] for d in result.certificates} == {"regret bound", "quantitative form"}
    assert all(check(document) for document in result.certificates)


def test_a_lower_minimum_is_told_of():
    spurious = train(family_3b(), eta="0.05")
    h, W = spurious.lower
    assert h < spurious.value - 0.01
    assert h == pytest.approx(float(analyze(paper_problem("3b", "0.05")).minimum), rel=1e-9)
    assert "a lower minimum is there" in str(spurious)
    best = train(family_3b(), eta="0.05", start=W)
    assert best.lower is None
    assert "lower minimum" not in str(best)


def test_a_run_does_not_depend_on_the_unit_of_the_cost():
    """At 2¹³⁰ the first step that lowers h is 2⁻¹³⁰ of the one tried; no certificate is made."""

    def run(c):
        tasks = [LQR(a, 1, c, c) for a in (0.8, 0.9)]
        return train(tasks, start=0.2, eta=1e-3 / c, steps=200, tolerance=1e-9 * c)

    one, other = run(1.0), run(2.0**130)
    assert one.stop is other.stop is Stop.GRADIENT
    np.testing.assert_allclose(other.W, one.W, rtol=1e-6)
    assert other.value / 2.0**130 == pytest.approx(one.value, rel=1e-12)
    assert not other.certificates
    assert "1e30" in other.remark


def test_several_tasks_get_the_regret_bound_and_it_is_no_lie():
    result = train(family_3b(), eta="0.05")
    assert result.claim == "regret bound"
    assert check(result.certificates[0])
    # The landscape of this family is known: its minimum is 2.367233 (tests of the enumeration).
    assert result.value - result.gap <= 2.367233 <= result.value + 1e-6


def test_a_certified_gap_ends_the_run_as_soon_as_it_is_reached():
    exact = paper_problem("1", "0.05").family
    full = train(exact, eta="0.05", beta=5e-3, start=0.9, steps=500, tolerance=0)
    result = train(exact, eta="0.05", beta=5e-3, start=0.9, steps=500, tolerance=0, gap=1e-3)
    assert result.stop is Stop.GAP
    assert result.gap <= 1e-3
    assert 0 < result.steps < full.steps
    assert full.trace.value[result.steps - 1] - 3.236068 > 0.9e-3


def test_the_optima_are_those_of_the_tasks():
    family = plane()
    W, cost = optima(family.tasks)
    for i, task in enumerate(family):
        best = task.optimum()
        np.testing.assert_allclose(W[i], best.W, rtol=1e-9)
        assert cost[i] == pytest.approx(float(best.cost), rel=1e-10)
    np.testing.assert_allclose(mean_of_optima(family), W.mean(axis=0))


def test_a_random_start_is_feasible_and_the_seed_decides():
    family = plane()
    step = GradientStep(0.01)
    first, again, other = (random_start(family, step, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert np.isfinite(float(MetaObjective(family, step).value(first)))


def test_time_ends_a_run():
    slow = {"eta": "0.05", "beta": 1e-9, "tolerance": 0}
    train(family_3b(), steps=1, **slow)  # compiles
    result = train(family_3b(), steps=10**7, budget="3s", **slow)
    assert result.stop is Stop.TIME
    assert 0 < result.steps < 10**7
    assert result.seconds < 15  # on a machine that others use as well
    with pytest.raises(BudgetError, match="give more"):
        train(family_3b(), steps=10**7, budget=0, **slow)


def test_a_jump_that_nothing_descends_from_is_called_stuck():
    """At W* of a task the normalised step jumps: h falls towards it from one side and stops there."""
    problem = paper_problem("3b", "0.2", "normalized")
    result = train(problem.family, "normalized-maml", eta="0.2", start=0.7, steps=2000)
    assert result.stop in (Stop.STUCK, Stop.GRADIENT)
    assert np.isfinite(result.value)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"eta": "0.05", "batch": 3, "beta": 0.1}, ["batch", "family has 2"]),
        ({"eta": "0.05", "algorithm": "newton"}, ["algorithm", "maml"]),
        ({"algorithm": "imaml", "lam": 0.0}, ["λ > 0"]),
        ({"algorithm": "imaml"}, ["lambda"]),
        ({"eta": "0.05", "algorithm": "reptile"}, ["beta"]),
        ({"eta": "0.05", "batch": 1}, ["beta"]),
        ({"eta": "0.05", "start": "best"}, ["start"]),
        ({"eta": "0.05", "start": [[1.0, 2.0]]}, ["start", "shape"]),
        ({"eta": "0.05", "steps": -1}, ["steps"]),
        ({"eta": "0.05", "gap": 0.0}, ["gap"]),
        ({"eta": "-1"}, ["eta"]),
        ({}, ["eta"]),
    ],
)
def test_a_bad_setting_is_named_with_the_cure(settings, words):
    algorithm = settings.pop("algorithm", "maml")
    with pytest.raises(ProblemError) as error:
        train(family_3b(), algorithm, **settings)
    for word in words:
        assert word in str(error.value)


def test_an_eta_that_no_gain_survives_says_which_would_do():
    with pytest.raises(ProblemError) as error:
        train(family_3b(), eta="5")
    text = str(error.value)
    assert "lower eta" in text
    largest = float(text.rsplit("is", 1)[1])
    assert 0.1 < largest < 5
    # It is feasible indeed: some start is found there.
    step = GradientStep(largest * 0.999)
    W = random_start(TaskFamily.from_exact(family_3b()), step, 0)
    assert np.isfinite(float(MetaObjective(TaskFamily.from_exact(family_3b()), step).value(W)))


def test_tasks_that_conflict_are_named():
    far = scalar_problem([scalar_plant(9), scalar_plant(1)]).family
    with pytest.raises(ProblemError, match="conflict"):
        train(far, eta="0.05")


def test_a_start_that_is_infeasible_is_refused():
    with pytest.raises(InfeasibleStartError):
        train(family_3b(), eta="0.05", start=3.0)


# --- checkpoints -----------------------------------------------------------------------------


def files_of(directory):
    return {path.name: path.read_bytes() for path in sorted(directory.iterdir())}


COMMAND = [
    sys.executable, "-m", "benign.cli", "train", "paper-figure-3b", "--eta", "0.05", "--beta", "1e-4",
    "--batch", "1", "--steps", "20000", "--seed", "3", "--tolerance", "0",
]  # fmt: skip


def test_kill_nine_and_resume_end_in_the_same_bytes(tmp_path):
    alone, broken = tmp_path / "alone", tmp_path / "broken"
    done = subprocess.run([*COMMAND, "--out", str(alone)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    process = subprocess.Popen(
        [*COMMAND, "--out", str(broken), "--resume"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    until = time.monotonic() + 100
    while process.poll() is None and time.monotonic() < until:
        if (broken / "checkpoint.npz").exists():
            os.kill(process.pid, signal.SIGKILL)
            break
        time.sleep(0.01)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not (broken / "training.json").exists()
    done = subprocess.run(
        [*COMMAND, "--out", str(broken), "--resume"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    left, right = files_of(alone), files_of(broken)
    left = {name: data for name, data in left.items() if not name.endswith(".tmp")}
    assert set(left) <= set(right)
    for name, data in left.items():
        assert right[name] == data, name


def test_a_checkpoint_of_another_problem_or_cut_short_is_refused(tmp_path):
    path = tmp_path / "checkpoint.npz"
    settings = {"eta": "0.05", "beta": 0.01, "steps": 10, "checkpoint": path}
    train(family_3b(), **settings)
    whole = path.read_bytes()
    for change in ({"beta": 0.02}, {"eta": "0.04"}, {"seed": 1}, {"algorithm": "ftml"}, {"start": 0.6}):
        with pytest.raises(FileFormatError, match="another run"):
            train(family_3b(), **{**settings, **change}, resume=True)
    with pytest.raises(FileFormatError, match="another run"):
        train(paper_problem("2", "0.05").family, **settings, resume=True)
    longer = train(family_3b(), **{**settings, "steps": 20}, resume=True)
    assert longer.steps == 20
    for cut in (0, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(FileFormatError, match="cut short"):
            train(family_3b(), **settings, resume=True)
    for text in (b"\x80\x04N.", b"{}", b"PK\x03\x04" + b"\0" * 50):
        path.write_bytes(text)
        with pytest.raises(FileFormatError):
            read_checkpoint(path, "")


def test_a_flipped_byte_never_passes_unseen(tmp_path):
    result = train(family_3b(), eta="0.05", beta=0.01, steps=10)
    data = to_bytes(result.snapshot, result.digest)
    assert data == to_bytes(result.snapshot, result.digest)
    path = tmp_path / "c.npz"
    rng = np.random.default_rng(5)
    for place in rng.integers(len(data), size=60):
        changed = bytearray(data)
        changed[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(changed)
        try:
            found = read_checkpoint(path, result.digest)
        except FileFormatError:
            continue
        # A byte that means nothing (a date, a flag): then everything read is as it was.
        for a, b in zip(found.leaves, result.snapshot.leaves, strict=True):
            np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(found.rows, result.snapshot.rows)


def test_the_digest_knows_shape_and_type():
    a = np.arange(6.0)
    assert digest_of({}, [a]) != digest_of({}, [a.reshape(2, 3)])
    assert digest_of({}, [a]) != digest_of({}, [a.astype(np.float32)])
    assert digest_of({"beta": 1.0}, [a]) != digest_of({"beta": 2.0}, [a])


# --- files -----------------------------------------------------------------------------------


def test_what_is_saved_can_be_read(tmp_path):
    result = train(family_3b(), "hf-maml", eta="0.05", shots=2, beta=0.01, steps=20)
    paths = result.save(tmp_path)
    assert {path.name for path in paths} == {
        "training.json", "checkpoint.npz", "certificate-1.json", "certificate-start.json",
        "training.png", "training.svg",
        "manifest.json",
    }  # fmt: skip
    trained = read_training(tmp_path / "training.json")
    np.testing.assert_array_equal(trained.W, result.W)
    assert trained.algorithm.settings == result.algorithm.settings
    assert trained.algorithm.name == "hf-maml"
    assert len(trained.seen) == 2
    assert check(json.loads((tmp_path / "certificate-1.json").read_text()))


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"benign": "training", "version": 1}', "null"])
def test_a_record_that_is_none_is_refused(tmp_path, text):
    path = tmp_path / "training.json"
    path.write_text(text)
    with pytest.raises(FileFormatError, match=r"training\.json"):
        read_training(path)
