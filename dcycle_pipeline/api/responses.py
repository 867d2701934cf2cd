"""What an answer of the API means: a body to read, or an error that says what to do next.

The statuses are those of code.dcycle.io/api-reference/introduction (errors). How often to try again belongs to `client`.
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

# Statuses that pass by themselves: those of RFC 9110 and RFC 8470 (425), and Cloudflare's 520 to 524.
RETRYABLE = frozenset({408, 425, 500, 502, 503, 504, 520, 521, 522, 523, 524})
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
            return strict_json(response.content)
        except ValueError:
            # A proxy answers so during maintenance, with a page in HTML.
            raise TransientError(f"{where}: 200, but the body is not JSON: {_look(response, mask)}.") from None
    said = _error_body(response)
    code = given if isinstance(given := said.get("code"), str) else ""
    error = _error(response, f"{where}: {status} {_detail(said.get('detail'), code, mask)}".rstrip())
    if isinstance(error, ListError):
        error.code = code
    raise error


def _look(response: httpx.Response, mask: Callable[[str], str]) -> str:
    """What a body that nobody can read looks like: its type, encoding and length, and how it begins."""
    media_type = response.headers.get("content-type", "no content type")
    encoding = response.extensions.get("content-encoding", "")
    packed = f", {encoding}" if encoding else ""
    begins = response.content[:FIRST_BYTES].decode("utf-8", "backslashreplace")
    shown = _EMAIL.sub("[e-mail]", mask(" ".join(begins.split())))
    return f"{media_type[:FIRST_BYTES]}{packed}, {len(response.content)} bytes, begins with {shown!r}"


def _error(response: httpx.Response, text: str) -> DcycleError:
    status = response.status_code
    if status == 429:
        return ThrottledError(f"{text} (asked too often).", retry_after_seconds(response))
    if status in RETRYABLE:
        return TransientError(f"{text}.", retry_after_seconds(response))
    if status == 401:
        return UnauthorizedError(f"{text}: check the API key of this organisation.")
    if status == 403:
        return ForbiddenError(f"{text}: ask for access, or exclude it in DCYCLE_ORGANIZATIONS_FILE.")
    if status in (404, 410):
        return NotFoundError(f"{text}.")
    if 300 <= status < 400:
        return ContractError(
            f"{text}: redirected to {_target(response)}; the credential is not sent there. Check DCYCLE_BASE_URL."
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


def _error_body(response: httpx.Response) -> dict[str, Any]:
    try:
        body = msgspec.json.decode(response.content.decode("utf-8"))
    except (UnicodeDecodeError, msgspec.MsgspecError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def retry_after_seconds(response: httpx.Response, now: datetime | None = None) -> float | None:
    """Seconds to wait by the Retry-After header, which holds seconds or an HTTP date (RFC 9110, 10.2.3). None if it holds neither."""
    value = response.headers.get("retry-after", "").strip()
    if not value:
        return None
    if value.isdecimal():
        return min(float(value), LONGEST_RETRY_AFTER_SECONDS)
    try:
        moment = parsedate_to_datetime(value)
    except (TypeError, ValueError, OverflowError):
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    wait = (moment - (now or datetime.now(UTC))).total_seconds()
    return min(max(wait, 0.0), LONGEST_RETRY_AFTER_SECONDS)
