"""A folder where Dagster on this machine keeps its runs, and where it finds our definitions. Starting Dagster belongs to `cli`."""

from pathlib import Path

from dcycle_pipeline.errors import SettingsError, after

_LOCAL = Path(__file__).with_name("local")
WORKSPACE = _LOCAL / "workspace.yaml"
_DAGSTER = "dagster.yaml"


def prepare(home: Path) -> None:
    """Make the folder, with settings that send nothing, if it has none yet. Raises SettingsError if it cannot be made."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        if not (home / _DAGSTER).exists():
            (home / _DAGSTER).write_bytes((_LOCAL / _DAGSTER).read_bytes())
    except OSError as error:
        raise SettingsError(f"Dagster's runs cannot be kept in {home}: {error.strerror}. {after(error)}") from None
