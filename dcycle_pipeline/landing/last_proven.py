"""The last proven read of each list, as the manifests of earlier runs and their landed files tell: what a new read compares with."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec

from dcycle_pipeline.api.fingerprint import Fingerprint, digest
from dcycle_pipeline.data_folder import is_within
from dcycle_pipeline.landing import manifest
from dcycle_pipeline.landing.files import SWEEP_SUFFIX, organization_folder, runs
from dcycle_pipeline.landing.landed_file import page_lines, raw_page
from dcycle_pipeline.landing.lists import PROVEN, ListKey, ListResult
from dcycle_pipeline.landing.manifest import SweepManifest

_ids = msgspec.json.Decoder(dict[str, msgspec.Raw])


@dataclass(frozen=True)
class LastProven:
    """The last proven read of a list: its `result` with a fingerprint, and the landed file. `is_merged` says that the last merged
    sweep of its organisation and endpoint was this one.
    """

    root: Path
    result: ListResult
    is_merged: bool

    @property
    def path(self) -> Path:
        return self.root / (self.result.landed_file or "")

    @property
    def fingerprint(self) -> Fingerprint:
        """Raises ValueError if the result has none; `last_proven` gives only results that have one."""
        if self.result.fingerprint is None:
            raise ValueError("no fingerprint")
        return self.result.fingerprint

    def is_whole(self) -> bool:
        """Whether the landed file is byte for byte what was written."""
        try:
            return is_within(self.root, self.path) and digest(self.path.read_bytes()) == self.fingerprint.file
        except OSError:
            return False

    def still_counts(self) -> bool:
        """Whether the tables rest on this read, and its pages are there to show it."""
        return self.is_merged and self.is_whole()

    def lines(self, pages: set[int]) -> Iterator[bytes]:
        """The lines of some pages. Raises UnavailableError if the file is not whole."""
        return (line for line in page_lines(self.path) if raw_page(line).page in pages)

    def ids_of(self, pages: set[int]) -> dict[int, tuple[str, ...]]:
        """The ids on some pages. Raises UnavailableError if the file is not whole."""
        found = (raw_page(line) for line in self.lines(pages))
        return {page.page: tuple(msgspec.json.decode(_ids.decode(raw)["id"]) for raw in page.items) for page in found}


def last_proven(
    root: Path,
    keys: Collection[ListKey],
    source: str,
    merged: tuple[str, datetime] | None,
    proven: Collection[str | None],
) -> dict[ListKey, LastProven]:
    """The last proven reads of lists of one organisation and endpoint, if they came from the same `source`.

    `merged` is the run whose sweep the tables hold, and when it was merged; what was merged later is not looked at. `proven` are the
    facilities whose lists the run log calls proven in that sweep: a rebuild may have lacked a landed file.
    """
    found: dict[ListKey, LastProven] = {}
    if merged is None or not keys:
        return found
    one = next(iter(keys))
    for sweep in _sweeps_before(root, one.organization_id, one.endpoint, merged):
        is_merged = (sweep.run_id, sweep.merged_at) == merged
        for result in sweep.results:
            if result.outcome == PROVEN and result.fingerprint and result.fingerprint.source == source:
                found.setdefault(result.key, LastProven(root, result, is_merged and result.key.facility_id in proven))
        if found.keys() >= set(keys):
            break
    return found


def as_merged(
    root: Path, organization_id: str, endpoint: str, merged: tuple[str, datetime], proven: Collection[str | None]
) -> dict[ListKey, ListResult]:
    """What the sweep that the tables hold said of its lists, as far as it can be said again without asking.

    Of a proven list the pages must be whole; whatever a later version would read in them, the tables rest on them. What could not be
    read stays unread, for the same reason and since the same time. `merged` and `proven` are as for `last_proven`: a
    run that was killed may have written a later sweep in the place of the one that it merged.
    """
    sweep = manifest.sweep_of(root, merged[0], organization_id, endpoint)
    results = sweep.results if sweep is not None and sweep.merged_at == merged[1] else []
    found = {result.key: result for result in results}
    return {key: result for key, result in found.items() if _holds(root, result, proven)}


def _holds(root: Path, result: ListResult, proven: Collection[str | None]) -> bool:
    if result.outcome != PROVEN or result.fingerprint is None:
        return not result.nothing_missing
    return LastProven(root, result, result.key.facility_id in proven).still_counts()


def _sweeps_before(
    root: Path, organization_id: str, endpoint: str, merged: tuple[str, datetime]
) -> Iterator[SweepManifest]:
    """The sweep that the tables hold, then those before it, the latest first."""
    last, moment = merged
    name = f"{endpoint}{SWEEP_SUFFIX}"
    paths = {run.name: organization_folder(run, organization_id) / name for run in runs(root)}
    if last in paths and (sweep := _read(root, paths.pop(last))):
        yield sweep
    others = (_read(root, path) for path in paths.values())
    before = [sweep for sweep in others if sweep is not None and sweep.merged_at < moment]
    yield from sorted(before, key=lambda sweep: sweep.merged_at, reverse=True)


def _read(root: Path, path: Path) -> SweepManifest | None:
    return manifest.read(path, SweepManifest) if is_within(root, path) else None
