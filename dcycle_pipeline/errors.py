"""Every error of the pipeline, sorted by what the caller does next.

Messages are one or two lines for people: what happened, where, what to do next. They never hold a credential.
Raising and rendering belong elsewhere; nothing here knows of HTTP, DuckDB or Dagster.
"""

from collections.abc import Sequence

FREE_SPACE = "Free space or check the folder, then sync again; what was published stays."


class DcycleError(Exception):
    """Base of all errors that are told to people without a traceback."""


class SettingsError(DcycleError):
    """Fix the settings or the usage; nothing was done (exit code 2)."""


class UnavailableError(DcycleError):
    """Nothing could be published this time; the settings may be right (exit code 3)."""


class DamagedError(UnavailableError):
    """A file of ours is not what it was written as: set it aside and make it again."""


class UnsoundError(DcycleError):
    """What the tables hold must not reach a reader; trying the same again does not help (exit code 3).

    `findings` are what the checks found, passed or not.
    """

    def __init__(self, message: str, findings: Sequence[object] = ()) -> None:
        super().__init__(message)
        self.findings = findings


class TransientError(DcycleError):
    """Ask again later: the API or the network failed in a way that passes by itself.

    `retry_after_seconds` is what the server asked for, if it did.
    """

    def __init__(self, message: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class ThrottledError(TransientError):
    """The API answered 429: the organisation asks too often."""


class ListError(DcycleError):
    """Skip one list, keep its last rows and report it; the neighbours go on."""

    outcome = "unproven"


class UnauthorizedError(ListError):
    """401: the credential is not accepted for this organisation, which stops here."""

    outcome = "unauthorized"


class ForbiddenError(ListError):
    """403: this organisation, facility or record is not for this credential."""

    outcome = "forbidden"


class NotFoundError(ListError):
    """404: the organisation, facility or record is not there."""

    outcome = "not_found"


class RejectedError(ListError):
    """400, 405, 422: the API does not take the request as the pipeline asks it."""


class ContractError(ListError):
    """The API answered something that no safe reading exists for."""
