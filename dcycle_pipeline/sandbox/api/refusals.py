"""Every answer that is an error in the documentation's own words."""

from typing import Any


class Refusal(Exception):
    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(status)
        self.status = status
        self.body = body


NOT_AUTHORIZED = "Not authorized"
NOT_YOURS = "Facility doesn't belong to organization"


def bad_key() -> Refusal:
    return Refusal(401, {"detail": "Invalid API key", "code": "INVALID_API_KEY"})


def bad_token() -> Refusal:
    return Refusal(401, {"detail": "Invalid or expired token", "code": "INVALID_TOKEN"})


def bad_login() -> Refusal:
    return Refusal(401, {"detail": "Incorrect email or password", "code": "INVALID_CREDENTIALS"})


def forbidden() -> Refusal:
    return Refusal(403, {"detail": NOT_AUTHORIZED, "code": "FORBIDDEN"})


def foreign_facility() -> Refusal:
    """The facility's own page documents no code."""
    return Refusal(403, {"detail": NOT_YOURS})


def foreign_facility_records() -> Refusal:
    return Refusal(403, {"detail": NOT_YOURS, "code": "FACILITY_NOT_BELONG_TO_ORGANIZATION"})


def not_found(kind: str, id_: str) -> Refusal:
    return Refusal(404, {"code": "NOT_FOUND", "detail": f"{kind} with id=UUID('{id_}') not found"})


def no_such_page(status: int, page: int) -> Refusal:
    if status == 404:
        return Refusal(404, {"code": "NOT_FOUND", "detail": f"Page {page} not found"})
    return invalid("query", "page", "Page is past the end", str(page), "value_error")


def legacy_invalid(detail: str) -> Refusal:
    return Refusal(400, {"detail": detail, "code": "VALIDATION_ERROR"})


def bad_period() -> Refusal:
    """The status is documented, the wording is not; this is the form of all errors."""
    return Refusal(400, {"detail": "Invalid date range", "code": "VALIDATION_ERROR"})


def invalid(place: str, name: str, message: str, given: str | None, kind: str) -> Refusal:
    """The shape of 422 is not documented; this is FastAPI's."""
    return Refusal(422, {"detail": [{"type": kind, "loc": [place, name], "msg": message, "input": given}]})


def missing(place: str, name: str) -> Refusal:
    return invalid(place, name, "Field required", None, "missing")


def denied(status: int, otherwise: Refusal) -> Refusal:
    """A switchable denial: the usual words for 401 and 404, the endpoint's own for 403."""
    if status == 401:
        return bad_key()
    return otherwise if status == 403 else Refusal(404, {"code": "NOT_FOUND", "detail": "Not found"})
