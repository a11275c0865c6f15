"""One front door: what is taken for a family, an objective and a number, and what is said otherwise."""

import json
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import benign
from benign.errors import BenignError, BudgetError, FileFormatError, ProblemError, UsageError
from benign.exact.problem import Problem, make_step
from benign.tasks.files import bundled_path, load, loads
from benign.tasks.given import as_exact_family, as_task_family

NAME = "paper-figure-3b"
FAMILY = load(bundled_path(NAME)).family


def fleet():
    tasks = [
        benign.LQR.from_exact(task.f, adaptation=task.adaptation, name=task.name)
        for task in FAMILY.tasks
    ]
    return benign.TaskFamily(tasks)


FORMS = {
    "name": lambda: NAME,
    "path": lambda: bundled_path(NAME),
    "text of a path": lambda: str(bundled_path(NAME)),
    "file": lambda: load(bundled_path(NAME)),
    "exact": lambda: FAMILY,
    "stacked": fleet,
    "list": lambda: list(fleet()),
    "tuple": lambda: tuple(fleet()),
    "exact tasks": lambda: list(FAMILY.tasks),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_family_is_the_same_family(form):
    assert as_exact_family(FORMS[form](), "test") == FAMILY
    assert as_task_family(FORMS[form](), "test").exact() == FAMILY


@pytest.mark.parametrize("form", FORMS)
def test_every_form_makes_the_same_objective(form):
    h = benign.MetaObjective(FORMS[form](), eta="0.05")
    assert h.problem == Problem(FAMILY, make_step("gradient", "0.05"))


@pytest.mark.parametrize(
    "made",
    [
        lambda: benign.MetaObjective(FAMILY, "0.05"),
        lambda: benign.MetaObjective(FAMILY, benign.GradientStep("0.05")),
        lambda: benign.MetaObjective(FAMILY, make_step("gradient", "0.05")),
        lambda: benign.MetaObjective(FAMILY, "gradient", eta=Fraction(1, 20)),
        lambda: benign.MetaObjective(FAMILY, Decimal("0.05"), shots=np.int64(1)),
    ],
)
def test_a_step_may_come_in_pieces(made):
    assert made().problem == Problem(FAMILY, make_step("gradient", "0.05"))


def test_a_file_suggests_a_step():
    suggested = load(bundled_path(NAME)).step.steps[0]
    assert benign.MetaObjective(NAME).problem.step == suggested
    h = benign.MetaObjective(NAME, "normalized", eta=0.25, shots=2)
    assert h.problem.step == make_step("normalized", 0.25, 2)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: benign.MetaObjective(3, 0.1), "MetaObjective: expected a family, got 3; give"),
        (lambda: benign.MetaObjective([], 0.1), "MetaObjective: expected a family, got an empty list"),
        (lambda: benign.MetaObjective([1, 2], 0.1), "got a list of int"),
        (
            lambda: benign.MetaObjective(FAMILY),
            "MetaObjective: there is no step size; give it, such as",
        ),
        (lambda: benign.MetaObjective(FAMILY, {}, eta=1), "step: expected a step"),
        (
            lambda: benign.MetaObjective(FAMILY, benign.GradientStep(0.1), shots=2),
            "the step has its eta and shots",
        ),
    ],
)
def test_a_wrong_type_is_one_sentence_with_the_cure(call, words):
    with pytest.raises(UsageError) as caught:
        call()
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, TypeError)
    assert isinstance(caught.value, BenignError)


def test_no_file_and_no_bundled_family():
    with pytest.raises(FileFormatError, match="neither a file nor a bundled family"):
        benign.MetaObjective("no-such-family", 0.1)
    with pytest.raises(FileFormatError, match="no such file"):
        benign.MetaObjective(Path("nowhere.toml"), 0.1)


