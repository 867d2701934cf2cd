"""What the steps of one run write for whoever started it: how it ended, and with which exit code."""

from dataclasses import dataclass

from dcycle_pipeline.errors import DcycleError, FolderRefusedError, SettingsError, UsageError

OK, GAPS, WRONG_SETTINGS, NOTHING_PUBLISHED = 0, 1, 2, 3
UNKNOWN = "The run failed outside of its steps; with DAGSTER_HOME set, its log in the UI says where."


@dataclass
class Outcome:
    """How a run ended. `failure` is the message of the step that failed first, empty if none did. `defect` is one that nobody thought of.

    `left_out` names the organisations that the publication lacks, which is no failure. `failed_step` is the step that failed, if steps have
    names. `may_be_noted` is whether the data folder may keep a note of it. `was_read` is whether it asked the API for all that it was to
    read: only then its success makes up for one that failed before.
    """

    published: bool = False
    failure: str = ""
    left_out: str = ""
    exit_code: int = OK
    defect: Exception | None = None
    failed_step: str = ""
    may_be_noted: bool = True
    was_read: bool = True

    def fail(self, error: Exception, step: str = "") -> None:
        """Note what failed; what failed first stays."""
        if not self.failure:
            self.failed_step = step
            self.may_be_noted = not isinstance(error, FolderRefusedError | UsageError)
            told = isinstance(error, DcycleError)
            self.failure = str(error) if told else f"{type(error).__name__}: {error}"
            self.exit_code = exit_code_of(error)
            self.defect = None if told else error

    def succeed(self, step: str) -> None:
        """Note that a step went well: if it is the one that failed, it was tried again with success."""
        if self.failure and self.failed_step == step:
            self.failure, self.exit_code, self.defect = "", OK, None


def exit_code_of(error: Exception) -> int:
    """2 for settings and usage, 3 for all else that leaves nothing published."""
    return WRONG_SETTINGS if isinstance(error, SettingsError) else NOTHING_PUBLISHED
