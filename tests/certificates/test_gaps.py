"""Gaps in any dimension: what is certified is true, is proved again, and nothing false is."""

import copy
import json
import subprocess
import sys
from fractions import Fraction
from importlib.resources import files

import numpy as np
import pytest
import scipy.linalg
from flint import arb, ctx
from hypothesis import given, settings
from hypothesis import strategies as st

import benign
from benign.balls.lqr import LqrObjective, NotStabilising, gain_matrix
from benign.certificates.document import sealed
from benign.certificates.gains import require_well_posed
from benign.certificates.pointwise import THEOREM_2
from benign.certificates.quantitative import QUANTITATIVE
from benign.certificates.reading import Refused
from benign.certificates.regret import REGRET
from benign.errors import ClaimError, ProblemError
from benign.exact.problem import Plant, Problem, Task, make_family, make_step
from benign.tasks.files import load
from benign.verdict import Status

BUNDLED = ("boeing-747", "double-integrators", "jonckheere")


def bundled(name, tasks=None, **step):
    found = load(str(files("benign.data") / f"{name}.toml"))
    kind, eta, shots = (step.get(k) for k in ("kind", "eta", "shots"))
    own = found.step
    rule = make_step(kind or own.kind, eta or own.eta[0], shots or 1)
    return Problem(make_family(found.family.tasks[:tasks]), rule)


def exact(M):
    return tuple(tuple(Fraction(float(x)) for x in row) for row in np.atleast_2d(M))


def floats(M):
    return np.array([[float(x) for x in row] for row in M])


def riccati(p):
    root = float(p.discount) ** 0.5
    A, B, Q, R = root * floats(p.A), root * floats(p.B), floats(p.Q), floats(p.R)
    P = scipy.linalg.solve_discrete_are(A, B, Q, R)
    return np.linalg.solve(R + B.T @ P @ B, B.T @ P @ A), float(np.trace(P @ floats(p.moment)))


def best(problem, task=0):
    return riccati(problem.tasks[task].f)[0]


def value(problem, W):
    """h(W) in floats, +∞ where it is not finite."""
    with ctx.workprec(128):
        try:
            return float(LqrObjective(problem).value(gain_matrix(tuple(map(tuple, W.tolist())))))
        except NotStabilising:
            return np.inf


def one(A, B, Q, R, S0, eta=1e-3, kind="gradient", shots=1, adaptation=None, **options):
    plant = Plant(*map(exact, (A, B, Q, R, S0)), **options)
    task = Task("plant", plant, adaptation)
    return Problem(make_family([task]), make_step(kind, eta, shots))


A2, B2, I2 = [[1, 0.5], [0, 1]], [[0], [1]], np.eye(2)
W2 = [[0.3, 0.9]]


# --- what is claimed is right ----------------------------------------------------------------


@pytest.mark.parametrize("name", BUNDLED)
@pytest.mark.parametrize("push", [0.0, 0.01])
def test_the_regret_bound_of_a_bundled_family_is_the_sum_of_regrets(name, push):
    problem = bundled(name)
    W = best(problem) * (1 + push)
    document = benign.certify(problem, W)
    least = sum(float(w) * riccati(t.f)[1] for w, t in zip(problem.weights, problem.tasks, strict=True))
    assert document["claim"] == REGRET
    assert document["gap"] == pytest.approx(value(problem, W) - least, rel=1e-6)
    assert benign.check(document)


@pytest.mark.parametrize("name", BUNDLED)
@pytest.mark.parametrize("claim", [REGRET, QUANTITATIVE])
def test_at_the_optimum_of_a_single_task_the_gap_is_almost_zero(name, claim):
    problem = bundled(name, tasks=1)
    document = benign.certify(problem, best(problem), claim)
    assert 0 <= document["gap"] < 1e-18
    assert benign.check(document)


