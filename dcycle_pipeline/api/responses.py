"""What an answer of the API means: a body to read, or an error that says what to do next. TransientError: it passes by itself.

The statuses are those of code.dcycle.io/api-reference/introduction (errors). How often to try again belongs to `patience`.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import msgspec

from dcycle_pipeline.api.repair import strict_json
from dcycle_pipeline.errors import (
    ContractError,
    DcycleError,
    ForbiddenError,
    ListError,
    NotFoundError,
    RejectedError,
    ThrottledError,
    TransientError,
    UnauthorizedError,
)

# Beside every 5xx: "request timeout" (RFC 9110), "too early" (RFC 8470).
RETRYABLE = frozenset({408, 425})
# A gateway may throttle with 403 or another status, and then says so in the code, the text or on its page.
_THROTTLES = re.compile(
    r"rate[\s_-]*limit|throttl|too[\s_-]*(many|frequent)[\s_-]*(requests|calls)|slow[\s_-]*down", re.IGNORECASE
)
_WORDS = ("code", "error_code", "error", "errors", "type", "title", "detail", "message")  # of an error body
MOST_WORDS = 2_000  # characters of an error body in which those words are looked for
# In a body with status 200; whatever has an id is an item, whose fields may have any name.
_ERROR_MARKS = ("detail", "error", "errors")
_MARKS = msgspec.json.Decoder(
    msgspec.defstruct("Marks", [(mark, msgspec.Raw | msgspec.UnsetType, msgspec.UNSET) for mark in _ERROR_MARKS])
)
LONGEST_RETRY_AFTER_SECONDS = 3600.0  # a server that asks for days has a wrong clock or a wrong header
FIRST_BYTES = 60  # of a body that is not JSON: enough to tell a maintenance page from a cut answer
LONGEST_DETAIL = 200  # characters: messages have one or two lines
# Broader than an address: an error body may quote one, and masking too much of a message harms nobody.
_EMAIL = re.compile(r"[^\s@\"'<>]+@[^\s@\"'<>]+")


def read(response: httpx.Response, where: str, mask: Callable[[str], str]) -> bytes:
    """The body of a 200, as JSON in UTF-8 on one line. Raises the DcycleError that any other answer stands for.

    `where` begins each message; `mask` takes the secrets out of what the API said.
    """
    status = response.status_code
    if status == 200:
        try:
            body = strict_json(response.content)
        except ValueError:
            # A proxy answers so during maintenance, with a page in HTML.
            raise misunderstood(response, f"{where}: 200, but the body is not JSON", mask) from None
        if not _is_marked(body) or not _is_error(_object(body)):
            return body
        raise misunderstood(response, f"{where}: 200, but with an error in the body", mask)
    said = _object(response.content)
    code = given if isinstance(given := said.get("code"), str) else ""
    error = _error(response, f"{where}: {status} {_detail(said.get('detail'), code, mask)}".rstrip(), mask)
    if isinstance(error, ListError):
        error.code = code
    raise error


def misunderstood(response: httpx.Response, text: str, mask: Callable[[str], str]) -> TransientError:
    """The error for a 200 that is not what was asked for; `text` says where and in what way."""
    kind = ThrottledError if _throttles(response) else TransientError
    return kind(f"{text}: {_look(response, mask)}.", retry_after_seconds(response))


def _look(response: httpx.Response, mask: Callable[[str], str]) -> str:
    """What a body that nobody can read looks like: its type, encoding and length, and how it begins."""
    media_type = mask(response.headers.get("content-type", "no content type"))
    encoding = response.extensions.get("content-encoding", "")
    packed = f", {encoding}" if encoding else ""
    # Masked before it is cut: half of a secret would not be found.
    begins = mask(response.content[:MOST_WORDS].decode("utf-8", "backslashreplace"))
    shown = _EMAIL.sub("[e-mail]", " ".join(begins.split()))[:FIRST_BYTES]
    return f"{media_type[:FIRST_BYTES]}{packed}, {len(response.content)} bytes, begins with {shown!r}"


def _error(response: httpx.Response, text: str, mask: Callable[[str], str]) -> DcycleError:
    status = response.status_code
    if status == 429 or (status not in (401, 404, 410) and 400 <= status < 500 and _throttles(response)):
        return ThrottledError(f"{text} (asked too often).", retry_after_seconds(response))
    if status in RETRYABLE or 500 <= status < 600:
        return TransientError(f"{text}.", retry_after_seconds(response))
    if status == 401:
        return UnauthorizedError(f"{text}: check the API key of this organisation.")
    if status == 403:
        return ForbiddenError(f"{text}: ask for access, or exclude it in DCYCLE_ORGANIZATIONS_FILE.")
    if status in (404, 410):
        return NotFoundError(f"{text}.")
    if 300 <= status < 400:
        return ContractError(
            f"{text}: redirected to {mask(_target(response))}; the credential is not sent there. Check DCYCLE_BASE_URL."
        )
    if 400 <= status < 500:
        return RejectedError(f"{text}: the API does not accept this request.")
    return ContractError(f"{text}: this API is not known to answer so.")


def _target(response: httpx.Response) -> str:
    try:
        return httpx.URL(response.extensions.get("location", "")).host or "another place"
    except (httpx.InvalidURL, ValueError):
        return "an address that cannot be read"


def _detail(detail: Any, code: str, mask: Callable[[str], str]) -> str:
    """The `detail` and `code` of an error body in whatever form they came: short, without secrets and e-mail addresses."""
    text = detail if isinstance(detail, str) else "" if detail is None else msgspec.json.encode(detail).decode()
    said = _EMAIL.sub("[e-mail]", mask(" ".join(text.split())))[:LONGEST_DETAIL]
    return f"{said} [{mask(code)[:LONGEST_DETAIL]}]" if code else said


def _is_marked(body: bytes) -> bool:
    """Whether the names of an error are in it: nothing else is decoded, because a page may be long."""
    try:
        marks = _MARKS.decode(body)
    except msgspec.ValidationError:  # a list
        return False
    return any(getattr(marks, mark) is not msgspec.UNSET for mark in _ERROR_MARKS)


def _is_error(said: dict[str, Any]) -> bool:
    return "id" not in said and any(said.get(mark) for mark in _ERROR_MARKS)


def _throttles(response: httpx.Response) -> bool:
    """Whether an answer says that it was asked too often: in words, or as a 403 that says when to ask again."""
    if response.status_code == 403 and retry_after_seconds(response) is not None:
        return True
    said = _object(response.content)
    words = [str(said[name])[:MOST_WORDS] for name in _WORDS if said.get(name)]
    text = " ".join(words) if said else response.content[:MOST_WORDS].decode("utf-8", "replace")
    return _THROTTLES.search(text) is not None


def _object(content: bytes) -> dict[str, Any]:
    try:
        body = msgspec.json.decode(content.decode("utf-8"))
    except (UnicodeDecodeError, msgspec.MsgspecError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def retry_after_seconds(response: httpx.Response, now: datetime | None = None) -> float | None:
    """Seconds to wait by the Retry-After header, which holds seconds or an HTTP date (RFC 9110, 10.2.3). None if it holds neither.

    A date is read against the server's own Date, because its clock may differ from ours, which `now` is.
    """
    value = response.headers.get("retry-after", "").strip()
    if not value:
        return None
    if value.isdecimal():
        return min(float(value), LONGEST_RETRY_AFTER_SECONDS)
    if (moment := _moment(value)) is None:
        return None
    wait = (moment - (_moment(response.headers.get("date", "")) or now or datetime.now(UTC))).total_seconds()
    return min(max(wait, 0.0), LONGEST_RETRY_AFTER_SECONDS)


def _moment(http_date: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(http_date)
    except (TypeError, ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
