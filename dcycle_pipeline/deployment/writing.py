"""Writing the files of an installation: all of them or none, and never over a file that is there."""

import os
from collections.abc import Mapping
from pathlib import Path

from dcycle_pipeline.data_folder import delete, permissions
from dcycle_pipeline.deployment.files import SECRET
from dcycle_pipeline.errors import SettingsError, few

_OWNER_ONLY = 0o600


def write_new(folder: Path, texts: Mapping[str, str]) -> None:
    """Write each text to the file of its name. Raises SettingsError if one is there already or cannot be written; then none is."""
    if there := [name for name in texts if os.path.lexists(folder / name)]:
        raise SettingsError(
            f"{folder} has {few(there, 3, ', ')} already, and init overwrites nothing: name a new folder, or move these away. "
            "Nothing was written."
        )
    written: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            _write(folder / name, text.encode(), written)
    except OSError as error:
        for path in written:
            delete(path)
        raise SettingsError(
            f"{folder} cannot be written to: {error.strerror}. Name another folder. Nothing was written."
        ) from None


def _write(path: Path, content: bytes, written: list[Path]) -> None:
    mode = _OWNER_ONLY if path.name == SECRET else permissions.published(permissions.READABLE_BY_ALL)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY), "wb") as file:
        written.append(path)
        permissions.set_mode(file.fileno(), mode)
        file.write(content)
