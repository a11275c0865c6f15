"""Search the landscape of every plant of the library, alone and with siblings; write docs/plants.md.

    python -m scripts.plants_table [--budget 60] [--only NAME] [--results out/plants.json]

After each search the results so far are written to a JSON file, whole or not at all; a second run goes
on where the first one stopped, and only renders the table if nothing is left to do. The numbers depend
on the machine where the budget ends a search; counts of minima are observations.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np
from scipy.linalg import solve_discrete_are

from benign.certificates.regret import REGRET
from benign.clock import Clock
from benign.errors import BenignError, ClaimError
from benign.files import write_atomically
from benign.meta.adaptation import GradientStep
from benign.meta.objective import MetaObjective
from benign.prove.certify import certify
from benign.searches.search import search
from benign.tasks.family import TaskFamily
from benign.tasks.lqr import LQR
from benign.tasks.plants import PERTURBATION, Record, family_of, prepare, records, siblings
from benign.verbs.points import proved_points
from benign.views.numbers import outward, short

ROOT = Path(__file__).parents[1]
SIBLINGS, SEED = 4, 0
PATIENCE = 3
"""A search that met no minimum is repeated once with so many times the budget."""

SHARE = 0.1
"""η is this share of 1/λmax(∇²C) at the optimum of the task where that is smallest."""

HEAD = f"""\
# Every plant of the library, searched

Written by `scripts/plants_table.py`; do not edit. Each plant of `src/benign/data/plants.json` is analysed alone and in a family with
{SIBLINGS} perturbed siblings, by `search` with a budget of {{budget:g}} s (compilation included), seed {SEED};
one that met no minimum is repeated once with {PATIENCE} times that.

How a plant becomes a task is stated in `benign.tasks.plants`: zero-order hold at a tenth of the fastest time constant; Q = I and
R = I where the source has none; S0 = I; a cross term removed by a change of input. A sibling has every non-zero entry of A and B
changed by up to {PERTURBATION:.0%} (uniform, fixed seed). One gradient step, η = {SHARE}/λmax(∇²C) at the optimum of the worst task,
rounded to one digit: small enough that the optimum of a task alone adapts to within its own basin.

