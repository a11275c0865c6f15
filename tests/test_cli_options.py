"""The options of the command: help with its defaults, names and their slips, ranges, completion."""

import os
import re
import subprocess
import sys
from fractions import Fraction

import pytest
import typer

from benign.cli import choices
from benign.cli.application import app
from benign.cli.ranges import step_sizes
from benign.errors import ProblemError
from command import benign

GROUP = typer.main.get_command(app)
VERBS = sorted(GROUP.commands)

NOTHING = {
    "out", "epsilon", "family", "lambda", "gap", "cache",
}  # fmt: skip
"""Options that do nothing unless they are given."""


def run(*arguments, **environment):
    """In a process of its own, as the installed command."""
    return subprocess.run(
        [sys.executable, "-m", "benign.cli", *map(str, arguments)],
        capture_output=True, text=True, check=False, timeout=120, env={**os.environ, **environment},
    )  # fmt: skip


def imported_by(*arguments):
    """Exit status, what `main` prints on stderr, and the modules that a call has imported."""
    code = (
        "import sys\nfrom benign.cli import main\n"
        f"sys.argv = ['benign', *{list(map(str, arguments))!r}]\n"
        "try:\n    main()\nfinally:\n"
        "    print('MODULES', *sorted({m.split('.')[0] for m in sys.modules}))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    return done.returncode, done.stderr, set(done.stdout.rpartition("MODULES")[2].split())


# --- help ------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_of_a_verb_says_every_default(verb):
    status, out, _ = benign(verb, "--help")
    assert status == 0
    said = " ".join(out.split())
    for option in GROUP.commands[verb].params:
        if option.param_type_name != "option":
            continue
        name = option.opts[0].lstrip("-")
        row = re.split(rf" --{name}(?:, --\w+)? (?=<|/|[A-Z])", said)[1]
        default = row.partition("[default: ")[2]
        if isinstance(option.show_default, str):
            assert default.startswith(f"({option.show_default})]"), name
        elif option.default is None:
            assert name in NOTHING, f"{verb} --{name} does not say what is done without it"
        elif option.default is not False:
            assert default.startswith(f"{option.default}]"), name


def test_the_list_of_verbs_cuts_no_sentence():
    out = benign("--help")[1]
    for verb in VERBS:
        assert f"\n  {verb}" in out
    assert "..." not in out.split("Commands:")[1]


def test_defaults_in_words_are_those_of_the_library():
    from benign.certificates.check import LIMIT
    from benign.sweeps.recommend import BUDGET
    from benign.verbs.analyze import FOR_A_TRY

    assert (LIMIT, BUDGET, FOR_A_TRY) == (600.0, 120.0, 300.0)
    assert "[default: (10m)]" in benign("check", "--help")[1]
    assert "5m for a proof that is tried" in " ".join(benign("analyze", "--help")[1].split())


# --- names -----------------------------------------------------------------------------------


def test_the_names_are_those_of_the_library():
    from benign.meta.algorithms import ALGORITHMS
    from benign.meta.optimizers import OPTIMIZERS
    from benign.paper.figures import FIGURES
    from benign.prove.certify import CLAIMS
    from benign.sweeps.recommendation import Variant

    assert tuple(ALGORITHMS) == choices.ALGORITHMS
    assert choices.OPTIMIZERS == OPTIMIZERS
    assert tuple(variant.value for variant in Variant) == choices.VARIANTS
    assert choices.CLAIMS == CLAIMS
    assert set(choices.FIGURES) == set(FIGURES) | {figure.family for figure in FIGURES.values()}


SLIPS = [
    (("analyze", "x", "--step", "normalised"), "step: no 'normalised'; did you mean normalized?"),
    (("analyze", "x", "--proof", "requird"), "proof: no 'requird'; did you mean required?"),
    (("train", "x", "--algorithm", "mamal"), "algorithm: no 'mamal'; did you mean maml?"),
    (("train", "x", "--optimizer", "adma"), "optimizer: no 'adma'; did you mean adam?"),
    (("train", "x", "--start", "randm"), "start: no 'randm'; did you mean random?"),
    (("recommend", "x", "--variants", "gradient,normal-step"), "did you mean normalized-step?"),
    (("certify", "x", "1", "--claim", "Theorm 2"), "claim: no 'Theorm 2'; did you mean theorem 2?"),
    (("certify", "x", "1", "--claim", "lemma"), "claim: expected theorem 2, theorem 1"),
    (("reproduce", "--figure", "4"), "figure: expected 1, 2, 2a"),
    (("analyze", "cruise-controll"), "did you mean cruise-control?"),
    (("adapt", "x", "cruise-control", "--task", "1000kg"), "did you mean 1000 kg?"),
]


@pytest.mark.parametrize(("arguments", "said"), SLIPS)
def test_a_slip_is_answered_in_one_line(arguments, said):
    status, out, error = benign(*arguments)
    assert (status, out) == (2, "")
    assert said in error
    assert "\n" not in error


@pytest.mark.parametrize(
    "arguments", [SLIPS[0][0], SLIPS[2][0], SLIPS[6][0], SLIPS[10][0], ("--help",)]
)
def test_nothing_heavy_is_imported_for_it(arguments):
    status, error, modules = imported_by(*arguments)
    assert status == (2 if error else 0)
    assert not modules & {"jax", "scipy", "matplotlib", "optax", "equinox", "rich"}
    assert arguments != ("--help",) or not modules & {"flint", "numpy", "pydantic"}


def test_a_check_goes_without_jax(tmp_path):
    path = tmp_path / "certificate.json"
    assert benign("certify", "paper-figure-1", "0.6180339887", "--eta", "0.05", "--out", path)[0] == 0
    status, error, modules = imported_by("check", path)
    assert (status, error) == (0, "")
    assert not modules & {"jax", "scipy", "matplotlib", "rich"}


def test_names_are_read_without_regard_to_case():
    given = ("certify", "paper-figure-1", "0.6180339887", "--eta", "0.05", "--step", "Gradient")
    status, out, error = benign(*given, "--claim", "THEOREM  2")
    assert status == 0, error
    assert "(theorem 2)" in out


# --- ranges ----------------------------------------------------------------------------------


def test_a_range_is_evenly_spaced_and_exact():
    assert step_sizes("0.01:0.03:3") == [Fraction(1, 100), Fraction(2, 100), Fraction(3, 100)]
    assert step_sizes("0.1:0.2:4")[1] == Fraction(2, 15)
    assert step_sizes("1/50, 0.1:0.2:2") == ["1/50", Fraction(1, 10), Fraction(1, 5)]


def test_a_range_of_equal_ratios_says_log():
    assert step_sizes("0.01:0.16:5:log") == [Fraction(2**i, 100) for i in range(5)]
    assert step_sizes("0.1:0.3:3:log")[1] == Fraction("0.173")
    close = step_sizes("0.1:0.1001:9:log")
    assert sorted(set(close)) == close


@pytest.mark.parametrize(
    "text",
    ["0.1:0.2", "0:1:5", "2:1:5", "a:b:c", "0.1:0.2:1", "1:2:1e9", "1/0:2:3", "1:2:3:lin",
     "1:2:3:4:log", "1:2:", "1e999999999:2:3", "0.1,", "", "1:2:1001", "1:nan:3"],
)  # fmt: skip
def test_what_is_no_range_is_refused(text):
    with pytest.raises(ProblemError, match="eta: "):
        step_sizes(text)


def test_a_list_may_be_too_long():
    with pytest.raises(ProblemError, match="at most 100"):
        step_sizes(",".join(["0.1"] * 101), "etas", 100)


def test_every_verb_reads_the_same_range():
    status, out, error = benign("analyze", "paper-figure-3b", "--eta", "0.02:0.04:2")
    assert status == 0, error
    assert "eta = 0.02" in out
    assert "eta = 0.04" in out
    assert "The step sizes 0.02:0.04:2 are spaced evenly (linear)." in out
    status, out, error = benign("bifurcate", "paper-figure-3b", "--eta", "0.02:0.04:3:log")
    assert status == 0, error
    assert "The step sizes 0.02:0.04:3:log are spaced in equal ratios (log)." in out
    assert benign("bifurcate", "paper-figure-3b", "--eta", "0.02,0.03")[0] == 0
    status, out, error = benign(
        "recommend",
        "paper-figure-3b",
        "--etas",
        "0.02:0.04:2",
        "--starts",
        "2",
        "--variants",
        "gradient",
    )
    assert status == 0, error
    assert "spaced evenly (linear)" in out


@pytest.mark.parametrize(
    "arguments", [("train", "x"), ("certify", "x", "1"), ("recommend", "x")], ids=lambda a: a[0]
)
@pytest.mark.parametrize("eta", ["0.1,0.2", "0.1:0.2:2"])
def test_several_step_sizes_where_one_is_used_are_refused(arguments, eta):
    status, _, error = benign(*arguments, "--eta", eta)
    assert status == 2
    assert error == f"eta: {arguments[0]} uses one step size, and {eta!r} gives 2; choose one"


# --- several files ---------------------------------------------------------------------------


def test_certify_names_each_of_several_families_and_goes_on(tmp_path):
    out = tmp_path / "out"
    done = run(
        "certify", "no-family", "paper-figure-1", "paper-figure-3b", "0.6180339887", "--eta", "0.05",
        "--out", out,
    )  # fmt: skip
    assert done.returncode == 2
    assert "paper-figure-1: eta = 0.05: proved" in done.stdout
    assert "paper-figure-3b: eta = 0.05: proved" in done.stdout
    assert done.stderr.startswith("benign: error: no-family: ")
    assert {path.name for path in out.iterdir()} == {"paper-figure-1.json", "paper-figure-3b.json"}
    checked = benign("check", *sorted(out.iterdir()))
    assert checked[0] == 0, checked
    status, _, error = benign("certify", "a/x.toml", "b/x.toml", "1", "--out", out)
    assert (status, "one name" in error) == (2, True)


def test_check_names_the_file_in_every_error(tmp_path):
    path = tmp_path / "list.json"
    path.write_text('{"benign": "family"}')
    status, _, error = benign("check", path, tmp_path / ("x" * 300), tmp_path)
    assert status == 2
    first, second, third = error.splitlines()
    assert first.startswith(f"benign: error: {path}: ")
    assert f"{'x' * 20}: " in second  # the end of a name that is too long
    assert third.startswith(f"benign: error: {tmp_path}: ")


# --- completion ------------------------------------------------------------------------------


def completed(words):
    count = len(words.split(" ")) - 1
    done = run(_BENIGN_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=str(count))
    assert done.stderr == ""
    return done.stdout.split("\n")


def test_the_shell_completes_verbs_families_and_names():
    assert completed("benign a")[:2] == ["analyze", "adapt"]
    assert completed("benign analyze paper-figure-3")[:4] == [f"paper-figure-3{x}" for x in "abcd"]
    assert completed("benign examples cruise-")[0] == "cruise-control"
    assert completed("benign analyze x --proof r")[0] == "required"


def test_the_shell_completes_family_files(tmp_path):
    (tmp_path / "fleet.toml").write_text("")
    (tmp_path / "fleet.txt").write_text("")
    (tmp_path / "fleets").mkdir()
    found = completed(f"benign train {tmp_path}/fl")
    assert [word for word in found if word] == [f"{tmp_path}/fleet.toml", f"{tmp_path}/fleets/"]


def test_completion_is_installed_and_shown():
    assert "--install-completion" in benign("--help")[1]
    done = run("--show-completion", "bash", _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1")
    assert done.returncode == 0, done.stderr
    assert "_BENIGN_COMPLETE=complete_bash" in done.stdout


def test_step_sizes_that_lie_close_have_a_directory_each(tmp_path):
    status, _, error = benign(
        "analyze", "paper-figure-1", "--eta", "0.05,0.0500000001", "--out", tmp_path
    )
    assert status == 0, error
    assert {path.name for path in tmp_path.iterdir()} == {"eta-0.05", "eta-0.0500000001"}


def test_a_recommendation_is_about_one_step_size():
    status, _, error = benign("analyze", "paper-figure-1", "--eta", "0.05,0.1", "--recommend")
    assert status == 2
    assert "--recommend uses one step size" in error
