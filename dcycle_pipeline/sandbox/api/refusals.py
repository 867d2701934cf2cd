"""Every answer that is an error, in the documentation's own words. When one is due belongs to the endpoints.

The form of all errors is on code.dcycle.io/api-reference/introduction, those of one endpoint on its own page.
"""

from typing import Any

from dcycle_pipeline.sandbox.faults.wire import NOT_YOURS


class Refusal(Exception):
    """Ends a request with this status and this JSON body."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(status)
        self.status = status
        self.body = body


NOT_AUTHORIZED = "Not authorized"


def bad_key() -> Refusal:
    return Refusal(401, {"detail": "Invalid API key", "code": "INVALID_API_KEY"})


def bad_token() -> Refusal:
    return Refusal(401, {"detail": "Invalid or expired token", "code": "INVALID_TOKEN"})


def bad_login() -> Refusal:
    return Refusal(401, {"detail": "Incorrect email or password", "code": "INVALID_CREDENTIALS"})


def forbidden() -> Refusal:
    return Refusal(403, {"detail": NOT_AUTHORIZED, "code": "FORBIDDEN"})


def foreign_facility() -> Refusal:
    """Without a code, unlike `foreign_facility_records`: so says docs.dcycle.io/api-reference/facilities/get."""
    return Refusal(403, {"detail": NOT_YOURS})


def foreign_facility_records() -> Refusal:
    return Refusal(403, {"detail": NOT_YOURS, "code": "FACILITY_NOT_BELONG_TO_ORGANIZATION"})


def not_found(kind: str, id_: str) -> Refusal:
    """`kind` is the API's own word for what is missing."""
    return Refusal(404, {"code": "NOT_FOUND", "detail": f"{kind} with id=UUID('{id_}') not found"})


def no_such_page(status: int, page: int) -> Refusal:
    """What a page past the end may give. The documentation does not say."""
    if status == 404:
        return Refusal(404, {"code": "NOT_FOUND", "detail": f"Page {page} not found"})
    return invalid("query", "page", "Page is past the end", str(page), "value_error")


def legacy_invalid(detail: str) -> Refusal:
    """A wrong parameter of the legacy list: a 400, which the new API gives as 422."""
    return Refusal(400, {"detail": detail, "code": "VALIDATION_ERROR"})


def bad_period() -> Refusal:
    """The documentation gives the status and not the text, so the text has the form of all errors."""
    return Refusal(400, {"detail": "Invalid date range", "code": "VALIDATION_ERROR"})


def invalid(place: str, name: str, message: str, given: str | None, kind: str) -> Refusal:
    """The documentation does not say what a 422 looks like, so it looks like FastAPI's."""
    return Refusal(422, {"detail": [{"type": kind, "loc": [place, name], "msg": message, "input": given}]})


def missing(place: str, name: str) -> Refusal:
    return invalid(place, name, "Field required", None, "missing")


def denied(status: int, otherwise: Refusal) -> Refusal:
    """A denial that a switch asks for: the usual text for 401 and 404, the endpoint's own for 403."""
    if status == 401:
        return bad_key()
    return otherwise if status == 403 else Refusal(404, {"code": "NOT_FOUND", "detail": "Not found"})
