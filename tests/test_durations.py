import pytest

from benign.durations import parse_duration
from benign.errors import ProblemError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30), ("5m", 300), ("5 min", 300), ("1h", 3600), ("1h30m", 5400), ("1h 30m 5s", 5405),
        ("0", 0), ("0s", 0), ("90", 90), ("1.5m", 90), ("250ms", 0.25), (" 2S ", 2), (".5s", 0.5),
    ],
)  # fmt: skip
def test_durations(text, seconds):
    assert parse_duration(text) == pytest.approx(seconds, rel=1e-15, abs=0)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "such as 30s"), ("soon", "such as 30s"), ("-5s", "zero or more"), ("5d", "'d' is none of"),
        ("1h30", "30 has no unit"), ("1e9h", "such as 30s"), ("nan", "such as 30s"), ("5 5", "no unit"),
        ("9" * 400 + "h", "longer than 30 days"), ("1000h", "longer than 30 days"), ("٣s", "such as"),
        ("inf", "such as 30s"), ("5s!", "such as 30s"),
    ],
)  # fmt: skip
def test_what_is_no_duration_is_refused_with_the_reason(text, why):
    with pytest.raises(ProblemError, match="budget: ") as refused:
        parse_duration(text, "budget")
    assert why in str(refused.value)
