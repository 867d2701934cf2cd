"""The paths below DCYCLE_DATA_DIR. Which of what lies there is ours belongs to `ours`."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dcycle_pipeline.data_folder import ours


@dataclass(frozen=True)
class Paths:
    """Where things are below DCYCLE_DATA_DIR, which is `root`. `working_file` is the name of the file that a run works on."""

    root: Path
    working_file: str = ours.WAREHOUSE

    @property
    def published(self) -> Path:
        """The link that readers open."""
        return self.root / ours.PUBLISHED

    @property
    def published_before(self) -> Path:
        """The link of layout 3, which the next run replaces by `published`."""
        return self.root / ours.PUBLISHED_BEFORE

    @property
    def readable(self) -> Path:
        """What readers open: `published`, or the link of layout 3 as long as no run has replaced it."""
        waits = not self.published.exists() and self.published_before.exists()
        return self.published_before if waits else self.published

    @property
    def report(self) -> Path:
        """The report of the last publication."""
        return self.root / "report.html"

    @property
    def snapshots(self) -> Path:
        """The snapshots, each in a folder of its own: what the link points at, and earlier ones for a rollback."""
        return self.root / "snapshots"

    def snapshot(self, name: str) -> Path:
        """The file of a snapshot, whose name is that of its folder."""
        return self.snapshots / name / ours.PUBLISHED

    def snapshot_folders(self) -> list[Path]:
        """The folders of snapshots, whole or not, oldest first."""
        return sorted(path for path in self.snapshots.glob("*") if ours.is_snapshot_folder(path))

    def published_snapshots(self) -> list[Path]:
        """Complete snapshots, oldest first. What somebody else put there is none, a link neither."""
        files = (self.snapshot(folder.name) for folder in self.snapshot_folders())
        return [file for file in files if ours.is_snapshot(file)]

    def snapshots_before(self) -> dict[str, Path]:
        """The snapshots of layout 3, by the names that they have now."""
        return ours.snapshots_before(self.root)

    def strangers(self) -> list[Path]:
        """What lies in the folder and is not ours."""
        return ours.strangers(self.root)

    def left_over(self) -> Iterator[Path]:
        """What killed runs left half-written outside of `landing`."""
        return (path for path in ours.left_over(self.root) if not path.name.startswith(self.working_file))

    def damaged(self) -> dict[str, list[Path]]:
        """The working files that were set aside as damaged, by when that was, oldest first."""
        return ours.damaged(self.root)

    @property
    def scope_mapping(self) -> Path:
        """The account's own mapping of facilities to scopes, if it has one."""
        return self.root / "scope_mapping.csv"

    @property
    def landing(self) -> Path:
        """The landed pages, one folder per run."""
        return self.root / "landing"

    @property
    def working(self) -> Path:
        """What belongs to the pipeline alone."""
        return self.root / "working"

    @property
    def warehouse(self) -> Path:
        """The working file."""
        return self.working / self.working_file

    @property
    def destinations(self) -> Path:
        """What the last sending to each destination came to."""
        return self.working / "destinations.json"

    @property
    def endings(self) -> Path:
        """How the last runs ended, and who was notified of it."""
        return self.working / "endings.json"

    @property
    def pictures(self) -> Path:
        """The pictures of the last report."""
        return self.working / "drawings.json"

    @property
    def spill(self) -> Path:
        """Where DuckDB writes what does not fit its memory."""
        return self.working / "spill"
