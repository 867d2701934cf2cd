"""A folder of files that another tool reads: written as a whole, and only where nobody else keeps anything. What is in the files belongs elsewhere."""

import os
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from zipfile import BadZipFile, ZipFile

import yaml

from dcycle_pipeline.data_folder import delete, permissions, write_whole
from dcycle_pipeline.errors import SettingsError, UnavailableError, few

_READABLE_BY_ALL = 0o644
_UNFINISHED = re.compile(r"\..+\.[0-9a-f]{8}\.part")  # what a killed export leaves, see `write_whole`
_BEGINNING = 200  # bytes: the mark stands in the first line
# A path ends up in YAML, in a URL and in a template, each with characters that would end it there or act.
_NOT_IN_PATHS = "'\"?#%{}\\"


class _Readable(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """Text of several lines stays legible. The library's own C is ten times as fast, where the wheel has it."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Readable.add_representer(str, _text)


def mark_of(tool: str) -> str:
    """What the first line of each file says that is written for a tool. A file without it is somebody else's."""
    return f"Written by dcycle-pipeline export {tool}, which overwrites it the next time."


def as_yaml(content: Mapping[str, object], mark: str) -> bytes:
    """A YAML file with its mark, always the same for the same content."""
    text = yaml.dump(
        dict(content), Dumper=_Readable, sort_keys=False, allow_unicode=True, width=120, default_flow_style=False
    )
    return f"# {mark}\n{text}".encode()


def as_sql(query: str, mark: str) -> bytes:
    """An SQL file with its mark."""
    return f"-- {mark}\n{query}\n".encode()


def path_for_tools(published: Path) -> str:
    """The absolute path of the published link. Raises SettingsError if other tools could not write it down."""
    path = os.path.abspath(published)  # the link itself: what it leads to changes with each publication
    if found := [each for each in path if each in _NOT_IN_PATHS or not each.isprintable()]:
        raise SettingsError(
            f"Other tools cannot write down the path {ascii(path)[1:-1]}: it holds {found[0]!a}. "
            "Move the data folder to a path without such characters. Nothing was written."
        )
    return path


def write_folder(folder: Path, files: Mapping[str, bytes], mark: str, left_by_tool: Collection[str] = ()) -> None:
    """Write the files, named by their path in the folder, and delete those of the same mark that are no longer among them.

    `left_by_tool` names what the tool itself leaves at the top of the folder; it stays. Each file is the old or the new one, whole.
    Raises SettingsError, before anything is written, if the folder holds what is not ours; and if it cannot be written.
    """
    try:
        there = list(_files(folder, left_by_tool))
        if foreign := sorted(str(path.relative_to(folder)) for path in there if not _is_ours(path, mark)):
            raise SettingsError(
                f"{folder} holds what is not ours: {few(foreign, 3, ', ')}. Name a new or empty folder. Nothing was written."
            )
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            write_whole(folder / name, content, permissions.published(_READABLE_BY_ALL))
        for path in there:
            if str(path.relative_to(folder)) not in files:
                delete(path)
    except (OSError, UnavailableError) as error:
        said = getattr(error, "strerror", None) or str(error)
        raise SettingsError(f"{folder} was not written: {said}. Name another folder.") from None


def _files(folder: Path, left_by_tool: Collection[str]) -> Iterator[Path]:
    """Everything in the folder that is no folder; links are not followed."""
    for path in sorted(folder.iterdir()) if folder.exists() else ():
        if path.name in left_by_tool:
            continue
        if path.is_dir() and not path.is_symlink():
            yield from _files(path, ())
        else:
            yield path


def _is_ours(path: Path, mark: str) -> bool:
    if path.is_symlink() or not path.is_file():
        return False
    if _UNFINISHED.fullmatch(path.name):
        return True
    if path.suffix == ".zip":
        try:
            with ZipFile(path) as archive:
                return archive.comment == mark.encode()
        except BadZipFile:
            return False
    with path.open("rb") as file:
        return mark.encode() in file.read(_BEGINNING)
