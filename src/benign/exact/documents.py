"""The JSON form of a problem: what a certificate states, read with suspicion.

Each number is a string, "3/2" or "7", so that nothing is lost between the machine that proved and the
machine that checks.
"""

from __future__ import annotations

from typing import Any

from benign.errors import ProblemError
from benign.exact.numbers import MAX_WRITTEN, read_written, summed, written
from benign.exact.problem import Matrix, Plant, Problem, Task, make_family, make_step


def _matrix_to_json(matrix: Matrix) -> list[list[str]]:
    return [[written(x) for x in row] for row in matrix]


def _plant_to_json(plant: Plant) -> dict[str, Any]:
    document: dict[str, Any] = {
        key: _matrix_to_json(getattr(plant, key)) for key in ("A", "B", "Q", "R", "S0")
    }
    if plant.discount != 1:
        document["discount"] = written(plant.discount)
    if plant.noise is not None:
        document["noise"] = _matrix_to_json(plant.noise)
    if plant.N is not None:
        document["N"] = _matrix_to_json(plant.N)
    return document


def problem_to_json(problem: Problem) -> dict[str, Any]:
    """The problem as a JSON document, every number a string that is exactly that number.

    Raises:
        ProblemError: a number has more than `MAX_WRITTEN` digits.
    """
    tasks = []
    for task, weight in zip(problem.tasks, problem.weights, strict=True):
        entry: dict[str, Any] = {
            "name": task.name,
            "weight": written(weight),
            "cost": _plant_to_json(task.evaluation),
        }
        if task.adaptation is not None:
            entry["adaptation"] = _plant_to_json(task.adaptation)
        tasks.append(entry)
    step = problem.step
    return {
        "tasks": tasks,
        "step": {"kind": step.kind, "eta": written(step.eta), "shots": step.shots},
    }


def _expect(document: Any, kind: type, place: str) -> Any:
    if not isinstance(document, kind):
        raise ProblemError(f"{place}: expected {kind.__name__}, got {type(document).__name__}")
    return document


def _keys(document: Any, place: str, needed: set[str], optional: set[str] = frozenset()) -> Any:  # type: ignore[assignment]
    _expect(document, dict, place)
    missing, unknown = needed - set(document), set(document) - needed - optional
    if missing or unknown:
        what = "lacks" if missing else "has the unknown key"
        raise ProblemError(f"{place}: {what} {sorted(missing or unknown)[0]!r}")
    return document


def _matrix_from_json(document: Any, place: str, shape: tuple[int | None, int | None]) -> Matrix:
    _expect(document, list, place)
    rows = []
    for row in document:
        _expect(row, list, place)
        rows.append(tuple(read_written(_expect(x, str, place)) for x in row))
    wanted_rows = len(rows) if shape[0] is None else shape[0]
    wanted_columns = len(rows[0]) if rows and shape[1] is None else shape[1]
    if not rows or not rows[0] or len(rows) != wanted_rows:
        raise ProblemError(f"{place}: wrong shape")
    if any(len(row) != wanted_columns for row in rows):
        raise ProblemError(f"{place}: wrong shape")
    return tuple(rows)


def _plant_from_json(document: Any, place: str) -> Plant:
    _keys(document, place, {"A", "B", "Q", "R", "S0"}, {"discount", "noise", "N"})
    A = _matrix_from_json(document["A"], f"{place}.A", (None, None))
    n = len(A)
    if len(A[0]) != n:
        raise ProblemError(f"{place}.A: must be square")
    B = _matrix_from_json(document["B"], f"{place}.B", (n, None))
    m = len(B[0])
    symmetric = {}
    for key, size in (("Q", n), ("R", m), ("S0", n), ("noise", n)):
        if key not in document:
            continue
        matrix = _matrix_from_json(document[key], f"{place}.{key}", (size, size))
        if any(matrix[i][j] != matrix[j][i] for i in range(size) for j in range(i)):
            raise ProblemError(f"{place}.{key}: must be symmetric")
        symmetric[key] = matrix
    discount = read_written(_expect(document.get("discount", "1"), str, f"{place}.discount"))
    if not 0 < discount <= 1:
        raise ProblemError(f"{place}.discount: must lie in (0, 1]")
    if "noise" in symmetric and discount == 1:
        raise ProblemError(f"{place}.noise: needs a discount below 1")
    N = _matrix_from_json(document["N"], f"{place}.N", (n, m)) if "N" in document else None
    return Plant(
        A, B, symmetric["Q"], symmetric["R"], symmetric["S0"], discount, symmetric.get("noise"), N
    )


def problem_from_json(document: Any) -> Problem:
    """Read what `problem_to_json` wrote, checking every key and shape.

    Raises:
        ProblemError: a key is missing or unknown, a number is none, a shape or sign is wrong.
    """
    _keys(document, "problem", {"tasks", "step"})
    tasks, weights = [], []
    for i, entry in enumerate(_expect(document["tasks"], list, "problem.tasks")):
        place = f"problem.tasks[{i}]"
        _keys(entry, place, {"name", "weight", "cost"}, {"adaptation"})
        adaptation = entry.get("adaptation")
        tasks.append(
            Task(
                _expect(entry["name"], str, f"{place}.name"),
                _plant_from_json(entry["cost"], f"{place}.cost"),
                None if adaptation is None else _plant_from_json(adaptation, f"{place}.adaptation"),
            )
        )
        weights.append(read_written(_expect(entry["weight"], str, f"{place}.weight")))
    # Partial sums of ω/Σω: quotients of two sums that were within the limit when they were made.
    total = summed(weights, 2 * MAX_WRITTEN)
    if total != 1:
        raise ProblemError("problem.tasks: the weights do not sum to one")
    step = _keys(document["step"], "problem.step", {"kind", "eta", "shots"})
    eta = read_written(_expect(step["eta"], str, "problem.step.eta"))
    family = make_family(tasks, weights, total=total)
    return Problem(family, make_step(step["kind"], eta, step["shots"]))
