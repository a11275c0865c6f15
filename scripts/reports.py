"""The reports of the bundled families under validators: html5lib, html-validate and axe-core.

    python scripts/reports.py [NAME …] [--keep DIR]

Each family is analysed with a short budget and its page is made; html5lib parses it strictly,
html-validate applies the rules of the standard, and axe-core looks at it in Chromium as a screen reader
would, light and dark, wide and narrow. The last two come from npm into a temporary directory. What is
serious is printed, and the exit status is 1.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import html5lib

from benign.tasks.files import bundled_names

BUDGET = "40s"
TOOLS = ("axe-core@4.11.4", "html-validate@9.7.1")
RULES = {
    "extends": ["html-validate:standard"],
    # A template's text is not laid out for people, and one file has its style inside.
    "rules": {"no-trailing-whitespace": "off", "no-inline-style": "off", "long-title": "off",
              "require-sri": "off", "no-raw-characters": "off", "attribute-boolean-style": "off",
              "doctype-style": "off", "script-type": "off"},
}  # fmt: skip
GRAVE = ("serious", "critical")


def tools(folder: Path) -> Path:
    """axe-core and html-validate in a directory of their own."""
    subprocess.run(["npm", "install", "--silent", "--prefix", folder, *TOOLS], check=True)
    (folder / ".htmlvalidate.json").write_text(json.dumps(RULES))
    return folder


def made(name: str, folder: Path) -> Path:
    """The page of a family."""
    command = [sys.executable, "-m", "benign.cli", "analyze", name, "--budget", BUDGET]
    done = subprocess.run(
        [*command, "--out", folder / name, "--report"], capture_output=True, text=True
    )
    page = folder / name / "report.html"
    if not page.exists():
        sys.exit(f"{name}: {done.stdout[-500:]}{done.stderr[-500:]}")
    return page


def by_rules(page: Path, folder: Path) -> list[str]:
    """What html5lib and html-validate find."""
    parser = html5lib.HTMLParser()
    parser.parse(page.read_text(encoding="utf-8"))
    found = [f"html5lib: {place} {code}" for place, code, _ in parser.errors]
    command = [folder / "node_modules/.bin/html-validate", "--formatter", "json"]
    config = ["--config", folder / ".htmlvalidate.json"]
    told = folder / "told.json"  # a pipe would lose what is longer than its buffer
    with open(told, "w", encoding="utf-8") as file:
        done = subprocess.run([*command, *config, page], stdout=file, stderr=subprocess.PIPE, text=True)
    if done.returncode not in (0, 1) or not told.stat().st_size:
        sys.exit(f"html-validate: {done.stderr[-500:]}")
    for file in json.loads(told.read_text(encoding="utf-8")):
        for message in file["messages"]:
            where = f"{message['line']}:{message['column']}"
            found.append(f"html-validate: {where} {message['ruleId']}: {message['message'][:120]}")
    return found


def by_axe(pages: list[Path], folder: Path) -> dict[Path, list[str]]:
    """What axe-core finds in each page, in Chromium."""
    from playwright.sync_api import sync_playwright

    source = (folder / "node_modules/axe-core/axe.min.js").read_text(encoding="utf-8")
    found: dict[Path, list[str]] = {page: [] for page in pages}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        for path in pages:
            for width in (1200, 400):
                for scheme in ("light", "dark"):
                    # The page's own policy would not let the tool in.
                    page = browser.new_page(
                        viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True
                    )
                    page.goto(path.absolute().as_uri())
                    page.wait_for_timeout(1500)
                    page.evaluate(source)
                    result = page.evaluate("() => axe.run()")
                    wide = page.evaluate("() => document.documentElement.scrollWidth")
                    if wide > width:
                        found[path].append(f"{width}: the page is {wide} wide")
                    found[path] += [
                        f"axe: {width} {scheme} {v['impact']} {v['id']}: {v['nodes'][0]['html'][:100]}"
                        for v in result["violations"]
                        if v["impact"] in GRAVE
                    ]
                    page.close()
        browser.close()
    return found


def main() -> int:
    """Print what is serious; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", default=bundled_names())
    parser.add_argument("--keep", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = tools(Path(scratch) / "tools")
        place = given.keep or Path(scratch) / "out"
        pages = [made(name, place) for name in given.names]
        seen = by_axe(pages, folder)
        bad = 0
        for name, page in zip(given.names, pages, strict=True):
            found = [*by_rules(page, folder), *seen[page]]
            bad += len(found)
            print(
                f"{name}: {len(found)} serious findings, {page.stat().st_size / 1e6:.1f} MB", flush=True
            )
            for line in found[:20]:
                print(f"  {line}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
