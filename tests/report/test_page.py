"""The page about results: what it says, that it asks for nothing, and that nothing in it is markup."""

import json
import re
import subprocess
import sys
from html.parser import HTMLParser

import html5lib
import pytest

from benign.clock import NO_LIMIT, Clock
from benign.errors import BudgetError, FileFormatError, OutputError
from benign.exact.problem import Problem, Task, make_family, make_step
from benign.prove.line.enumeration import analyze
from benign.report.gather import gather
from benign.report.page import is_report, report
from benign.report.words import answer
from command import benign
from helpers import scalar_plant
from test_hostile_names import NAMES


class Seen(HTMLParser):
    """Elements, attributes and the text between them."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.text = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_data(self, data):
        self.text.append(data)


def family(names):
    return make_family([Task(name, scalar_plant(1, q=1 + i, r=2)) for i, name in enumerate(names)])


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A directory with the landscape of two tasks."""
    folder = tmp_path_factory.mktemp("results")
    analyze(Problem(family(["light", "heavy"]), make_step("gradient", "0.1"))).save(folder)
    return folder


@pytest.fixture(scope="module")
def page(place):
    return report(place)


def words_of(text):
    return " ".join(" ".join(Seen(text).text).split())


def test_the_verdict_comes_first_and_the_page_is_well_formed(page):
    html5lib.HTMLParser(strict=True).parse(page)
    body = words_of(page[page.index("<main") : page.index('<script type="application/json"')])
    assert (
        body.index("Proved")
        < body.index("Tasks")
        < body.index("Landscape")
        < body.index("Local minima")
    )
    assert "Accepted when this page was made" in body
    assert "light" in body
    assert "benign check certificate.json" in body


def test_it_asks_nobody_for_anything(page):
    for tag, name, value in Seen(page).attributes:
        if name in ("src", "href", "action", "data", "srcset", "poster"):
            assert value.startswith(("data:", "#")), (tag, name, value[:80])
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]
    assert "default-src &#39;none&#39;" in policy
    assert "unsafe-eval" not in policy


def test_nothing_of_a_file_is_markup(tmp_path):
    hostile = [
        *NAMES[:8],
        "<script>alert(1)</script>",
        "{{ 7*7 }}{% raw %}",
        '"><img src=x onerror=alert(1)>',
    ]
    plain = [f"task {i}" for i in range(len(hostile))]
    pages = []
    for number, names in enumerate((plain, hostile)):
        folder = tmp_path / str(number)
        analyze(Problem(family(names), make_step("gradient", "0.1"))).save(folder)
        pages.append(Seen(report(folder)))
    clean, dirty = pages
    assert dirty.tags == clean.tags
    assert [a[:2] for a in dirty.attributes] == [a[:2] for a in clean.attributes]
    text = "".join(dirty.text)
    assert "{{ 7*7 }}" in text  # shown as it is, by a template that did not run it
    assert "\x1b" not in text
    assert "\u202e" not in text


def answer_of(folder):
    section = gather(folder, NO_LIMIT).sections[0]
    return answer(section.landscape, section.own)


def altered(folder, change, *, certificate=False):
    path = folder / ("certificate.json" if certificate else "landscape.json")
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


@pytest.mark.parametrize("what", ["values", "points", "gone", "altered", "other problem"])
def test_what_its_certificate_does_not_prove_is_not_called_proved(what, tmp_path):
    problem = Problem(family(["light", "heavy"]), make_step("gradient", "0.1"))
    analyze(problem).save(tmp_path)
    assert answer_of(tmp_path).word == "Proved"
    if what == "values":
        altered(tmp_path, lambda d: d.update(minimum=[0.5, 0.6]))
    elif what == "points":
        altered(tmp_path, lambda d: d["coverage"]["stationary_points"].append(
            d["coverage"]["stationary_points"][0]))  # fmt: skip
    elif what == "gone":
        (tmp_path / "certificate.json").unlink()
    elif what == "altered":
        altered(tmp_path, lambda d: d.update(epsilon=[0.0, 1e-3]), certificate=True)
    else:
        other = analyze(Problem(family(["light", "heavier"]), make_step("gradient", "0.1")))
        mine = json.loads((tmp_path / "landscape.json").read_text())
        mine["certificates"] = [other.certificate["digest"]]
        (tmp_path / "landscape.json").write_text(json.dumps(mine))
        (tmp_path / "certificate.json").write_text(json.dumps(other.certificate))
    found = answer_of(tmp_path)
    assert found.word == "Not confirmed"
    assert "Take nothing here as proved" in found.plain


def test_a_certificate_about_an_epsilon_is_not_told_as_one_about_zero(tmp_path):
    problem = Problem(family(["light", "heavy"]), make_step("gradient", "0.1"))
    analyze(problem, epsilon=3).save(tmp_path)
    found = answer_of(tmp_path).plain
    assert "by more than what was asked about" in found
    assert "cannot settle in a worse one" not in found


def test_a_page_with_a_recommendation_and_several_landscapes(tmp_path):
    status, out, err = benign(
        "analyze", "paper-figure-1", "--eta", "0.05,0.1", "--out", tmp_path, "--report"
    )
    assert status == 0, out + err
    benign(
        "recommend", "paper-figure-2", "--etas", "0.05", "--starts", "2", "--out", tmp_path / "advice"
    )
    status, out, err = benign("report", tmp_path, "--still")  # in place of the one above
    assert status == 0, out + err
    text = (tmp_path / "report.html").read_text()
    assert text.count("<article") == 3
    assert "Recommendation: advice" in text
    assert "<script" not in text


def test_it_takes_the_place_of_a_report_only(place, tmp_path):
    target = tmp_path / "mine.html"
    target.write_text("<p>mine</p>")
    with pytest.raises(OutputError, match="a file of that name is there"):
        raise_of("report", place, "--out", target)
    assert target.read_text() == "<p>mine</p>"
    assert benign("report", place, "--out", tmp_path / "b.html", "--still")[0] == 0
    assert is_report(tmp_path / "b.html")
    assert not is_report(target)
    assert benign("report", place, "--still")[0] == 0
    manifest = json.loads((place / "manifest.json").read_text())
    assert "report.html" in manifest["files"]
    assert manifest["complete"] is True


def raise_of(*arguments):
    status, _, err = benign(*arguments)
    if status == 2:
        raise OutputError(err)


def test_where_nothing_is_and_where_no_time_is(tmp_path, place):
    with pytest.raises(FileFormatError, match="no result"):
        report(tmp_path)
    with pytest.raises(FileFormatError, match="no such directory"):
        report(tmp_path / "nowhere")
    (tmp_path / "landscape.json").write_text('{"benign": "landscape"')
    with pytest.raises(FileFormatError, match=r"landscape\.json"):
        report(tmp_path)
    with pytest.raises(BudgetError):
        report(place, clock=Clock(0.0))


def test_json_in_the_page_reads_back_and_holds_no_tag(page):
    data = re.search(r'<script type="application/json" id="plots">(.*?)</script>', page, re.S)[1]
    assert "<" not in data
    figure = json.loads(data)["plot-1"]
    assert figure["target_id"] == "plot-1"


def test_without_jinja2_it_says_what_to_install(place):
    code = (
        "import sys; sys.modules['jinja2'] = None\n"
        "from benign.report.page import report\nfrom benign.errors import UsageError\n"
        f"try:\n    report({str(place)!r})\nexcept UsageError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 'pip install "benign[report]"' in done.stdout