@pytest.mark.parametrize("name", BUNDLED)
@pytest.mark.parametrize("shots", [1, 2])
def test_the_quantitative_form_holds_and_is_its_formula(name, shots):
    """Against μ‖∇h‖²/Πσ² in float64, and never below the true gap."""
    problem = bundled(name, tasks=1, shots=shots)
    W = best(problem) * 1.005
    document = benign.certify(problem, W, QUANTITATIVE)
    assert benign.check(document)
    p, eta = problem.tasks[0].f, float(problem.step.eta)
    gain, least = riccati(p)
    Sigma = scipy.linalg.solve_discrete_lyapunov(floats(p.A) - floats(p.B) @ gain, floats(p.S0))
    with ctx.workprec(128):
        objective, w = LqrObjective(problem), gain_matrix(tuple(map(tuple, W.tolist())))
        slope = np.linalg.norm(np.array(objective.gradient(w).tolist(), float))
        hessians = [np.array(x.hessian().tolist(), float) for x in objective.visit(0, w).shots]
    sigma = np.prod([np.linalg.svd(np.eye(len(H)) - eta * H)[1][-1] for H in hessians])
    S, R = (np.linalg.svd(floats(M))[1][-1] for M in (p.S0, p.R))
    expected = np.linalg.norm(Sigma, 2) / (4 * S**2 * R) * (slope / sigma) ** 2
    assert expected * (1 - 1e-9) <= document["gap"] <= expected * 1.1
    assert document["gap"] >= value(problem, W) - least


def test_with_another_adaptation_cost_both_claims_hold():
    other = Plant(*map(exact, (A2, B2, 2 * I2, [[3]], I2)))
    problem = one(A2, B2, I2, [[1]], I2, adaptation=other)
    for claim in (REGRET, QUANTITATIVE):
        document = benign.certify(problem, W2, claim)
        assert document["gap"] >= value(problem, np.array(W2)) - riccati(problem.tasks[0].f)[1]
        assert benign.check(document)


def test_discount_and_noise_are_folded_in():
    """An unstable optimum under a discount: only √γ ρ(L) < 1 is needed."""
    unstable = [[1.2, 0.5], [0, 1.1]]
    problem = one(unstable, B2, I2, [[50]], 0 * I2, discount=Fraction(1, 2), noise=exact(I2), eta=1e-4)
    for claim in (REGRET, QUANTITATIVE):  # the noise makes up for S0 = 0
        document = benign.certify(problem, [[0.1, 0.1]], claim)
        excess = value(problem, np.array([[0.1, 0.1]])) - riccati(problem.tasks[0].f)[1]
        assert document["gap"] >= excess > 0
        assert benign.check(document)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    shape=st.sampled_from([(2, 1), (1, 2), (3, 2), (4, 3)]),
    kind=st.sampled_from(["gradient", "normalized"]),
)
def test_no_gain_refutes_a_certified_gap(seed, shape, kind):
    (n, m), rng = shape, np.random.default_rng(seed)
    A = rng.normal(size=(n, n)) / n**0.5
    tasks = [
        Task(str(i), Plant(*map(exact, (A, rng.normal(size=(n, m)), np.eye(n), np.eye(m), np.eye(n)))))
        for i in range(2)
    ]
    problem = Problem(make_family(tasks), make_step(kind, "0.001"))
    W = best(problem) + 0.01 * rng.normal(size=(m, n))
    try:
        document = benign.certify(problem, W)
    except ClaimError:
        assert not np.isfinite(value(problem, W))
        return
    here = value(problem, W)
    for _ in range(5):
        V = rng.uniform() * best(problem) + rng.uniform() * best(problem, 1)
        assert here - value(problem, V) <= document["gap"] * (1 + 1e-9)


def test_a_numpy_array_rows_and_a_meta_objective_say_the_same():
    problem = bundled("jonckheere")
    W = best(problem)
    document = benign.certify(problem, W)
    assert document == benign.certify(problem, W.tolist())
    found = load(str(files("benign.data") / "jonckheere.toml"))
    family = benign.TaskFamily.from_exact(found.family)
    objective = benign.MetaObjective(family, benign.GradientStep("0.01"))
    assert benign.certify(objective, W) == document
    assert json.loads(json.dumps(document)) == document


def test_a_scalar_family_keeps_its_certificates_and_gains_the_quantitative_form():
    problem = one([[1]], [[1]], [[1]], [[1]], [[1]], eta=0.05)
    regret = benign.certify(problem, 0.6, REGRET)
    assert regret["W"] == [0.6, 0.6]
    document = benign.certify(problem, 0.6, QUANTITATIVE)
    assert document["W"] == [[0.6]]
    assert document["gap"] >= regret["gap"]
    assert benign.check(regret)
    assert benign.check(document)


# --- what is refused -------------------------------------------------------------------------


@pytest.mark.parametrize("name", BUNDLED)
@pytest.mark.parametrize("claim", [REGRET, QUANTITATIVE])
def test_a_gain_that_does_not_stabilise_is_refused(name, claim):
    problem = bundled(name, tasks=1)
    with pytest.raises(ClaimError, match="W itself"):
        benign.certify(problem, best(problem) + 50.0, claim)


