"""A folder of files that another tool reads: written as a whole, and only where nobody else keeps anything. What is in the files belongs elsewhere."""

import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

import yaml

from dcycle_pipeline.data_folder import delete, permissions, write_whole
from dcycle_pipeline.data_folder.ours import is_harmless
from dcycle_pipeline.errors import SettingsError, UnavailableError, few

_LISTING = ".dcycle-export"  # names what the last export wrote: a person's copy of such a file is not ours
_OF_GIT = (".git", ".gitignore", ".gitattributes")
_UNFINISHED = re.compile(r"\..+\.[0-9a-f]{8}\.part")  # what a killed export leaves, see `write_whole`
Yaml = dict[str, object]
# A path ends up in YAML, in a URL and in a template, each with characters that would end it there or act.
_NOT_IN_PATHS = "'\"?#%{}\\"


class _Readable(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """Text of several lines stays legible. The library's own C is ten times as fast, where the wheel has it."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Readable.add_representer(str, _text)


def mark_of(tool: str) -> str:
    """What the first line of each file says that is written for a tool."""
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
    """Write the files, named by their path in the folder, and delete those that an earlier export wrote and this one does not.

    `left_by_tool` names what the tool itself leaves at the top of the folder; it stays. Each file is the old or the new one, whole.
    Raises SettingsError, before anything is written, if the folder holds what is not ours or cannot be written; UnavailableError if
    it could be written only in part.
    """
    listing = folder / _LISTING
    try:
        earlier = _listed(listing, mark)
        there = {str(path.relative_to(folder)): path for path in _files(folder, left_by_tool)}
        if foreign := sorted(name for name, path in there.items() if not _is_ours(name, path, earlier)):
            raise SettingsError(
                f"{folder} holds what is not ours: {few(foreign, 3, ', ')}. Name a new or empty folder. Nothing was written."
            )
        folder.mkdir(parents=True, exist_ok=True)
        _write(listing, _list({*earlier, *files}, mark))  # first: what a killed export leaves is known to be ours
    except (OSError, UnavailableError) as error:
        raise SettingsError(f"{folder} was not written: {_said(error)}. Name another folder.") from None
    try:
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            _write(folder / name, content)
        for name, path in there.items():
            if name not in files and path != listing:
                delete(path)
        _write(listing, _list(files, mark))
    except (OSError, UnavailableError) as error:
        raise UnavailableError(
            f"{folder} was written only in part: {_said(error)}. Free space or check the folder, then export again."
        ) from None


def _write(path: Path, content: bytes) -> None:
    write_whole(path, content, permissions.published(permissions.READABLE_BY_ALL))


def _said(error: Exception) -> str:
    cause = error if isinstance(error, OSError) else error.__context__
    return getattr(cause, "strerror", None) or str(error)


def _listed(listing: Path, mark: str) -> set[str]:
    """What an earlier export for the same tool wrote."""
    if listing.is_symlink() or not listing.is_file():
        return set()
    first, *names = listing.read_text(encoding="utf-8", errors="replace").splitlines() or [""]
    return {_LISTING, *names} if first == f"# {mark}" else set()


def _list(names: Iterable[str], mark: str) -> bytes:
    return "".join(f"{line}\n" for line in (f"# {mark}", *sorted({*names} - {_LISTING}))).encode()


def _files(folder: Path, left: Collection[str]) -> Iterator[Path]:
    """Everything in the folder that is no folder, but what others may leave there; links are not followed."""
    for path in sorted(folder.iterdir()) if folder.exists() else ():
        if path.name in left or path.name in _OF_GIT or is_harmless(path):
            continue
        if path.is_dir() and not path.is_symlink():
            yield from _files(path, ())
        else:
            yield path


def _is_ours(name: str, path: Path, earlier: Collection[str]) -> bool:
    is_known = name in earlier or _UNFINISHED.fullmatch(path.name) is not None
    return is_known and path.is_file() and not path.is_symlink()
