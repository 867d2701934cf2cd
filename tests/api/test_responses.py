"""Every answer is a body to read or an error that says what to do next; nothing else escapes, however odd the bytes."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcycle_pipeline.api.responses import LONGEST_RETRY_AFTER_SECONDS, read, retry_after_seconds
from dcycle_pipeline.api.types import read_counter
from dcycle_pipeline.endpoints import declared
from dcycle_pipeline.errors import (
    ContractError,
    DcycleError,
    ForbiddenError,
    NotFoundError,
    RejectedError,
    ThrottledError,
    TransientError,
    UnauthorizedError,
)
from dcycle_pipeline.landing.page_body import read_page
from dcycle_pipeline.landing.personal_data import Policy, Pseudonyms

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
DEEP = b"[" * 200_000 + b"]" * 200_000


def answer(status: int, body: bytes = b"", **headers: str) -> httpx.Response:
    return httpx.Response(status, content=body, headers={name.replace("_", "-"): v for name, v in headers.items()})


def reading(response: httpx.Response) -> bytes:
    return read(response, "GET /x", lambda text: text.replace("sk_live_secret", "[secret]"))


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, RejectedError), (401, UnauthorizedError), (403, ForbiddenError), (404, NotFoundError), (410, NotFoundError)]
    + [(405, RejectedError), (422, RejectedError), (429, ThrottledError), (204, ContractError), (302, ContractError)]
    + [(status, TransientError) for status in (408, 500, 502, 503, 504, 520)],
)
def test_each_status_has_its_error(status: int, kind: type[DcycleError]) -> None:
    with pytest.raises(DcycleError) as caught:
        reading(answer(status))
    assert type(caught.value) is kind
    assert str(status) in str(caught.value)


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"items":[', b'{"a":1}x', b"\xff"])
def test_a_200_that_is_no_json_is_asked_again(body: bytes) -> None:
    with pytest.raises(TransientError, match="not JSON"):
        reading(answer(200, body))


@pytest.mark.parametrize("status", [200, 400, 403, 422, 500])
def test_json_nested_without_end_is_an_error_like_any_other(status: int) -> None:
    with pytest.raises(DcycleError):
        reading(answer(status, b'{"detail":' + DEEP + b"}"))


@pytest.mark.parametrize("body", [b'{"detail":"\xff"}', b'{"detail":["\xff"]}', b'{"detail":{"\xff":1}}'])
def test_an_error_text_that_is_not_utf8_is_no_reason_to_crash(body: bytes) -> None:
    with pytest.raises(RejectedError):
        reading(answer(400, body))


@pytest.mark.parametrize("location", ["http://a:b/", "http://[x/", "//", "\x7f", "http://exa mple/", ""])
@pytest.mark.parametrize("status", [300, 301, 302, 304, 307])
def test_a_redirect_to_anywhere_is_a_broken_contract(status: int, location: str) -> None:
    with pytest.raises(ContractError):
        reading(httpx.Response(status, extensions={"location": location}))


def test_an_error_shows_no_secret_and_no_address() -> None:
    with pytest.raises(ForbiddenError) as caught:
        reading(answer(403, b'{"detail":"key sk_live_secret of zoe@example.org","code":"FORBIDDEN"}'))
    assert "sk_live_secret" not in str(caught.value)
    assert "zoe" not in str(caught.value)
    assert "FORBIDDEN" in str(caught.value)


def test_a_secret_cut_by_the_length_of_the_text_is_not_shown_in_part() -> None:
    detail = "x" * 190 + "sk_live_secret"
    with pytest.raises(ForbiddenError) as caught:
        reading(answer(403, b'{"detail":"%b"}' % detail.encode()))
    assert "sk_live" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("7", 7.0),
        (" 7 ", 7.0),
        ("9" * 30, LONGEST_RETRY_AFTER_SECONDS),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        (format_datetime(NOW + timedelta(seconds=9), usegmt=True), 9.0),
        (format_datetime(NOW - timedelta(days=9), usegmt=True), 0.0),
        (format_datetime(NOW + timedelta(days=9), usegmt=True), LONGEST_RETRY_AFTER_SECONDS),
    ],
)
def test_retry_after_comes_as_seconds_or_as_a_date(value: str, seconds: float | None) -> None:
    assert retry_after_seconds(answer(429, retry_after=value), NOW) == seconds


@pytest.mark.parametrize("year", ["99999", "99999999999999999999"])
def test_a_retry_after_in_no_possible_year_is_ignored(year: str) -> None:
    assert retry_after_seconds(answer(429, retry_after=f"Mon, 01 Jan {year} 00:00:00 GMT"), NOW) is None


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40))
def test_no_retry_after_crashes_or_waits_for_ever(value: str) -> None:
    seconds = retry_after_seconds(answer(429, retry_after=value), NOW)
    assert seconds is None or 0 <= seconds <= LONGEST_RETRY_AFTER_SECONDS


ODD_ITEMS = {
    "id not utf-8": b'{"id":"\xff"}',
    "text not utf-8": b'{"id":"a","invoice_id":"\xff"}',
    "undeclared text not utf-8": b'{"id":"a","foo":"\xff"}',
    "name not utf-8": b'{"id":"a","\xff":1}',
    "person not utf-8": b'{"id":"a","uploaded_by":"\xff","user":{"id":"\xff"}}',
    "endless nesting": b'{"id":"a","foo":' + b"[" * 900 + b"]" * 900 + b"}",
    "item of brackets": b"[" * 900 + b"]" * 900,
    "integer of 5,000 digits": b'{"id":"a","foo":[' + b"1" * 5000 + b"]}",
    "exponent without end": b'{"id":"a","foo":[1e99999999999999999999]}',
    "exponent in a declared object": b'{"id":"a","unit":{"x":1e99999999999999999999}}',
    "lone surrogate": b'{"id":"\\ud800","foo":"\\ud800"}',
}


@pytest.mark.parametrize("choice", ["drop", "pseudonymise", "keep"])
@pytest.mark.parametrize("item", ODD_ITEMS.values(), ids=ODD_ITEMS.keys())
def test_no_item_makes_anything_but_an_error_of_ours(item: bytes, choice: str) -> None:
    policy = Policy(declared()[1], choice, Pseudonyms(b"k" * 32))
    body = b'{"items":[{"id":"b"},' + item + b'],"total_general":2}'
    try:
        page = read_page(reading(answer(200, body)), policy, "GET /x")
    except DcycleError:
        return
    assert len(page.identities) == 2
    assert page.payload.decode(), "what is written is text"


@pytest.mark.parametrize("counter", [b"1" * 5000, b'"x"', b"-1", b"1.5", b"1e99999999999999999999", b"null", b"[]"])
def test_no_counter_makes_anything_but_an_error_of_ours(counter: bytes) -> None:
    policy = Policy(declared()[1], "drop", Pseudonyms(b"k" * 32))
    page = read_page(reading(answer(200, b'{"items":[],"total_general":' + counter + b"}")), policy, "GET /x")
    assert read_counter(page.envelope, ("total_general",)) is None
