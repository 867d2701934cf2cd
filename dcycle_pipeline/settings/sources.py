"""Where settings come from: the environment, and `.env` in the working folder. The environment wins; nothing else reads either."""

import os
from io import StringIO
from pathlib import Path

from dotenv import dotenv_values

from dcycle_pipeline.errors import SettingsError

ENV_FILE = ".env"
PREFIX = "DCYCLE_"
DATA_DIR = Path("./data")
UTF8 = "utf-8-sig"  # with or without its mark


def dagster_home() -> str:
    """DAGSTER_HOME, the folder where Dagster keeps its runs; empty if it is not set."""
    return os.environ.get("DAGSTER_HOME", "")


def turn_off_dagster_telemetry() -> None:
    """Turn off Dagster's telemetry by its variable, which it reads at every start."""
    os.environ["DAGSTER_DISABLE_TELEMETRY"] = "yes"


def data_dir() -> Path:
    """DCYCLE_DATA_DIR alone, for commands that need no credential."""
    return absolute(variables().get("DCYCLE_DATA_DIR", ""))


def log_format() -> str:
    """DCYCLE_LOG alone, for who writes lines before the settings are read. Raises what `variables` does."""
    return variables().get(f"{PREFIX}LOG", "text")


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
