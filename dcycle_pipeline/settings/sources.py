"""Where settings come from: the environment, and `.env` in the working folder. The environment wins; nothing else reads either."""

import os
from collections.abc import Mapping
from io import StringIO
from pathlib import Path

from dotenv import dotenv_values

from dcycle_pipeline.errors import SettingsError
from dcycle_pipeline.settings.look import Look, look_in

ENV_FILE = ".env"
PREFIX = "DCYCLE_"
DATA_DIR = Path("./data")
UTF8 = "utf-8-sig"  # with or without its mark


def dagster_home() -> str:
    """DAGSTER_HOME, the folder where Dagster keeps its runs; empty if it is not set."""
    return os.environ.get("DAGSTER_HOME", "")


def names_an_account() -> bool:
    """Whether anything says which account or which API to read. Raises what `variables` does."""
    return (
        not variables()
        .keys()
        .isdisjoint(f"{PREFIX}{name}" for name in ("API_KEY", "EMAIL", "ORGANIZATION_ID", "BASE_URL"))
    )


def for_program(given: Mapping[str, str], *, with_ours: bool = True) -> dict[str, str]:
    """The environment for a program that we start, with `given` on top; without variables of ours if not `with_ours`."""
    kept = {name: text for name, text in os.environ.items() if with_ours or not name.startswith(PREFIX)}
    return kept | dict(given)


def turn_off_dagster_telemetry() -> None:
    """Turn off Dagster's telemetry by its variable, which it reads at every start."""
    os.environ["DAGSTER_DISABLE_TELEMETRY"] = "yes"


def open_telemetry() -> frozenset[str]:
    """Which of `traces` and `metrics` OpenTelemetry's own variables ask for: those for which they say where to. It reads the rest itself."""
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return frozenset()
    return frozenset(
        signal
        for signal in ("traces", "metrics")
        if os.environ.get(f"OTEL_{signal.upper()}_EXPORTER", "otlp") == "otlp"
        and (
            os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")
            or os.environ.get(f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT")
        )
    )


def data_dir() -> Path:
    """DCYCLE_DATA_DIR alone, for commands that need no credential."""
    return absolute(variables().get("DCYCLE_DATA_DIR", ""))


def log_format() -> str:
    """DCYCLE_LOG alone, for who writes lines before the settings are read. Raises what `variables` does."""
    return variables().get(f"{PREFIX}LOG", "text")


def report_look() -> Look:
    """DCYCLE_REPORT_… alone, for the verb `report`. Raises SettingsError if one is wrong."""
    return look_in(variables())


def absolute(text: str) -> Path:
    """A path that means the same from every working folder; `~` is the home. Raises SettingsError if there is no such home."""
    path = Path(text.strip() or DATA_DIR)  # an empty text is not "the working folder"
    if "?" in str(path.absolute()):  # DuckDB takes what follows for parameters, and writes its .wal elsewhere
        raise SettingsError(f"DCYCLE_DATA_DIR {path} holds a question mark, which DuckDB cannot take: rename it.")
    try:
        return path.expanduser().absolute()
    except RuntimeError as error:
        raise SettingsError(f"DCYCLE_DATA_DIR {path}: {error} Name the folder in full.") from None


def variables() -> dict[str, str]:
    """What the environment and `.env` say. An empty variable counts as not set."""
    return {name: text for source in (env_file(), os.environ) for name, text in source.items() if text}


def env_file() -> dict[str, str | None]:
    """What `.env` says. Raises SettingsError if it is not text in UTF-8."""
    try:
        text = Path(ENV_FILE).read_bytes().decode(UTF8) if Path(ENV_FILE).is_file() else ""
        if "\0" in text:
            raise ValueError("it holds NUL characters")
    except (OSError, ValueError) as error:
        raise SettingsError(f"{Path(ENV_FILE).absolute()} cannot be read: {error}. Save it as text in UTF-8.") from None
    return dotenv_values(stream=StringIO(text))
