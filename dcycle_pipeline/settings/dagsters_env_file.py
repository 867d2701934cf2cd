"""Dagster's programs put `.env` of their folder over the environment before they start ours. Here the environment gets its word back.

What a program was started with stays readable, so that of the first of Dagster's programs among those that started this one is what the
environment said. What only `.env` says stays as it is.
"""

import os
from collections.abc import Mapping
from contextlib import suppress
from itertools import pairwise

from dcycle_pipeline.settings.sources import env_file

_PROGRAMS = ("dagster", "dagster-daemon", "dagster-webserver", "dg")
_MODULES = ("dagster", "dagster_webserver")


def let_environment_win() -> None:
    """Restore each variable that `.env` has overwritten. One that was empty counts as not set. Raises SettingsError for an unreadable `.env`."""
    overwritten = [name for name, text in env_file().items() if text == os.environ.get(name)]
    said = _before_dagster() if overwritten else {}
    os.environ.update({name: said[name] for name in overwritten if said.get(name)})


def _before_dagster() -> Mapping[str, str]:
    """What the first of Dagster's programs that led to this process was started with; nothing if none did."""
    import psutil  # noqa: PLC0415 - only who is in Dagster's hands pays for it

    said: dict[str, str] = {}
    process = psutil.Process()
    for each in (process, *process.parents()):
        with suppress(psutil.Error):  # another user's, or gone meanwhile
            if is_dagster(each.cmdline()):
                said = each.environ()
    return said


def is_dagster(command: list[str]) -> bool:
    """Whether a command line is that of one of Dagster's programs.

    >>> is_dagster(["/srv/bin/python", "/srv/bin/dagster", "dev"]), is_dagster(["sh", "-c", "dagster dev"])
    (True, False)
    """
    named = any(os.path.basename(word) in _PROGRAMS for word in command[:2])
    as_module = any(a == "-m" and b.split(".")[0] in _MODULES for a, b in pairwise(command))
    return named or as_module