- **minima**: local minima met, an observation. **starts**: random starts made within the budget.
- **proved**: how many of them are proved to be strict local minima (Krawczyk's test, docs/theory.md), in another {{budget:g}} s at most.
  That there are no others is not. Where it is fewer, ∇²h is singular there or nearly so, time was over, or the gain is too large.
- **gap**: a proved bound on h(W) − min h at the best minimum met (regret bound in ball arithmetic, rounded up); it holds whatever the
  search missed. One task alone is measured against its own optimum, so its gap is the rounding of W.
- **ε seen**: highest minus lowest of those minima: the smallest ε for which h is ε-global is at least this, to rounding.
- **missing**: the estimated chance that one more start ends at a minimum not met (Good–Turing).

"""  # noqa: E501


def main() -> int:
    """Run what is left, then write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--budget", type=float, default=60.0, help="seconds a search may take")
    parser.add_argument("--only", help="one plant, by name")
    parser.add_argument("--results", type=Path, default=ROOT / "out" / "plants.json")
    parser.add_argument("--table", type=Path, default=ROOT / "docs" / "plants.md")
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    options.results.parent.mkdir(parents=True, exist_ok=True)
    done: dict[str, Any] = {}
    if options.results.exists():
        done = json.loads(options.results.read_text(encoding="utf-8"))
    done.setdefault("budget", options.budget)
    rows: dict[str, Any] = done.setdefault("rows", {})
    for one in records():
        for count in (0, SIBLINGS):
            key = f"{one.name} + {count}"
            if key in rows or (options.only and one.name != options.only):
                continue
            rows[key] = outcome(one, count, done["budget"])
            write_atomically(options.results, json.dumps(done, indent=1) + "\n")
            print(f"{key}: {rows[key]}", file=sys.stderr, flush=True)
    write_atomically(options.table, table(done))
    return 0


def outcome(one: Record, count: int, budget: float) -> dict[str, Any]:
    """What a search met, or why there was none."""
    began = time.perf_counter()
    try:
        family, _ = family_of([one, *siblings(one, count, seed=SEED)])
        tasks = TaskFamily.from_exact(family)
        objective = MetaObjective(tasks, GradientStep(step_size(one, tasks)))
        found = search(objective, seed=SEED, budget=budget)
        if not found.minimizers:  # the time went on compiling, or on the way to a feasible gain
            found = search(objective, seed=SEED, budget=PATIENCE * budget)
        found = proved_points(found, clock=Clock(budget))
        minima = found.minimizers
        row = {
            "eta": float(objective.step.eta),
            "minima": len(minima),
            "proved": sum(point.is_proved for point in minima),
            "starts": found.starts,
            "missing": found.missing_mass,
            "epsilon": found.spread,
            "verdict": str(found.verdict),
            "best": minima[0].height if minima else None,
            "gap": gap(objective, minima[0].W) if minima else None,
        }
    except BenignError as error:
        row = {"refused": str(error)}
    return row | {"seconds": time.perf_counter() - began}


def step_size(one: Record, tasks: TaskFamily) -> str:
    """η = SHARE/λmax(∇²C), C's Hessian at each task's optimum, the smallest of them, to one digit."""
    best = np.stack([optimum(task) for task in tasks])
    H = np.asarray(jax.vmap(lambda task, W: task.hessian(W))(tasks.tasks, best))
    p = tasks.m * tasks.n
    largest = float(np.linalg.eigvalsh(H.reshape(-1, p, p))[:, -1].max())
    if not largest > 0:
        raise ClaimError("the cost has no curvature at its optimum: nothing to adapt to")
    return f"{SHARE / largest:.0e}"


def optimum(task: LQR) -> np.ndarray:
    """W*; by SciPy where the library's own solver finds none, as where Q does not see a mode."""
    found = task.optimum()
    if np.isfinite(float(found.cost)):
        return np.asarray(found.W)
    A, B, Q, R = (np.asarray(X) for X in (task.A, task.B, task.Q, task.R))
    try:
        P = solve_discrete_are(A, B, Q, R)
    except (np.linalg.LinAlgError, ValueError) as error:
        raise ClaimError(f"no stabilising solution of the Riccati equation: {error}") from error
    W = np.linalg.solve(R + B.T @ P @ B, B.T @ P @ A)
    if not np.isfinite(float(task.cost(W))):
        radius = float(np.max(np.abs(np.linalg.eigvals(A - B @ W))))
        raise ClaimError(
            f"the best gain does not stabilise (ρ = {radius:.12g}): Q does not see a mode on the unit "
            "circle, so no stabilising gain is best, and there is no curvature to choose η by"
        )
    return W


def gap(objective: MetaObjective, W: np.ndarray) -> float | str:
    """The certified gap, or why there is none."""
    try:
        return float(certify(objective.problem, W, REGRET)["gap"])
    except ClaimError as error:
        return str(error)


# --- the table --------------------------------------------------------------------------------


def table(done: dict[str, Any]) -> str:
    """The document."""
    text = HEAD.format(budget=done["budget"]) + totals(done) + "\n\n"
    text += "| plant | n, m | tasks | η | minima | proved | best h | gap ≤ | ε seen | missing |"
    text += " starts | s |\n"
    text += "|-|-|-|-|-|-|-|-|-|-|-|-|\n"
    refused: list[str] = []
    for one in records():
        for count in (0, SIBLINGS):
            row = done["rows"].get(f"{one.name} + {count}")
            if row is None:
                continue
            head = f"| {one.name} | {one.n}, {one.m} | {count + 1} |"
            if "refused" in row:
                refused.append(
                    f"- {one.name}, {count + 1} task{'s' if count else ''}: {row['refused']}"
                )
                text += f"{head} refused, see below ||||||||| {row['seconds']:.0f} |\n"
            else:
                text += f"{head} {cells(row)} |\n"
    if refused:
        text += "\n## Refused\n\n" + "\n".join(refused) + "\n"
    text += "\n## What was added to the sources\n\n"
    for one in records():
        try:
            added = "; ".join(prepare(one).added) or "nothing"
        except BenignError as error:
            added = str(error)
        text += f"- {one.name}: {added}\n"
    return text


def totals(done: dict[str, Any]) -> str:
    """A sentence on all of it."""
    rows = [row for row in done["rows"].values() if "refused" not in row]
    minima, proved = (sum(row[key] for row in rows) for key in ("minima", "proved"))
    refuted = sum(row["verdict"].startswith("refuted") for row in rows)
    return (
        f"Of {minima} minima {proved} are proved; of {refuted} of the {len(rows)} problems it is "
        "proved that not every local minimum is global, by two of them."
    )


def cells(row: dict[str, Any]) -> str:
    """The numbers of a row."""
    best = "–" if row["best"] is None else f"{row['best']:.7g}"
    proved = row["gap"]
    if isinstance(proved, float):
        proved = outward(proved, 2, down=False)
    return " | ".join([
        short(row["eta"]), str(row["minima"]), str(row["proved"]), best,
        "–" if proved is None else str(proved),
        short(row["epsilon"], 2) if row["minima"] > 1 else "–", f"{100 * row['missing']:.3g} %",
        str(row["starts"]), f"{row['seconds']:.0f}",
    ])  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