NUMBERS = {
    "float": 0.25,
    "text": "0.25",
    "quotient": "1/4",
    "fraction": Fraction(1, 4),
    "decimal": Decimal("0.25"),
    "float32": np.float32(0.25),
    "float64": np.float64(0.25),
    "array": np.array(0.25),
    "jax": lambda: jnp.asarray(0.25),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_every_number_of_the_field_is_a_step_size(name):
    value = NUMBERS[name]
    eta = value() if callable(value) else value
    assert benign.MetaObjective(FAMILY, eta).problem.step.eta == Fraction(1, 4)


def test_what_is_no_number_is_no_step_size():
    for eta in (np.bool_(True), np.array([0.1]), np.complex128(1), "x", np.nan):
        with pytest.raises(ProblemError, match="eta"):
            benign.GradientStep(eta)


@pytest.mark.parametrize("kind", ["gradient", "normalized"])
def test_a_traced_step_size_is_differentiated_and_mapped(kind):
    family = fleet()

    def value(eta):
        return benign.MetaObjective(family, kind, eta=eta, shots=2).value(0.5)

    slope, d = float(jax.grad(value)(0.05)), 1e-5
    assert slope == pytest.approx(float(value(0.05 + d) - value(0.05 - d)) / (2 * d), rel=1e-6)
    assert float(jax.jit(jax.grad(value))(0.05)) == pytest.approx(slope, rel=1e-12)
    etas = jnp.array([0.01, 0.05])
    assert np.asarray(jax.vmap(value)(etas)) == pytest.approx([float(value(eta)) for eta in etas])


def test_a_traced_step_size_proves_nothing():
    with pytest.raises(UsageError, match="eta is traced"):
        jax.grad(lambda eta: float(benign.MetaObjective(FAMILY, eta).problem.step.eta))(0.1)


def test_analyze_takes_the_pieces_and_saves(tmp_path):
    found = benign.analyze(NAME, eta="0.05", out=tmp_path)
    assert found.verdict == benign.analyze(benign.MetaObjective(fleet(), "0.05")).verdict
    assert (tmp_path / "certificate.json").exists()
    assert benign.analyze(list(fleet()), step=benign.GradientStep("0.05")).epsilon == found.epsilon


@pytest.mark.parametrize("verb", ["analyze", "search", "train", "recommend", "bifurcate", "certify"])
def test_every_verb_refuses_what_is_no_objective_in_one_sentence(verb):
    more = {"bifurcate": ([0.1, 0.2],), "certify": (0.5,)}.get(verb, ())
    with pytest.raises(UsageError, match=rf"^{verb}: expected an objective") as caught:
        getattr(benign, verb)(3, *more)
    assert "a list of LQR tasks" in str(caught.value)


@pytest.mark.parametrize("verb", ["analyze", "search", "train", "certify"])
def test_an_objective_has_its_step(verb):
    more = (0.5,) if verb == "certify" else ()
    with pytest.raises(UsageError, match=rf"^{verb}: the objective has its step; leave out eta"):
        getattr(benign, verb)(benign.MetaObjective(FAMILY, 0.1), *more, eta=0.1)


@pytest.mark.parametrize(
    "W", [0.6180339887, "0.6180339887", np.float64(0.6180339887), [[0.6180339887]]]
)
def test_certify_takes_every_number(W, tmp_path):
    document = benign.certify("paper-figure-1", W, eta=np.array(0.05), out=tmp_path)
    assert benign.check(document)
    assert (tmp_path / "certificate.json").exists()


def test_certify_takes_a_flat_gain():
    task = benign.LQR([[1, 0.2], [0, 0.9]], [0.1, 1], np.eye(2), 1)
    one = benign.certify([task], [Fraction(1, 4), Decimal("0.5")], eta=0.01)
    assert one == benign.certify([task], np.array([[0.25, 0.5]]), eta=0.01)


def test_train_uses_the_step_of_the_objective(tmp_path):
    h = benign.MetaObjective(NAME, "normalized", eta="0.2", shots=2)
    found = benign.train(h, steps=3, start=0.7, certified=False, out=tmp_path)
    assert found.algorithm.step.exact() == h.step.exact()
    assert (tmp_path / "training.json").exists()
    file = benign.train(NAME, steps=3, certified=False)
    assert file.algorithm.step.exact() == load(bundled_path(NAME)).step.steps[0]
    with pytest.raises(UsageError, match="normalized-maml takes a normalised step"):
        benign.train(benign.MetaObjective(FAMILY, 0.1), "normalized-maml")


def test_a_trained_gain_meets_a_family_of_any_form():
    found = benign.train(FAMILY, eta="0.05", steps=3, certified=False)
    costs = [task.costs for task in benign.meta_test(found, fleet(), np.int64(2)).tasks]
    for form in ("name", "file", "exact", "list"):
        again = benign.meta_test(found, FORMS[form](), 2).tasks
        assert [list(task.costs) for task in again] == [list(one) for one in costs]
    with pytest.raises(UsageError, match="meta_test: expected tasks, got 3"):
        benign.meta_test(found, 3)
    with pytest.raises(UsageError, match=r"it takes one task; `benign.meta_test` takes a family"):
        benign.adapt(found, "task")


def test_bifurcate_takes_an_objective_and_a_budget(tmp_path):
    h = benign.MetaObjective(NAME, "normalized", eta=1, shots=1)
    found = benign.bifurcate(h, [np.float64(0.05), "0.3"], budget="1m", out=tmp_path)
    assert found.kind == "normalized"
    assert {float(sample.eta) for sample in found.samples} >= {0.05, 0.3}
    with pytest.raises(BudgetError, match="give more"):
        benign.bifurcate(h, ["0.05", "0.3"], budget=0)
    assert (tmp_path / "bifurcation.json").exists()


def test_recommend_takes_the_step_in_use_from_the_objective():
    h = benign.MetaObjective(NAME, "0.05")
    found = benign.recommend(h, etas=["0.04"], variants=["gradient"], starts=np.int64(2))
    assert found.present.eta == Fraction(1, 20)


def test_public_types_are_importable():
    names = "Landscape LandscapeBelow ObservedLandscape TrainingResult Recommendation Bifurcation"
    names += " Adaptation MetaTest PostFactum FamilyFile Verdict BenignError UsageError InfeasibleError"
    assert set(names.split()) <= set(benign.__all__)
    assert set(benign.__all__) <= set(dir(benign))


@pytest.mark.parametrize(
    "call",
    [
        lambda: benign.train(FAMILY, 5, eta="0.05"),
        lambda: benign.adapt(None, 0.5),
        lambda: benign.bifurcate(FAMILY, 5),
        lambda: benign.bifurcate(FAMILY, "0.1,0.2"),
        lambda: benign.recommend(FAMILY, etas=5, starts=2),
        lambda: benign.recommend(FAMILY, variants=5, starts=2),
        lambda: benign.check(None),
        lambda: benign.check(5),
        lambda: benign.read(None),
        lambda: benign.analyze(FAMILY, eta="0.05", out=5),
    ],
)
def test_a_wrong_type_anywhere_is_one_sentence(call):
    with pytest.raises(UsageError) as caught:
        call()
    assert ": expected " in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "settings",
    [{"steps": 1.5}, {"steps": "x"}, {"every": 0}, {"tolerance": "x"}, {"beta": "x"}, {"gap": "x"}],
)
def test_a_setting_of_training_that_is_no_such_number_is_named(settings):
    (name,) = settings
    with pytest.raises(ProblemError, match=f"^{name}: expected"):
        benign.train(FAMILY, eta="0.05", **settings)


