"""Zero-order hold: a continuous-time plant as the sampled plant a digital controller sees.

The result is a pair of float64 matrices, each entry the one nearest to the true value, and from
then on those binary numbers are the plant. A proof therefore speaks of the plant as sampled and
rounded to float64, not of the continuous one.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal

from benign.errors import ProblemError

if TYPE_CHECKING:
    from benign.exact.problem import Matrix

MAX_NORM = 10**6
"""Largest ‖A‖∞·dt that is sampled: beyond it a sample spans a million time constants."""

MAX_SIZE = 100
"""Largest n + m that is sampled: a dense exponential in balls costs (n + m)³ long products."""

Time = Literal["discrete", "continuous"]
"""What A and B are those of: s' = A s + B a, or dx/dt = A x + B u."""

_FIRST_PRECISION, _LAST_PRECISION = 128, 16_384


def is_sampled(time: Time | None, dt: Any) -> bool:
    """Whether a plant is given in continuous time, so that `zero_order_hold` is due.

    Args:
        time: None where nothing is said; it is discrete then.
        dt: the sampling time, or None.

    Raises:
        ProblemError: another word; a continuous plant without `dt`; `dt` without a word on time.
    """
    if time not in (None, "discrete", "continuous"):
        raise ProblemError(f'`time`: expected "discrete" or "continuous", got {time!r}')
    if dt is not None and time is None:
        raise ProblemError('`dt` is given without `time`; say time = "continuous" to sample')
    if time == "continuous" and dt is None:
        raise ProblemError('time = "continuous" needs the sampling time `dt`, in seconds')
    return time == "continuous"


def zero_order_hold(A: Matrix, B: Matrix, dt: Fraction) -> tuple[Matrix, Matrix]:
    """exp([[A, B], [0, 0]] dt) = [[A_d, B_d], [0, I]], correctly rounded to float64.

    A_d = exp(A dt) and B_d = ∫₀^dt exp(A t) B dt: the input is constant between samples. Computed
    with balls at rising precision until each enclosure rounds to one float64; where the block is
    nilpotent (chains of integrators) the exponential is a polynomial and is summed exactly.

    Args:
        A: (n, n), per second.  B: (n, m), per second.  dt: the sampling time in seconds, positive.

    Returns:
        A_d (n, n) and B_d (n, m), entries exactly the rounded float64 numbers.

    Raises:
        ProblemError: dt ≤ 0, a plant too large or too fast for dt, an entry beyond float64.
    """
    n, m = len(A), len(B[0])
    if dt <= 0:
        raise ProblemError(f"the sampling time must be positive, got {float(dt):g}")
    if n + m > MAX_SIZE:
        raise ProblemError(
            f"a continuous plant of {n} states and {m} inputs is too large to be sampled here "
            f"(at most {MAX_SIZE} together); sample it yourself and give it as discrete"
        )
    norm = dt * max(sum(abs(x) for x in row) for row in A)
    if norm > MAX_NORM:
        raise ProblemError(
            f"‖A‖·dt exceeds {MAX_NORM:g}: the plant is far too fast for this dt; "
            "check the units or give a smaller dt"
        )
    scale, block = _scaled_block(A, B, dt)
    exponential = _nilpotent_exponential(block)
    if exponential is None:
        exponential = _ball_exponential(block, n, n + m, scale)
    try:
        rounded = [
            [Fraction(float(exponential[i][j] * (scale if j >= n else 1))) for j in range(n + m)]
            for i in range(n)
        ]
    except OverflowError as error:
        raise ProblemError(
            "the sampled plant is beyond the range of a float64: it grows too much within one dt; "
            "check the units or give a smaller dt"
        ) from error
    return tuple(tuple(row[:n]) for row in rounded), tuple(tuple(row[n:]) for row in rounded)


def _scaled_block(A: Matrix, B: Matrix, dt: Fraction) -> tuple[Fraction, list[list[Fraction]]]:
    """[[A dt, B dt / scale], [0, 0]]: B enters linearly, so a huge B need not cost precision."""
    n, m = len(A), len(B[0])
    largest = dt * max(abs(x) for row in B for x in row)
    exponent = largest.numerator.bit_length() - largest.denominator.bit_length() if largest else 0
    scale = Fraction(2) ** exponent
    block = [
        [x * dt for x in row_a] + [x * dt / scale for x in row_b]
        for row_a, row_b in zip(A, B, strict=True)
    ]
    return scale, block + [[Fraction(0)] * (n + m) for _ in range(m)]


def _nilpotent_exponential(block: list[list[Fraction]]) -> list[list[Fraction]] | None:
    """Σ Mᵏ/k!, a finite sum; None unless M is nilpotent."""
    import flint

    size = len(block)
    M = flint.fmpq_mat([[flint.fmpq(x.numerator, x.denominator) for x in row] for row in block])
    # A matrix is nilpotent exactly when its characteristic polynomial is z^size; on the way there
    # the trace is a free test that sends almost every plant to the balls.
    if sum(M[i, i] for i in range(size)) != 0 or M.charpoly().coeffs() != [0] * size + [1]:
        return None
    identity = [[int(i == j) for j in range(size)] for i in range(size)]
    power = total = flint.fmpq_mat(identity)
    for k in range(1, size):
        power = power * M / k
        total = total + power
    return [[Fraction(int(x.p), int(x.q)) for x in row] for row in total.tolist()]


def _ball_exponential(
    block: list[list[Fraction]], rows: int, columns: int, scale: Fraction
) -> list[list[Fraction]]:
    """The first rows of exp(M), each entry any number that rounds as the true one does."""
    import flint

    precision = _FIRST_PRECISION
    while precision <= _LAST_PRECISION:
        with flint.ctx.workprec(precision):
            M = flint.arb_mat(
                [[flint.arb(flint.fmpq(x.numerator, x.denominator)) for x in row] for row in block]
            )
            E = M.exp()
            found = [
                [_decided(E[i, j], scale if j >= rows else Fraction(1)) for j in range(columns)]
                for i in range(rows)
            ]
        if all(x is not None for row in found for x in row):
            return [[x for x in row if x is not None] for row in found]
        precision *= 2
    raise ProblemError(
        "the sampled plant could not be rounded to float64 (an entry sits on a tie, or the plant "
        "is too stiff for this dt); change dt slightly, or give the plant as discrete"
    )


def _decided(ball: Any, scale: Fraction) -> Fraction | None:
    """A point of the ball if all of scale × ball rounds to one float64, else None."""
    if not ball.is_finite():
        return None
    ends = []
    for end in (ball.lower(), ball.upper()):
        mantissa, exponent = end.man_exp()
        ends.append(Fraction(int(mantissa)) * Fraction(2) ** int(exponent))
    try:
        same = float(ends[0] * scale) == float(ends[1] * scale)
    except OverflowError:
        # Report the overflow only when the whole ball is beyond float64, not while it is wide.
        return ends[0] if min(abs(ends[0]), abs(ends[1])) * scale >= 2**1024 else None
    return ends[0] if same else None
