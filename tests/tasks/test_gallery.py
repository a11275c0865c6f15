"""The plants that come with the library, and the families made of them."""

import json
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from scipy.linalg import expm, solve_discrete_are

import benign
from benign.errors import FileFormatError, ProblemError
from benign.tasks.files import bundled, bundled_path, load
from benign.tasks.plants import family_of, prepare, record, records, siblings

ROOT = Path(__file__).parents[2]


def floats(M):
    return np.array(M, dtype=float)


def test_every_record_is_what_the_file_prints():
    document = json.loads((Path(benign.__file__).parent / "data" / "plants.json").read_text())
    assert len(document) == len(records()) == 47
    for entry, one in zip(document, records(), strict=True):
        assert one.name == entry["name"]
        assert one.source
        for key in "ABQRS":
            mine = getattr(one, key)
            if mine is not None:
                np.testing.assert_array_equal(floats(mine), np.array(entry[key]))
        assert (one.Q is None) == ("Q" not in entry)


@pytest.mark.parametrize("name", [one.name for one in records()])
def test_every_plant_becomes_a_task_that_some_gain_stabilises(name):
    """Or is refused with the reason; P from SciPy is the witness that it is well posed."""
    plant = prepare(record(name)).plant
    A, B, Q, R = (floats(getattr(plant, key)) for key in "ABQR")
    assert np.linalg.eigvalsh(Q)[0] >= -1e-12 * np.abs(Q).max()
    if not Q.any():
        return
    P = solve_discrete_are(A, B, Q, R)
    W = np.linalg.solve(R + B.T @ P @ B, B.T @ P @ A)
    assert np.max(np.abs(np.linalg.eigvals(A - B @ W))) <= 1 + 1e-9


def test_a_continuous_plant_is_sampled_well_within_its_fastest_mode():
    for one in records():
        if not one.continuous:
            continue
        done = prepare(one)
        A = floats(one.A)
        assert float(done.dt) * np.max(np.abs(np.linalg.eigvals(A))) <= 0.11
        assert len(f"{float(done.dt):e}".split("e")[0].rstrip("0").rstrip(".")) == 1
        if one.S is None:
            np.testing.assert_allclose(floats(done.plant.A), expm(A * float(done.dt)), atol=1e-12)
        assert any("zero-order hold" in phrase for phrase in done.added)


def test_the_change_of_input_removes_the_cross_term():
    """The cost of one step is the same number, and so is the next state, whatever s and v are."""
    one = record("controlgym_ac8")
    assert one.S is not None
    done = prepare(one)
    with_term, without = done.plant, prepare(replace(one, S=None), done.dt).plant
    A, B, Q = floats(without.A), floats(without.B), floats(without.Q)
    R, S = floats(without.R), floats(one.S)
    rng = np.random.default_rng(0)
    for _ in range(5):
        s, v = rng.normal(size=one.n), rng.normal(size=one.m)
        a = v - np.linalg.solve(R, S.T @ s)
        cost = s @ Q @ s + 2 * s @ S @ a + a @ R @ a
        assert s @ floats(with_term.Q) @ s + v @ R @ v == pytest.approx(cost, rel=1e-9)
        np.testing.assert_allclose(floats(with_term.A) @ s + B @ v, A @ s + B @ a, atol=1e-12)


def test_a_price_that_is_negative_beyond_rounding_is_refused():
    one = replace(
        record("dean_laplacian"), Q=((Fraction(1), 0, 0), (0, Fraction(-1, 10), 0), (0, 0, 1))
    )
    with pytest.raises(ProblemError, match="`dean_laplacian`: `Q` must be positive semidefinite"):
        prepare(one)


def test_a_ridge_is_added_only_where_rounding_asks_for_it_and_is_said():
    ridged = [one.name for one in records() if any("Q +" in p for p in prepare(one).added)]
    assert "darex_1_11_paper_machine" in ridged
    assert len(ridged) <= 5
    plant, given = prepare(record("darex_1_11_paper_machine")).plant, record("darex_1_11_paper_machine")
    assert np.max(np.abs(floats(plant.Q) - floats(given.Q))) <= 1e-8 * np.abs(floats(given.Q)).max()


def test_siblings_are_near_keep_zeros_and_repeat():
    one = record("boeing747_boyd")
    made = siblings(one, 4, seed=3, size=0.05)
    assert made == siblings(one, 4, seed=3, size=0.05)
    assert made != siblings(one, 4, seed=4, size=0.05)
    assert len({sibling.A for sibling in made}) == 4
    for sibling in made:
        for key in "AB":
            x, y = floats(getattr(one, key)), floats(getattr(sibling, key))
            assert ((x == 0) == (y == 0)).all()
            assert (np.abs(y - x) <= 0.0500001 * np.abs(x)).all()


def test_a_family_is_sampled_at_one_time():
    one = record("pvtol")
    family, prepared = family_of([one, *siblings(one, 2, size=0.1)])
    assert len(family.tasks) == 3
    assert len({done.dt for done in prepared}) == 1


def test_an_unknown_plant_is_refused():
    with pytest.raises(FileFormatError, match="no plant is called 'boing'"):
        record("boing")


# --- the families ----------------------------------------------------------------------------


def test_the_families_are_what_the_script_makes():
    script = ROOT / "scripts" / "make_families.py"
    done = subprocess.run(
        [sys.executable, str(script), "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("name", "tasks", "n", "m"),
    [
        ("four-masses", 4, 2, 1),
        ("four-pendulums", 4, 2, 1),
        ("boeing-747-ten", 10, 4, 2),
        ("distillation-column", 3, 11, 3),
    ],
)
def test_families_of_plants_are_bundled(name, tasks, n, m):
    assert name in dict(bundled())
    found = load(bundled_path(name))
    assert (len(found.family.tasks), found.family.n, found.family.m) == (tasks, n, m)
    assert "ours" in found.source
    assert found.step is not None


def test_the_masses_divide_the_input_of_the_source():
    uav = floats(record("uav_double_integrators").B)[:2, :1]
    masses = [0.5, 1, 2, 4]
    for task, mass in zip(load(bundled_path("four-masses")).family.tasks, masses, strict=True):
        np.testing.assert_array_equal(floats(task.f.B), uav / mass)


def test_the_pendulum_as_printed_is_the_angle_of_the_source():
    """The 4-state cart of the source without friction: its rows for the angle are the file's."""
    source = record("ctms_inverted_pendulum")
    task = load(bundled_path("four-pendulums")).family.tasks[1]
    A = np.array([[0, 1], [float(source.A[3][2]), 0]])
    B = np.array([[0.0], [10 * float(source.B[3][0])]])
    block = expm(0.02 * np.block([[A, B], [np.zeros((1, 3))]]))
    np.testing.assert_allclose(floats(task.f.A), block[:2, :2], rtol=1e-12)
    np.testing.assert_allclose(floats(task.f.B), block[:2, 2:], rtol=1e-12)
