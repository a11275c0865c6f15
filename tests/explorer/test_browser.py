"""The explorer as a user meets it: opened, moved, proved, saved; by two at once; with bad files."""

import json
import subprocess
import sys

import pytest
from browser import chromium, explorer, needs_browser
from playwright.sync_api import expect

from benign.tasks.files import load

pytestmark = needs_browser

WAIT = 60_000
"""Milliseconds until what must come has come, on a machine that is busy."""

HOSTILE = """
benign = 1
title = "<img src=x onerror=alert(1)><script>alert(2)</script>"
[[tasks]]
name = "<b>{{ 7*7 }}</b> $x$"
A = 1
B = 1
Q = 1
R = 2
"""


@pytest.fixture(scope="module")
def address():
    with explorer("cruise-control", "--budget", "20s") as found:
        yield found


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        yield found


@pytest.fixture
def page(browser, address):
    """The explorer, opened by somebody new; what went wrong in the browser fails the test."""
    context = browser.new_context(viewport={"width": 1200, "height": 900}, accept_downloads=True)
    found = opened(context, address)
    wrong = []
    found.on("pageerror", lambda error: wrong.append(str(error)))
    found.on("dialog", lambda dialog: (wrong.append(f"dialog {dialog.message}"), dialog.dismiss()))
    yield found
    assert not wrong
    context.close()


def opened(context, address):
    page = context.new_page()
    outside = []
    page.on("request", lambda r: None if address in r.url or r.url.startswith(("data:", "blob:"))
            else outside.append(r.url))  # fmt: skip
    page.goto(address)
    page.get_by_text("Cruise control").first.wait_for(timeout=WAIT)
    page.wait_for_function(
        "() => window.Bokeh && Bokeh.documents.length && Bokeh.documents[0].get_model_by_name('curve')",
        timeout=WAIT,
    )
    assert not outside
    return page


def curve(page):
    return page.evaluate("() => Array.from(Bokeh.documents[0].get_model_by_name('curve').data['h'])")


def drag_eta(page, pixels):
    handle = page.locator(".noUi-handle").first
    box = handle.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    for i in range(1, 9):
        page.mouse.move(x + pixels * i / 8, y)
    page.mouse.up()


def eta_of(page):
    return float(page.get_by_label("η", exact=True).input_value())


def test_moved_proved_saved_and_accepted(page, tmp_path):
    before, eta = curve(page), eta_of(page)
    drag_eta(page, -40)
    page.wait_for_function(
        "old => Bokeh.documents[0].get_model_by_name('curve').data['h'][250] !== old",
        arg=before[250], timeout=WAIT,
    )  # fmt: skip
    assert eta_of(page) < eta
    page.get_by_role("button", name="add a task").click()
    page.get_by_text("5 tasks").wait_for(timeout=WAIT)
    page.get_by_role("button", name="cost × 2").click()
    page.get_by_text("save the certificate").wait_for(timeout=WAIT)
    files = {"save the certificate": "certificate.json", "save the family": "family.toml"}
    for label, name in files.items():
        with page.expect_download(timeout=WAIT) as waiting:
            page.get_by_text(label).click()
        waiting.value.save_as(tmp_path / name)
    command = [sys.executable, "-m", "benign.cli", "check", str(tmp_path / "certificate.json")]
    done = subprocess.run(
        [*command, "--family", str(tmp_path / "family.toml")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "accepted" in done.stdout
    assert "number for number" in done.stdout
    file = load(tmp_path / "family.toml")
    assert len(file.family.tasks) == 5
    assert float(file.step.eta[0]) == eta_of(page)
    certificate = json.loads((tmp_path / "certificate.json").read_text())
    assert page.get_by_text(certificate["status"].capitalize(), exact=True).count() == 1


def test_two_users_do_not_see_each_others_state(page, browser, address):
    other_context = browser.new_context()
    other = opened(other_context, address)
    before, eta = curve(other), eta_of(other)
    page.get_by_role("button", name="add a task").click()
    drag_eta(page, 30)
    page.get_by_text("5 tasks").wait_for(timeout=WAIT)
    expect(page.get_by_label("η", exact=True)).not_to_have_value("0.1", timeout=WAIT)
    other.get_by_role("button", name="remove").click()
    other.get_by_text("3 tasks").wait_for(timeout=WAIT)
    assert page.get_by_text("5 tasks").count() == 1
    assert eta_of(other) == eta != eta_of(page)
    other.wait_for_function(
        "old => Bokeh.documents[0].get_model_by_name('curve').data['h'][250] !== old",
        arg=before[250], timeout=WAIT,
    )  # fmt: skip
    other_context.close()


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("family.toml", "benign = 1\n[[tasks]\n", "not valid TOML"),
        ("family.toml", "import os; os.system('x')", "not valid TOML"),
        ("family.json", '{"benign": 1, "tasks": []}', "no task"),
        ("family.py", "print(1)", "name the file .toml or .json"),
        ("family.toml", b"\xff\xfe\x00", "not UTF-8"),
        ("family.toml", "#" * 300_000, "kB are the most"),
    ],
)
def test_a_malformed_file_gets_a_sentence_and_changes_nothing(page, name, text, said):
    data = text if isinstance(text, bytes) else text.encode()
    before = curve(page)
    page.locator("input[type=file]").set_input_files(
        {"name": name, "mimeType": "text/plain", "buffer": data}
    )
    alert = page.get_by_role("alert")
    alert.wait_for(timeout=WAIT)
    assert said in alert.inner_text()
    assert curve(page) == before
    assert page.get_by_text("4 tasks").count() == 1


def test_a_hostile_file_is_text(page):
    page.locator("input[type=file]").set_input_files(
        {"name": "family.toml", "mimeType": "text/plain", "buffer": HOSTILE.encode()}
    )
    heading = page.get_by_role("heading", name="onerror=alert(1)")
    heading.wait_for(timeout=WAIT)
    assert heading.inner_text().startswith("<img src=x")
    assert page.locator("h1 img, h1 script").count() == 0
    assert page.get_by_text("1 task, ").count() == 1


def test_a_click_draws_a_descent_that_ends_at_a_minimum(page):
    box = page.locator(".bk-Figure canvas").first.bounding_box()
    page.mouse.click(box["x"] + 0.45 * box["width"], box["y"] + 0.5 * box["height"])
    page.wait_for_function(
        "() => Bokeh.documents[0].get_model_by_name('paths').data['xs'].length == 1", timeout=WAIT
    )
    heights = page.evaluate(
        "() => Array.from(Bokeh.documents[0].get_model_by_name('paths').data['ys'][0])"
    )
    assert all(a >= b for a, b in zip(heights, heights[1:], strict=False))
    spots = page.evaluate("() => Array.from(Bokeh.documents[0].get_model_by_name('spots').data['h'])")
    assert min(abs(heights[-1] - h) for h in spots) < 1e-6
