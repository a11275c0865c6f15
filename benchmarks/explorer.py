"""From a slider's movement to the redrawn picture, in a real browser.

    python -m benchmarks.explorer [MOVEMENTS]

A value of the slider is set in the page, and the clock stops at the first frame after the new data of
the curve are there: the socket, the server's work and the drawing are in it. One movement at a time.
Exits with 1 if a median is above its limit.
"""

from __future__ import annotations

import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

LIMITS = {"11 tasks, one parameter": 150.0, "5 tasks, two parameters": 400.0}
"""Milliseconds, of the median."""

FIVE = """
benign = 1
title = "Five masses on a line"
[step]
eta = [0.005]
[defaults]
A = [[1, 0.5], [0, 1]]
Q = [[1, 0], [0, 0.1]]
R = 1
""" + "".join(
    f'[[tasks]]\nname = "{mass} kg"\nB = [[{0.125 / mass}], [{0.5 / mass}]]\n'
    for mass in (0.5, 1, 2, 3, 4)
)

MOVE = """
([name, movements]) => new Promise(async (resolve) => {
  const document = Bokeh.documents[0];
  const isSlider = (m) => (m.title || "").includes("power of ten");
  const slider = [...document._all_models.values()].find(isSlider);
  const source = document.get_model_by_name(name);
  const times = [];
  const middle = slider.value;
  const wait = (ms) => new Promise((done) => setTimeout(done, ms));
  await wait(1500);
  for (let i = 0; i < movements; i++) {
    const began = performance.now();
    const drawn = new Promise((done) => {
      const heard = () => { source.disconnect(source.properties.data.change, heard);
        requestAnimationFrame(() => requestAnimationFrame(() => done())); };
      source.connect(source.properties.data.change, heard);
    });
    slider.value = middle - 0.3 * Math.sin(1 + i) - 0.001 * i;
    await Promise.race([drawn, wait(5000)]);
    times.push(performance.now() - began);
    await wait(60);
  }
  resolve(times);
})
"""


def measured(family: str, name: str, movements: int) -> list[float]:
    """Milliseconds of each movement; the first one is left out."""
    from playwright.sync_api import sync_playwright

    command = [sys.executable, "-m", "benign.cli", "explore", family, "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert server.stdout is not None
    try:
        found = re.search(r"http://\S+", server.stdout.readline())
        assert found is not None
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox"]
            )
            page = browser.new_page()
            page.goto(found[0])
            page.wait_for_function(
                "name => window.Bokeh?.documents.length && Bokeh.documents[0].get_model_by_name(name)",
                arg=name, timeout=60_000,
            )  # fmt: skip
            times = page.evaluate(MOVE, [name, movements + 1])
            browser.close()
            return times[1:]
    finally:
        server.terminate()
        server.wait(20)
        server.stdout.close()


def main(movements: int = 40) -> int:
    """Print medians and ninths deciles; the exit status."""
    if shutil.which("chromium") is None:
        sys.exit("no Chromium here; `apt-get install chromium` brings one")
    late = 0
    with tempfile.TemporaryDirectory() as folder:
        five = Path(folder) / "five.toml"
        five.write_text(FIVE, encoding="utf-8")
        cases = (("paper-figure-3d", "curve"), (str(five), "image"))
        for (words, limit), (family, name) in zip(LIMITS.items(), cases, strict=True):
            times = sorted(measured(family, name, movements))
            median = statistics.median(times)
            late += median > limit
            print(
                f"{words}: median {median:.0f} ms (limit {limit:.0f}), nine of ten below "
                f"{times[int(0.9 * len(times))]:.0f} ms, {len(times)} movements",
                flush=True,
            )
    return 1 if late else 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
