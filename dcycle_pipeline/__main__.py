"""`python -m dcycle_pipeline` is `dcycle-pipeline`: the process made ready for a short life, then the command line.

The door of every command: what is written never fails, signals end the process at once, and what nobody thought of ends with 70.
"""

import gc
import io
import os
import sys
import tempfile
import traceback
import warnings
from typing import Any

from dcycle_pipeline.settings import dagster_home
from dcycle_pipeline.signals import end_at_signals
from dcycle_pipeline.telemetry.log_lines import write

# A command makes many objects, few of them in cycles, and ends soon: with Python's own thresholds (700, 10, 10) a tenth of a
# sync's processor time went into looking for cycles.
GARBAGE_COLLECTION = (100_000, 20, 20)
DEFECT = 70
# What libraries load only because it is installed, and what no command uses: DuckDB loads pandas at the first parameter of a query,
# pyarrow loads numpy, httpx its own command line. All three do without, as their documentation says.
UNUSED = frozenset({"httpx._main", "numpy", "pandas"})


class _NeverFails(io.FileIO):
    """A reader that leaves, or a full disk behind a stream, must not decide what is published."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except OSError:
            return len(data)


class _NotInstalled:
    """Says of what is unused that it is not installed: a quarter of a small sync's processor time went into loading it."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> None:
        """What Python asks first at every import."""
        if name in UNUSED:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def main() -> None:
    """Entry point of the program."""
    gc.set_threshold(*GARBAGE_COLLECTION)
    if not dagster_home():  # with it, code of others may run in this process
        sys.meta_path.insert(0, _NotInstalled)
    warnings.simplefilter("ignore")  # they are for developers: PYTHONWARNINGS=error would end imports of libraries
    _open_streams()
    end_at_signals()
    try:
        from dcycle_pipeline.cli import main as run  # noqa: PLC0415 - after the above

        run()
    except Exception as error:
        write("error", f"Error: {_told(error)}")
        sys.exit(DEFECT)


def _open_streams() -> None:
    # A file that is opened while 1 or 2 is closed would get that number, and what is printed would be written into it.
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)
    for descriptor, name in ((1, "stdout"), (2, "stderr")):
        stream = io.BufferedWriter(_NeverFails(descriptor, "w", closefd=False))
        encoding = getattr(getattr(sys, name), "encoding", None) or "utf-8"
        setattr(sys, name, io.TextIOWrapper(stream, encoding, errors="backslashreplace", line_buffering=True))


def _told(error: Exception) -> str:
    """What to say of an error that nobody thought of. Its trace goes to a file that only its owner reads."""
    doing = " ".join(["dcycle-pipeline", *sys.argv[1:2]])
    try:
        descriptor, name = tempfile.mkstemp(prefix="dcycle_pipeline_defect_", suffix=".txt")
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(_masked("".join(traceback.format_exception(error))))
        where = f"the whole trace is in {name}: report it"
    except OSError as failed:
        where = f"its trace could not be written: {failed.strerror}"
    return (
        f"a defect of dcycle_pipeline during `{doing}` ({type(error).__name__}); what was published stays, and {where}."
    )


def _masked(text: str) -> str:
    try:
        from dcycle_pipeline import settings  # noqa: PLC0415 - it may be what fails
        from dcycle_pipeline.api.secrets import Secrets, born_at_run_time  # noqa: PLC0415 - as above

        return Secrets([*settings.secrets_in_reach(), *born_at_run_time()]).mask(text)
    except Exception:
        return "withheld, because nothing tells which of it is a secret"


if __name__ == "__main__":
    main()
