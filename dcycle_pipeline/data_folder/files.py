"""How single files are written, copied and deleted, so that no link is followed and every disk can do it.

A file is made under a name that nobody can foresee, and renamed once it is whole. What the files are belongs elsewhere.
"""

import hashlib
import os
import secrets
import shutil
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from dcycle_pipeline.data_folder.permissions import UNKNOWN_TO_DISK, set_mode
from dcycle_pipeline.errors import UnavailableError, after

PART = ".part"
# File systems take 255 bytes. This leaves room for the digest in a name, its suffix and `.part`.
LONGEST_PLAIN_NAME = 80


def beside(path: Path, suffix: str = PART) -> Path:
    """A name in the same folder for what is not whole yet. Nobody can put a link there beforehand."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}{suffix}")


def write_whole(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Write a file so that at any moment it is the old or the new one, whole. `mode` is its permissions; by default only its owner reads it.

    Raises UnavailableError if that fails.
    """
    part = beside(path)
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            set_mode(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        delete(part)
        raise UnavailableError(f"{path} cannot be written: {error.strerror}. {after(error)}") from None


def link_or_copy(source: Path, target: Path) -> None:
    """Make a file known under a second name too. On a disk without hard links it becomes a whole, durable copy."""
    part = beside(target)
    try:
        try:
            os.link(source, part)
        except OSError:  # each disk has its own word for it, and a copy fails by itself if something else is wrong
            _copy(source, part)
        os.replace(part, target)
    finally:
        delete(part)  # still there if both names led to the same file already


def copy_anew(path: Path) -> None:
    """Give a file of which others hold a hard link a content of its own: it is written in place."""
    part = beside(path)
    try:
        _copy(path, part)
        os.replace(part, path)
    finally:
        delete(part)


def _copy(source: Path, target: Path) -> None:
    with source.open("rb") as old, target.open("xb") as new:
        shutil.copyfileobj(old, new)
        set_mode(new.fileno(), source.stat().st_mode & 0o777)
        new.flush()
        os.fsync(new.fileno())


def make_folders(root: Path, folder: Path) -> None:
    """Create the folders from `root` down to `folder`. Raises UnavailableError if one of them is a link."""
    for each in (folder, *folder.parents):
        if each == root:
            break
        if each.is_symlink():
            raise UnavailableError(f"{each} is a link, and none is followed: delete the link, then sync again.")
    folder.mkdir(parents=True, exist_ok=True)


def sync_folder(folder: Path) -> None:
    """Make durable which names a folder holds. Not every disk can do that, and some do it anyway."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in UNKNOWN_TO_DISK:
            raise
    finally:
        os.close(descriptor)


def delete(path: Path) -> None:
    """Delete a file, should it be there. A folder stays."""
    with suppress(FileNotFoundError, IsADirectoryError):
        path.unlink()


def file_name(identifier: str) -> str:
    """A file name for any id, different for each: ids are text of unknown form, and some disks take A for a."""
    plain = quote(identifier, safe="-_").replace(".", "%2E").replace("~", "%7E")
    if 0 < len(plain) <= LONGEST_PLAIN_NAME and plain == identifier.lower():
        return plain
    return (
        f"{plain[:LONGEST_PLAIN_NAME]}~{hashlib.sha256(identifier.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"
    )
