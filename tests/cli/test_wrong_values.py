"""A wrong day, month, moment, span or number of any verb is told with an example; a mistyped verb with what it may mean, once."""

import re

import pytest

from tests.cli.conftest import Account, Invoke

A_MONTH, A_DAY = "a month like 2026-08", "a day like 2023-01-31"
A_MOMENT = "a day or a moment like 2026-01-31 or 2026-01-31T12:00:00, in UTC"
A_SPAN = "a number with m, h or d for its unit: 90m, 26h or 2d"
A_PORT = "a whole number from 0 to 65535"
WRONG = [
    (["explain", "f-large", "{}"], "MONTH", ["2026-13", "August", "2026-08-01", "08/2026", ""], A_MONTH),
    (
        ["explain", "f-large", "2025-03", "--as-of", "{}"],
        "--as-of",
        ["yesterday", "2026-02-30", "9999-12-31T23:00-05:00", ""],
        A_MOMENT,
    ),
    (["status", "--max-age", "{}"], "--max-age", ["26", "5w", "0h", "-1d", "h", ""], A_SPAN),
    (["backfill", "--to", "2025-01-31", "--preview", "--from", "{}"], "--from", ["2025", "2025-13-01", ""], A_DAY),
    (["backfill", "--from", "2025-01-31", "--preview", "--to", "{}"], "--to", ["tomorrow", "31.01.2025"], A_DAY),
    (["sandbox", "--port", "{}"], "--port", ["http", "65536", "-1", "1.5", "٣"], A_PORT),
    (["sandbox", "--seed", "{}"], "--seed", ["x", "-7", "1e3"], "a whole number from 0 to 999999999"),
    (["ui", "--port", "{}"], "--port", ["0", "65536"], "a whole number from 1 to 65535"),
]


@pytest.mark.parametrize(
    ("words", "option", "text", "must_be"),
    [(words, option, text, must_be) for words, option, texts, must_be in WRONG for text in texts],
)
def test_a_wrong_value_is_told_with_what_it_must_be(
    invoke: Invoke, words: list[str], option: str, text: str, must_be: str
) -> None:
    result = invoke(*(word.format(text) for word in words))
    assert result.exit_code == 2, result.output
    (line,) = result.stderr.splitlines()
    assert line == f"Error: {option} is {text!r}; it must be {must_be}."


@pytest.mark.parametrize(
    ("switch", "words"),
    [
        ("latency_seconds=x", "expected a number, not 'x'"),
        ("max_size=x", "expected a whole number, not 'x'"),
        ("fault=429,times=x", "expected a whole number, not 'x'"),
        ("fault=429,probability=often", "expected a number, not 'often'"),
        ("mutation=3", "as in mutation=3,delete,count=2"),
        ("churn=7", "as in churn=7,5,mixed"),
    ],
)
def test_a_wrong_switch_of_the_sandbox_is_told_in_words(invoke: Invoke, switch: str, words: str) -> None:
    result = invoke("sandbox", "--behave", switch)
    assert result.exit_code == 2, result.output
    assert f"{switch!r} cannot be read: " in result.stderr
    assert words in result.stderr
    assert not re.search(r"literal|convert|unpack", result.stderr)


def test_a_moment_may_name_another_time_than_utc(synced: Account, invoke: Invoke) -> None:
    told = invoke("explain", "f-large", "2025-03", "--as-of", "2020-01-01T12:00:00+02:00", **synced.environment)
    assert told.exit_code == 2
    assert "Nothing was published by 2020-01-01 10:00:00 UTC" in told.stderr


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("facilties", " Did you mean 'facilities'?"), ("re", ""), ("repor", " Did you mean 'report' or 'export'?")],
)
def test_a_mistyped_verb_is_told_once(invoke: Invoke, typed: str, meant: str) -> None:
    result = invoke(typed)
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1] == f"Error: No such command {typed!r}.{meant}"