def test_a_gain_that_adaptation_throws_out_is_refused():
    with pytest.raises(ClaimError, match=r"`plant`, the gain after shot 1: .* not stabilise"):
        benign.certify(one(A2, B2, I2, [[1]], I2, eta=10), W2)


def test_a_gain_at_the_rim_is_refused():
    with pytest.raises(ClaimError, match="could not be shown"):
        benign.certify(one(A2, B2, I2, [[1]], I2), [[0.0, 0.0]])


def test_a_singular_moment_has_a_regret_bound_and_no_quantitative_form():
    problem = one(A2, B2, I2, [[1]], [[1, 1], [1, 1]])
    with pytest.raises(ClaimError, match="S0 ≻ 0"):
        benign.certify(problem, W2, QUANTITATIVE)
    document = benign.certify(problem, W2)
    assert document["gap"] == pytest.approx(
        value(problem, np.array(W2)) - riccati(problem.tasks[0].f)[1], rel=1e-9
    )
    assert benign.check(document)


def test_where_the_infimum_is_not_attained_the_regret_bound_is_right():
    problem = one(A2, B2, 0 * I2, [[1]], I2)
    with pytest.raises(ClaimError, match="sub-solution"):
        benign.certify(problem, W2, QUANTITATIVE)
    document = benign.certify(problem, W2)
    assert document["gap"] == pytest.approx(value(problem, np.array(W2)), rel=1e-2)  # inf h is 0
    assert benign.check(document)
    small = np.array([[1e-6, 2e-3]])
    assert value(problem, small) >= value(problem, np.array(W2)) - document["gap"]


def test_a_singular_jacobian_is_refused():
    """One state and two inputs, B = (1, 0): by symmetry one curvature of g is 2RΣ; η is 1 over it."""
    problem = one([[0.5]], [[1, 0]], [[1]], np.eye(2), [[1]])
    eta = (1 - Fraction(1, 4)) / 2  # at W = 0: Σ = 1/(1 − 1/4)
    singular = Problem(problem.family, make_step("gradient", eta))
    with pytest.raises(ClaimError, match="non-singular at W"):
        benign.certify(singular, [[0.0], [0.0]], QUANTITATIVE)
    assert benign.check(benign.certify(singular, [[0.0], [0.0]]))


def test_the_quantitative_form_is_for_one_task_and_the_gradient_step():
    with pytest.raises(ClaimError, match="the 2 tasks of this family differ"):
        benign.certify(bundled("jonckheere"), [[0.0, 0.0]], QUANTITATIVE)
    problem = bundled("jonckheere", tasks=1, kind="normalized")
    with pytest.raises(ClaimError, match="gradient step"):
        benign.certify(problem, [[0.0, 0.0]], QUANTITATIVE)
    assert benign.check(benign.certify(problem, [[0.1, 0.1]]))


@pytest.mark.parametrize(
    "W",
    [
        0.5, [[0.1]], [[0.1], [0.2]], [[0.1, float("nan")]], [[0.1, float("inf")]],
        [[0.1, "inf"]], [[0.1, True]], [["x", 0.2]], None, [], [[]], np.zeros((2, 1)),
    ],
)  # fmt: skip
def test_what_is_no_gain_is_refused(W):
    with pytest.raises(ClaimError, match="W"):
        benign.certify(bundled("jonckheere"), W)


def test_scalar_claims_and_unknown_claims_are_refused():
    with pytest.raises(ClaimError, match="is about one task; the 2 tasks"):
        benign.certify(bundled("jonckheere"), [[0.0, 0.0]], THEOREM_2)
    with pytest.raises(ClaimError, match="unknown claim"):
        benign.certify(bundled("jonckheere"), [[0.0, 0.0]], "theorem 9")


@pytest.mark.parametrize("field", ["Q", "S0", "R"])
def test_a_problem_that_is_not_well_posed_is_refused(field):
    bad = {"Q": I2, "R": [[1]], "S0": I2, field: [[0]] if field == "R" else np.diag([1, -1e-9])}
    problem = one(A2, B2, bad["Q"], bad["R"], bad["S0"])
    with pytest.raises(ClaimError, match=f"needs {field} to be positive"):
        benign.certify(problem, W2)
    with pytest.raises(Refused):
        require_well_posed(problem)


