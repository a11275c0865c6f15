"""README's Python runs as it stands, and a type checker accepts it."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.S)

SCRIPT = """\
import numpy as np

import benign

family = benign.TaskFamily([benign.LQR(0.9, 1, 1, 1), benign.LQR(np.eye(1), [[0.5]], 1, 1)])
h = benign.MetaObjective(family, benign.GradientStep(0.05))
other = benign.MetaObjective("cruise-control", eta="0.05", shots=2)
landscape = benign.analyze(h, budget="30s")
best: float = float(landscape.minimum)
for point in landscape.minimizers:
    print(point.W.shape, point.value.lo, point.kind.is_minimum, point.gap)
if landscape.verdict:
    print(landscape.verdict.statement)
run = benign.train(h, steps=3)
print(run.gap, benign.adapt(run, benign.LQR(0.95, 1, 1, 1)).costs)
"""


def test_the_block_of_readme_runs(tmp_path):
    (tmp_path / "readme.py").write_text("\n".join(BLOCKS), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "readme.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "refuted: not every local minimum of h is global" in done.stdout
    assert (tmp_path / "out" / "landscape.json").exists()


@pytest.mark.parametrize("text", ["\n".join(BLOCKS), SCRIPT], ids=["README", "a user's script"])
def test_a_type_checker_accepts_it(text, tmp_path):
    pytest.importorskip("pyright")
    (tmp_path / "user.py").write_text(text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable, "user.py"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    found = json.loads(done.stdout)["generalDiagnostics"]
    assert not [d["message"] for d in found if d["severity"] == "error"]
