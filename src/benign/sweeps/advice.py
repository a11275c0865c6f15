"""From the cells of a grid to one piece of advice, with its reason in plain words."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import isfinite, log

from benign.exact.rounding import at_least, at_most
from benign.sweeps.recommendation import Advice, Cell, Variant, Word

WORTH = 5e-3
"""A change has to lower the cost at the worst minimum by this share to be worth while. (A choice.)"""

APART = 0.1
"""Tasks are too distinct where the best cell leaves the average cost this far above the mean
optimum. (A choice.)"""

ALIKE = 0.1
"""Cells of one variant whose worst minima agree to this multiple of WORTH are not told apart."""

PREFERENCE = (Variant.GRADIENT, Variant.COSTS, Variant.NORMALIZED)
"""Between variants that do equally well: the one that changes least."""


def decide(
    cells: Sequence[Cell], present: Cell | None, optimum: float, missed: int
) -> tuple[Advice, Cell, str]:
    """The advice, the cell it leads to, and why.

    The cells whose worst minimum costs least, to WORTH, are good. Among them the present one is kept;
    else the variant that is good over the largest part of its step sizes is taken, and of it the cell
    whose worst minimum costs least.

    Args:
        cells: one of them feasible at least.
        present: the one in use; None takes the best of the gradient step.
        optimum: Σ ω_τ f_τ*; ∞ if not known.
        missed: cells that were not looked at.
    """
    feasible = [cell for cell in cells if cell.word is not Word.INFEASIBLE]
    least = min(cell.worst for cell in feasible)
    good = [cell for cell in feasible if cell.worst <= (1 + WORTH) * least]
    base = present
    if base is None:
        mine = [cell for cell in feasible if cell.variant is Variant.GRADIENT]
        base = min(mine, key=lambda cell: cell.worst, default=None)

    def breadth(variant: Variant) -> float:
        every = [cell for cell in cells if cell.variant is variant]
        return sum(cell in good for cell in every) / len(every)

    if base is not None and base in good:
        chosen = base
    else:
        variant = max({cell.variant for cell in good}, key=lambda v: (breadth(v), -PREFERENCE.index(v)))
        chosen = _of_variant([cell for cell in good if cell.variant is variant], base)
    advice = _advice(chosen, base, optimum)
    return advice, chosen, _reason(advice, chosen, base, cells, good, optimum, missed)


def _of_variant(cells: Sequence[Cell], base: Cell | None) -> Cell:
    """The best cell of a variant; of those about as good, the least change of η, or the middle one.

    (A length and a step size cannot be compared, and the middle is furthest from where it ends.)
    """
    least = min(cell.worst for cell in cells)
    near = [cell for cell in cells if cell.worst <= (1 + ALIKE * WORTH) * least]
    if base is None or cells[0].variant is Variant.NORMALIZED:
        return near[len(near) // 2]
    return min(near, key=lambda cell: abs(log(float(cell.eta) / float(base.eta))))


def _advice(chosen: Cell, base: Cell | None, optimum: float) -> Advice:
    if chosen.worst > (1 + APART) * optimum:
        return Advice.DISTINCT
    if chosen is base:
        return Advice.KEEP
    if chosen.variant is Variant.COSTS:
        return Advice.NORMALIZE
    if chosen.variant is Variant.NORMALIZED or base is None:
        return Advice.STEP if chosen.variant is Variant.NORMALIZED else Advice.KEEP
    return Advice.LOWER if chosen.eta < base.eta else Advice.RAISE


# --- words -----------------------------------------------------------------------------------


def _reason(
    advice: Advice,
    chosen: Cell,
    base: Cell | None,
    cells: Sequence[Cell],
    good: Sequence[Cell],
    optimum: float,
    missed: int,
) -> str:
    lines = []
    if base is not None and base is not chosen:
        lines.append(f"As it is, {_account(base)}")
    lines.append(f"{'Recommended' if base is not chosen else 'As it is'}: {_account(chosen)}")
    if advice is Advice.DISTINCT:
        lines.append(
            f"The tasks' own optima cost {optimum:.6g} on average; what is best here can leave the "
            f"average {_percent(chosen.worst / optimum - 1)} above that: split the family, or give "
            "adaptation more shots."
        )
    elif chosen is base:
        lines.append(
            f"Nothing that was looked at lowers the cost at the worst minimum by {_percent(WORTH)}."
        )
    else:
        mine = [cell for cell in cells if cell.variant is chosen.variant]
        count = sum(cell in good for cell in mine)
        lines.append(
            f"{_capital(chosen.variant.words)} does that well (to {_percent(WORTH)}) at {count} of the "
            f"{len(mine)} step sizes looked at."
        )
    variants = len({cell.variant for cell in cells})
    tail = f", {missed} more were not reached in the time given" if missed else ""
    lines.append(
        f"This rests on {len(cells)} cells ({variants} variant{'s' if variants > 1 else ''}){tail}; "
        "nothing is said between or beyond them. Shares of starts are observed."
    )
    return "\n".join(lines)


def _account(cell: Cell) -> str:
    """One cell in a sentence."""
    where = f"{cell}"
    if cell.word is Word.INFEASIBLE:
        return f"no feasible gain was found for {where}."
    cost = f"attains {cell.best:.6g} at its best minimum"
    if f"{cell.worst:.6g}" != f"{cell.best:.6g}":
        cost += f" and {cell.worst:.6g} at the worst"
    low, high = cell.interval
    return (
        f"{where} {cost} (original costs); {_epsilon(cell)}; {cell.reached} of {cell.starts} random "
        f"starts reach the best ({100 * low:.0f} to {100 * high:.0f} % at 95 % confidence)."
    )


def _epsilon(cell: Cell) -> str:
    epsilon = cell.relative_epsilon
    if cell.word is Word.OBSERVED:
        return f"observed: the {cell.scope} differ by {_percent(epsilon.lo)}"
    if epsilon.hi == 0:
        every = cell.scope == "local minima"
        return f"proved: {'every local minimum is global' if every else f'the {cell.scope} are equal'}"
    if isfinite(epsilon.hi):
        return f"proved: the {cell.scope} lie within {_at_most(epsilon.hi)} of the least"
    some = f", some lie at least {_at_least(epsilon.lo)} above the least" if epsilon.lo > 0 else ""
    return f"the proof leaves open how far the {cell.scope} differ{some}"


def _at_most(x: float) -> str:
    """A percentage of two digits that is no less than x."""
    return f"{at_most(100 * Fraction(x), 2)} %"


def _at_least(x: float) -> str:
    """A percentage of two digits that is no more than x."""
    return f"{at_least(100 * Fraction(x), 2)} %"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _percent(x: float) -> str:
    return f"{100 * x:.2g} %"