def test_a_problem_that_no_document_can_state_is_refused():
    with pytest.raises(ProblemError, match="symmetric"):
        benign.certify(one(A2, B2, [[1, 1], [0, 1]], [[1]], I2), W2)
    with pytest.raises(ProblemError, match="noise"):
        benign.certify(one(A2, B2, I2, [[1]], I2, noise=exact(I2)), W2)


# --- mutations -------------------------------------------------------------------------------


def put(*path_and_value):
    *path, last, value = path_and_value

    def change(document):
        for key in path:
            document = document[key]
        document[last] = value(document[last]) if callable(value) else value

    return change


COST = ("problem", "tasks", 0, "cost")
MUTATIONS = {
    "smaller gap": put("gap", lambda x: x * (1 - 1e-9)),
    "zero gap": put("gap", 0.0),
    "negative gap": put("gap", -1.0),
    "gap is text": put("gap", "-inf"),
    "gap is missing": lambda d: d.pop("gap"),
    "another gain": put("W", 0, 1, lambda x: x * 1.2),
    "gain does not stabilise": put("W", 0, 0, 1e6),
    "gain is infinite": put("W", 0, 0, "inf"),
    "gain is null": put("W", None),
    "gain lacks a row": put("W", lambda rows: rows[1:]),
    "gain has a row too many": put("W", lambda rows: [*rows, rows[0]]),
    "gain as an interval": put("W", [0.1, 0.2]),
    "dearer input": put(*COST, "R", 0, 0, "40"),
    "indefinite input": put(*COST, "R", 0, 0, "-1"),
    "dearer state": put(*COST, "Q", 0, 0, "1000"),
    "indefinite state": put(*COST, "Q", 0, 0, "-1"),
    "larger start": put(*COST, "S0", 1, 1, "7"),
    "indefinite start": put(*COST, "S0", 0, 0, "-1"),
    "not symmetric": put(*COST, "S0", 0, 1, "1/2"),
    "other dynamics": put(*COST, "A", 0, 0, "3/2"),
    "weights do not sum to one": put("problem", "tasks", 0, "weight", "1/7"),
    "step backwards": put("problem", "step", "eta", "-1/10"),
    "large step": put("problem", "step", "eta", "100"),
    "other step": put("problem", "step", "kind", "normal"),
    "a scalar claim": put("claim", THEOREM_2),
    "no claim": put("claim", ["regret bound"]),
    "a witness": put("P", [[1.0]]),
}


@pytest.mark.parametrize("claim", [REGRET, QUANTITATIVE])
@pytest.mark.parametrize("name", MUTATIONS)
def test_a_mutated_certificate_is_rejected_although_its_digest_is_right(claim, name):
    problem = bundled("double-integrators", tasks=1)
    document = copy.deepcopy(benign.certify(problem, best(problem) * 1.01, claim))
    assert benign.check(document)
    MUTATIONS[name](document)
    assert benign.check(sealed(document)).status is Status.REFUTED
    assert benign.check(document).status is Status.REFUTED


def test_a_certificate_altered_by_accident_says_so():
    document = benign.certify(bundled("jonckheere"), [[0.1, 0.1]])
    assert "altered" in benign.check({**document, "gap": 2.0 * document["gap"]}).reason


def test_a_regret_bound_is_no_quantitative_form():
    problem = bundled("double-integrators", tasks=1)
    document = benign.certify(problem, best(problem) * 1.01)
    assert not benign.check(sealed({**document, "claim": QUANTITATIVE}))


# --- the house -------------------------------------------------------------------------------


def test_making_and_checking_a_gap_import_neither_jax_nor_scipy():
    problem = bundled("jonckheere", tasks=1)
    document = json.dumps(benign.certify(problem, [[0.0, 0.1]]))
    code = (
        "import json, sys, benign; from benign.exact.documents import problem_from_json;"
        "d = json.load(sys.stdin); assert benign.check(d);"
        "assert benign.certify(problem_from_json(d['problem']), d['W'])['gap'] == d['gap'];"
        "assert not {'jax', 'scipy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], input=document, text=True, check=True)


def test_thirty_states():
    rng = np.random.default_rng(0)
    A = rng.normal(size=(30, 30))
    A *= 1.1 / max(abs(np.linalg.eigvals(A)))
    problem = one(A, rng.normal(size=(30, 3)), np.eye(30), np.eye(3), np.eye(30), eta=1e-4)
    W = best(problem)
    for claim in (REGRET, QUANTITATIVE):
        document = benign.certify(problem, W, claim)
        assert arb(document["gap"]) < 1e-9
        assert benign.check(document)
