"""The front door for objectives: a `MetaObjective`, an exact `Problem`, or a family and a step.

Every verb that takes an objective reads it here, and nowhere else. Importing this loads no JAX: a
problem, a file or a bundled name becomes an exact problem without it.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from benign.errors import UsageError
from benign.exact.problem import Problem, Step, StepKind, make_step
from benign.tasks.files import FamilyFile
from benign.tasks.given import FAMILIES, as_exact_family, as_task_family, described, is_family, opened

if TYPE_CHECKING:
    from benign.meta.adaptation import AdaptationStep
    from benign.meta.objective import MetaObjective

KINDS = ("gradient", "normalized")

OBJECTIVES = f"a MetaObjective, a Problem, or a family and its step size eta; a family is {FAMILIES}"
"""What is taken for an objective."""


class Rule(NamedTuple):
    """A step in pieces, η as it was given."""

    kind: StepKind
    eta: Any
    shots: Any


def is_objective(value: Any) -> bool:
    """Whether the value is an objective with its step, and not a family that needs one."""
    return isinstance(value, Problem) or _is_a(value, "benign.meta.objective", "MetaObjective")


def as_problem(
    objective: Any, call: str, *, eta: Any = None, step: Any = None, shots: Any = None
) -> Problem:
    """h(W) = Σ ω_τ f_τ(F_τ(W)) in exact numbers.

    Args:
        objective: one of `OBJECTIVES`.
        call: the call it was given to, for messages.
        eta, step, shots: the step of a family, as in `MetaObjective`.

    Raises:
        UsageError: it is none of them; a family without a step size; a step beside an objective that
            has one.
        FileFormatError, ProblemError: as `tasks.given.as_exact_family` and `make_step`.
    """
    if is_objective(objective):
        require_alone(call, eta, step, shots)
        return objective if isinstance(objective, Problem) else objective.problem
    family = _family(objective, call)
    rule = _rule(family, call, eta, step, shots)
    if not isinstance(rule, Rule):
        exact = rule if isinstance(rule, Step) else rule.exact()
    else:
        exact = make_step(*rule)
    return Problem(as_exact_family(family, call), exact)


def as_objective(
    objective: Any, call: str, *, eta: Any = None, step: Any = None, shots: Any = None
) -> MetaObjective:
    """The objective for JAX; arguments and errors as `as_problem`."""
    from benign.meta.objective import MetaObjective

    if isinstance(objective, MetaObjective):
        require_alone(call, eta, step, shots)
        return objective
    if isinstance(objective, Problem):
        require_alone(call, eta, step, shots)
        objective, step = objective.family, objective.step
    family = _family(objective, call)
    rule = as_rule(family, call, eta=eta, step=step, shots=shots)
    return MetaObjective(as_task_family(family, call), rule)


def meta_objective(objective: MetaObjective | Problem) -> MetaObjective:
    """The objective for JAX, of one that may be it already."""
    return as_objective(objective, "meta_objective")


def as_rule(
    family: Any, call: str, *, eta: Any = None, step: Any = None, shots: Any = None
) -> AdaptationStep:
    """The step that goes with a family, for JAX: a step as it is, or made of its pieces.

    Args:
        family: a `FamilyFile` may suggest a step, of which the first η is taken.
        call: for messages.
        eta: η > 0, a traced number included.
        step: an `AdaptationStep`, an exact `Step`, "gradient" or "normalized", or η itself.
        shots: how often it is applied; once by default.

    Raises:
        UsageError: no step size; a size beside a step that has one.
        ProblemError: a number is out of range.
    """
    from benign.meta.adaptation import GradientStep, NormalizedStep, step_of

    rule = _rule(family, call, eta, step, shots)
    if isinstance(rule, Step):
        return step_of(rule)
    if not isinstance(rule, Rule):
        return rule
    kind: Any = GradientStep if rule.kind == "gradient" else NormalizedStep
    return kind(rule.eta, rule.shots)


def settings_of(value: Any, call: str) -> tuple[Any, Step | None]:
    """The family and the step in use, where there is one: of an objective, or first in a file.

    Raises:
        UsageError, FileFormatError, ProblemError: as `as_problem`.
    """
    if isinstance(value, Problem):
        return value.family, value.step
    if is_objective(value):
        return value.family, value.step.exact()
    family = _family(value, call)
    suggested = family.step if isinstance(family, FamilyFile) else None
    return family, suggested.steps[0] if suggested is not None else None


def _family(value: Any, call: str) -> Any:
    """The value, a path or a name opened."""
    if not is_family(value):
        raise UsageError(f"{call}: expected an objective, got {described(value)}; give {OBJECTIVES}")
    return opened(value) if isinstance(value, (str, os.PathLike)) else value


def _rule(family: Any, call: str, eta: Any, step: Any, shots: Any) -> Rule | Step | AdaptationStep:
    if isinstance(step, Step) or _is_a(step, "benign.meta.adaptation", "AdaptationStep"):
        if eta is not None or shots is not None:
            raise UsageError(f"{call}: the step has its eta and shots; give either it or these")
        return step
    if step is not None and not (isinstance(step, str) and step in KINDS):
        if eta is not None:
            raise UsageError(
                f'{call}: step: expected a step, "gradient" or "normalized", got {described(step)}'
            )
        step, eta = None, step
    suggested = family.step if isinstance(family, FamilyFile) else None
    if eta is None and suggested is None:
        raise UsageError(f"{call}: there is no step size; give it, such as eta=0.05")
    if suggested is not None:
        eta = suggested.eta[0] if eta is None else eta
        step = suggested.kind if step is None else step
        shots = suggested.shots if shots is None else shots
    return Rule("gradient" if step is None else step, eta, 1 if shots is None else shots)


def require_alone(call: str, eta: Any, step: Any, shots: Any) -> None:
    """Refuse the pieces of a step beside an objective, which has one.

    Raises:
        UsageError: one of them is given; the message begins with the call.
    """
    given = {"eta": eta, "step": step, "shots": shots}
    if names := [name for name, value in given.items() if value is not None]:
        raise UsageError(
            f"{call}: the objective has its step; leave out {', '.join(names)}, or give its family"
        )


def _is_a(value: Any, module: str, name: str) -> bool:
    # Whoever has such an object has imported its module; nobody else is to load JAX for the question.
    loaded = sys.modules.get(module)
    return loaded is not None and isinstance(value, getattr(loaded, name, ()))
