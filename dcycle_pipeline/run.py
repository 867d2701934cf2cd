"""What the stages of one run share: its id, settings, clock, the way to the working file, and who is told of progress."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Protocol

import duckdb

from dcycle_pipeline import ledger
from dcycle_pipeline.endpoints import declared
from dcycle_pipeline.endpoints.declaration import Endpoint
from dcycle_pipeline.endpoints.organizations import ORGANIZATIONS
from dcycle_pipeline.errors import UnavailableError
from dcycle_pipeline.folder import DataFolder
from dcycle_pipeline.schema import Table
from dcycle_pipeline.settings import Settings
from dcycle_pipeline.summaries import SUMMARIES
from dcycle_pipeline.sweep import Swept
from dcycle_pipeline.warehouse import opened


class Progress(Protocol):
    """Told how a stage gets on: `total` scopes of an organisation at its start, then each scope as it ends."""

    def expect(self, endpoint: str, organization_id: str, total: int) -> None: ...

    def swept(self, swept: Swept) -> None: ...


class Silent:
    """No progress is shown."""

    def expect(self, endpoint: str, organization_id: str, total: int) -> None:
        return None

    def swept(self, swept: Swept) -> None:
        return None


@dataclass
class Run:
    """One run: its id, its settings, and the clock that stamps what it sees."""

    run_id: str
    settings: Settings
    progress: Progress = field(default_factory=Silent)
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    wait_for_folder_seconds: float = 600

    @property
    def folder(self) -> DataFolder:
        return DataFolder(self.settings.data_dir)

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        return declared(self.settings.facilities_api)

    @contextmanager
    def warehouse(self, memory_limit_mb: int | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
        """The working file, held for writing, with this run noted in it."""
        with self.folder.writing(f"sync run {self.run_id}", self.wait_for_folder_seconds):
            root = self.folder.about().get("root_organization_id")
            if root is None:
                raise UnavailableError("The organisations are not known yet: read them first (asset `organizations`).")
            with opened(self.folder, all_tables(), memory_limit_mb or self.settings.memory_limit_mb) as connection:
                ledger.begin(connection, self.run_id, self.now(), root, version("dcycle_pipeline"))
                yield connection


def content_tables() -> tuple[Table, ...]:
    """Every published table that holds content of the API or is derived from it."""
    return (ORGANIZATIONS, *(table for endpoint in declared() for table in endpoint.tables), *SUMMARIES)


def all_tables() -> tuple[Table, ...]:
    return (*content_tables(), *ledger.TABLES)