@pytest.mark.parametrize(
    ("A", "B", "stabilisable"),
    [
        ("1.1", "1e-16", True),
        ("1e20", "1", True),
        ("[[2, 0], [0, 3]]", "[[1], [1e-20]]", True),
        ("[[1e6, 0], [0, 3]]", "[[1], [1e-6]]", True),
        ("[[2, 0], [0, 2]]", "[[1], [1]]", False),
        ("[[0.5, 0], [0, 2]]", "[[1], [0]]", False),
    ],
)
def test_files_and_constructors_have_one_rule_for_stabilisability(A, B, stabilisable):
    arrays = json.loads(A), json.loads(B)
    Q = np.eye(2).tolist() if np.ndim(arrays[0]) else 1
    text = f"benign = 1\n[step]\neta = 1e-9\n[[tasks]]\nA = {A}\nB = {B}\nQ = {Q}\nR = 1\n"
    if stabilisable:
        assert loads(text)
        assert np.isfinite(benign.LQR(*arrays, Q, 1).optimum().cost)
        return
    with pytest.raises(BenignError, match="stabilis"):
        loads(text)
    with pytest.raises(BenignError, match="stabilis"):
        benign.LQR(*arrays, Q, 1)


def test_settings_that_an_algorithm_does_not_look_at_are_not_swallowed():
    with pytest.raises(ProblemError, match="lambda: maml has none, only imaml and minibatch-prox"):
        benign.train(FAMILY, eta="0.05", lam=1.0, steps=1)
    with pytest.raises(ProblemError, match="every: only ftml"):
        benign.train(FAMILY, eta="0.05", every=7, steps=1)


def test_bifurcate_says_where_larger_families_go():
    with pytest.raises(ProblemError, match="needs one state and one input; this family has 2 and 1"):
        benign.bifurcate("four-masses", ["0.01", "0.02"])
