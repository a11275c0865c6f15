"""Numbers as people and certificates write them, read exactly and written so that nothing is lost.

A decimal in a file is the decimal it prints ("0.1" is 1/10), a Python float is the binary number it is.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Any

from benign.errors import ProblemError
from benign.text import clean

MAX_DIGITS = 400
"""Longest text of a number that a person writes: longer ones are a mistake or an attack."""

MAX_WRITTEN = 4_000
"""Most digits of a numerator or denominator in a certificate. What is written there is longer than what
was read: a decimal becomes a quotient, a weight is divided by the sum of all. Python itself turns no
integer of more than 4,300 digits into text or back."""

_MAX_BITS = MAX_WRITTEN * 33_219 // 10_000  # log₂ 10 > 3.3219, so that 2^_MAX_BITS < 10^MAX_WRITTEN

MAX_SHOTS = 1000
"""Most shots of a step: their cost grows with the number, and no proof comes near it."""

MAX_STARTS = 100_000
"""Most random starts of a search."""

MAX_EXPONENT = 330
"""Largest power of ten that is read: a little more than the range of a float64."""


def exact(value: Any) -> Fraction:
    """The number itself: ``exact("0.1") == 1/10``, ``exact(0.1)`` is the binary number 0.1.

    Args:
        value: an int, float, str, `Fraction` or `Decimal`; a NumPy scalar, or an array of no dimension
            (NumPy's or JAX's), is the number it holds.

    Raises:
        ProblemError: not a number, not finite, or beyond the range of a float64.
    """
    value = item_of(value)
    if isinstance(value, bool):
        raise ProblemError(f"expected a number, got {value}")
    if isinstance(value, str):
        return _parse(value)
    if isinstance(value, Fraction):
        return value
    if isinstance(value, float) and not math.isfinite(value):
        raise ProblemError(f"expected a finite number, got {value}")
    if isinstance(value, Decimal):
        return _parse(str(value))
    try:
        number = Fraction(value)
        float(number)
        return number
    except (TypeError, ValueError, OverflowError) as error:
        raise ProblemError(f"expected a finite number, got {shown_value(value)}") from error


def whole(
    value: Any, name: str, least: int | None = None, most: int | None = None, why: str = ""
) -> int:
    """A whole number: an int, or a NumPy or JAX scalar that is one.

    Args:
        value: the number.
        name: what messages begin with.
        least, most: its bounds.
        why: what a larger one would cost.

    Raises:
        ProblemError: it is none, or out of bounds.
    """
    value = item_of(value)
    if isinstance(value, bool) or not isinstance(value, int) or (least is not None and value < least):
        wanted = "a whole number" if least is None else f"a whole number ≥ {least}"
        raise ProblemError(f"{name}: expected {wanted}, got {shown_value(value)}")
    if most is not None and value > most:
        reason = f" ({why})" if why else ""
        raise ProblemError(f"{name}: expected at most {most}{reason}, got {shown_value(value)}")
    return value


def seed_of(value: Any) -> int:
    """A seed: a whole number from 0 to 2⁶³ − 1.

    Raises:
        ProblemError: it is none.
    """
    return whole(value, "seed", 0, 2**63 - 1, "64 bits hold a seed")


def starts_of(value: Any) -> int:
    """A number of random starts.

    Raises:
        ProblemError: it is none.
    """
    if whole(value, "starts") < 1:
        raise ProblemError(f"starts: at least one start is needed, got {shown_value(value)}")
    return whole(value, "starts", 1, MAX_STARTS, "all of them are kept in memory")


def seconds_of(value: Any, name: str = "budget") -> float:
    """Seconds, zero or more; ∞ for no limit.

    Raises:
        ProblemError: they are none.
    """
    seconds = real(value, name)
    if not seconds >= 0:
        raise ProblemError(f"{name}: seconds, zero or more, are needed, got {seconds:g}")
    return seconds


def shown_value(value: Any) -> str:
    """A value in a message, however long it is."""
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 200:
        return f"a number of {value.bit_length() * 3 // 10} digits"
    try:
        text = repr(value)
    except Exception:  # whatever somebody's object does
        return f"an object of type {type(value).__name__}"
    return clean(text, 60)


def real(value: Any, name: str) -> float:
    """The float64 next to a number as `exact` takes it; ±∞ and "inf" stay infinite.

    Raises:
        ProblemError: it is none; the message begins with the name.
    """
    value = item_of(value)
    infinite = isinstance(value, str) and value in ("inf", "-inf")
    if infinite or (isinstance(value, float) and math.isinf(value)):
        return float(value)
    try:
        return float(exact(value))
    except ProblemError as error:
        raise ProblemError(f"{name}: {error}") from error


def item_of(value: Any) -> Any:
    """What an array of no dimension holds, by duck typing: no array library is loaded here."""
    if getattr(value, "shape", None) == () and hasattr(value, "item"):
        return value.item()
    return value


def _parse(text: str) -> Fraction:
    shown = text if len(text) <= 40 else f"{text[:37]}…"
    if len(text) > MAX_DIGITS:
        raise ProblemError(f"the number {shown!r} has more than {MAX_DIGITS} characters")
    numerator, bar, denominator = text.strip().partition("/")
    try:
        top = _decimal(numerator)
        bottom = _decimal(denominator) if bar else Fraction(1)
        return top / bottom
    except ProblemError:
        raise
    except (ValueError, InvalidOperation) as error:
        raise ProblemError(
            f'expected a number such as 0.1, "101/100" or 1e-3, got {shown!r}'
        ) from error
    except ZeroDivisionError as error:
        raise ProblemError(f"the fraction {shown!r} divides by zero") from error


def _decimal(text: str) -> Fraction:
    number = Decimal(text.strip())
    if not number.is_finite():
        raise ProblemError(f"expected a finite number, got {text.strip()!r}")
    if number != 0 and abs(number.adjusted()) > MAX_EXPONENT:
        raise ProblemError(f"the number {text.strip()!r} is beyond the range of a float64")
    return Fraction(number)


def written(x: Fraction) -> str:
    """A number as certificates hold it, "3/2" or "7"; `read_written` gives back just that number.

    Raises:
        ProblemError: it has more than `MAX_WRITTEN` digits.
    """
    if is_long(x):
        raise ProblemError(f"{TOO_LONG}; round it")
    try:
        return str(x)
    except ValueError as error:  # Python's own limit, which may have been set lower
        raise ProblemError(f"a number cannot be written: {error}") from error


def read_written(text: str) -> Fraction:
    """The number that `written` wrote, or one as a person writes it (`exact`).

    Raises:
        ProblemError: it is none, or longer than what is written or read.
    """
    found = _QUOTIENT.fullmatch(text) if len(text) <= 2 * MAX_WRITTEN + 2 else None
    if found is None:
        return exact(text)
    top, bottom = found["top"], found["bottom"] or "1"
    if max(len(top.lstrip("-")), len(bottom)) > MAX_WRITTEN:
        raise ProblemError(f"{TOO_LONG}")
    try:
        return Fraction(int(top), int(bottom))
    except ZeroDivisionError as error:
        raise ProblemError(f"the fraction {text[:37]!r} divides by zero") from error
    except ValueError as error:
        raise ProblemError(f"a number cannot be read: {error}") from error


_QUOTIENT = re.compile(r"(?P<top>-?[0-9]+)(?:/(?P<bottom>[0-9]+))?")
TOO_LONG = f"a numerator or denominator has more than the {MAX_WRITTEN} digits that a certificate holds"


def bits_of(x: Fraction) -> int:
    """Of the longer of numerator and denominator."""
    return max(x.numerator.bit_length(), x.denominator.bit_length())


def is_long(x: Fraction) -> bool:
    """Whether a certificate could not hold the number."""
    return x.numerator.bit_length() > _MAX_BITS or x.denominator.bit_length() > _MAX_BITS


def summed(weights: Sequence[Fraction], most: int = MAX_WRITTEN) -> Fraction:
    """Σ ω, refused where a sum of the first few has more than so many digits.

    What it costs is then bounded, however many weights there are and however unrelated.

    Raises:
        ProblemError: it has.
    """
    total, bits = Fraction(0), _MAX_BITS * most // MAX_WRITTEN
    for weight in weights:
        total += weight
        if max(total.numerator.bit_length(), total.denominator.bit_length()) > bits:
            raise ProblemError(
                f"weights: their common denominator has more than {most} digits; round them, or "
                "give whole numbers"
            )
    return total


def is_exact(x: Any) -> bool:
    """Whether it is a number of an exact problem."""
    return isinstance(x, (Fraction, int)) and not isinstance(x, bool)
