"""Every error of the pipeline, sorted by what the caller does next.

A message has one or two lines for people: what happened, where, what to do next. It never holds a credential.
Raising and showing errors belongs elsewhere; nothing here knows of HTTP, DuckDB or Dagster.
"""

import errno
from collections.abc import Sequence

FREE_SPACE = "Free space or check the folder, then sync again; what was published stays."
_NOT_ALLOWED = (errno.EACCES, errno.EPERM)
_NOT_POSSIBLE = (errno.EOPNOTSUPP, errno.ENOSYS)


def after(error: OSError) -> str:
    """What to do next about a file that cannot be written, by what the system says."""
    if error.errno in _NOT_ALLOWED:
        return "Check who owns the folder and what its disk allows (`dcycle-pipeline doctor` tries it), then sync again; what was published stays."
    if error.errno in _NOT_POSSIBLE:
        return "Its disk cannot do this (`dcycle-pipeline doctor` tries it): choose a folder on another one; what was published stays."
    return FREE_SPACE


def few(named: Sequence[str], most: int, separator: str = "; ") -> str:
    """The first `most` of what a message names, and how many more there are."""
    more = f" and {len(named) - most} more" if len(named) > most else ""
    return f"{separator.join(named[:most])}{more}"


class DcycleError(Exception):
    """Base of all errors that people see as a message, without a traceback."""


class SettingsError(DcycleError):
    """Fix the settings or the usage; nothing was done (exit code 2)."""


class UsageError(SettingsError):
    """Correct what was asked for. Whoever asked sees it, and nobody else needs to know."""


class FolderRefusedError(SettingsError):
    """The data folder is another account's: choose another one. Nothing in it may change, not even a note of this."""


class UnavailableError(DcycleError):
    """Nothing could be published this time; the settings may be right (exit code 3)."""


class BusyError(UnavailableError):
    """Another process writes into the data folder: try again when it has ended. Nothing was done."""


class DamagedError(UnavailableError):
    """A file of ours is damaged: set it aside and rebuild it."""


class UnsoundError(DcycleError):
    """What the tables hold must not reach a reader, and trying again does not help (exit code 3).

    `findings` are those of all checks that ran, passed or not.
    """

    def __init__(self, message: str, findings: Sequence[object] = ()) -> None:
        super().__init__(message)
        self.findings = findings


class TransientError(DcycleError):
    """Ask again later: the API or the network failed in a way that passes by itself.

    `retry_after_seconds` is the wait that the server asked for; None if it asked for none.
    """

    def __init__(self, message: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class ThrottledError(TransientError):
    """429: the organisation asks too often."""


class ListError(DcycleError):
    """Skip one list, leave its last rows as they are, and report it. The other lists go on.

    `outcome` is what `sync.lists` says of the list. `code` is the API's own word for the error; empty if it gave none.
    """

    outcome = "unproven"
    code = ""


class UnauthorizedError(ListError):
    """401: the API does not accept the credential for this organisation. Nothing else is asked of it in this sweep."""

    outcome = "unauthorized"


class ForbiddenError(ListError):
    """403: this credential may not see the organisation, facility or record."""

    outcome = "forbidden"

    @property
    def is_of_another_organization(self) -> bool:
        """Whether the API itself says that the facility does not belong to the organisation that was asked for."""
        return self.code == "FACILITY_NOT_BELONG_TO_ORGANIZATION"


class NotFoundError(ListError):
    """404 or 410: the organisation, facility or record does not exist, or the route does not.

    Only the API's own word, its `code`, says which: a proxy, or an API whose route is gone, answers 404 too.
    """

    outcome = "not_found"

    @property
    def is_the_apis_word(self) -> bool:
        """Whether the API itself says that the thing does not exist (docs.dcycle.io/api-reference/facilities/get)."""
        return self.code == "NOT_FOUND"


class RejectedError(ListError):
    """400, 405, 422: the API does not accept the request as the pipeline sends it."""


class ContractError(ListError):
    """The API answered something that cannot be understood safely."""
