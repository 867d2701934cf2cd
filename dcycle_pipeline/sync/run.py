"""What the stages of one run share: its id, settings, clock, the way to the working file, and who is told of progress."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Protocol

import duckdb

from dcycle_pipeline.api.types import Query
from dcycle_pipeline.data_folder import DataFolder
from dcycle_pipeline.endpoints import declared
from dcycle_pipeline.endpoints.declaration import Endpoint
from dcycle_pipeline.errors import UnavailableError
from dcycle_pipeline.landing import manifest
from dcycle_pipeline.landing.fetch import Swept
from dcycle_pipeline.landing.files import Landing
from dcycle_pipeline.settings import Settings
from dcycle_pipeline.sync import recovery
from dcycle_pipeline.warehouse import run_log


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
    """One run: its id, its settings, and the clock that stamps what it sees.

    `accepted_drops` are organisations whose rows may vanish in any number; `publishes` is whether it ends with a publication.
    """

    run_id: str
    settings: Settings
    progress: Progress = field(default_factory=Silent)
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    wait_for_folder_seconds: float = 600
    accepted_drops: frozenset[str] = frozenset()
    publishes: bool = True

    @property
    def folder(self) -> DataFolder:
        return DataFolder(self.settings.data_dir)

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        return declared(self.settings.facilities_api)

    @contextmanager
    def warehouse(self, memory_limit_mb: int | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
        """The working file, held for writing, with this run noted in it; made again where it is gone or damaged."""
        limit = self.settings.memory_limit_mb
        with (
            self.folder.writing(f"sync run {self.run_id}", self.wait_for_folder_seconds),
            recovery.sound(self.folder, self.run_id, memory_limit_mb or limit, limit) as connection,
        ):
            root = self.folder.about().get("root_organization_id")
            if root is None:
                raise UnavailableError("The organisations are not known yet: read them first (asset `organizations`).")
            moment = run_log.moment(connection, self.now())
            if not run_log.is_noted(connection, self.run_id):
                recovery.tidy(self.folder)  # first, as what a killed run left may be what fills the disk
            if run_log.begin(connection, self.run_id, moment, root, version("dcycle_pipeline")):
                recovery.reconcile(connection, self.folder)
            yield connection

    def landing(self, path: str, query: Query, settled: Mapping[str, tuple[str, datetime]] | None = None) -> Landing:
        """Where the answers of an address land; `query` is all of it but the scope. `settled` is as `Landing` has it."""
        asked = "&".join(f"{name}={value}" for name, value in query)
        source = f"{self.settings.base_url}{path}?{asked} personal_data={self.settings.personal_data}"
        return Landing(self.folder.landing, self.run_id, source, settled)

    def end(self) -> None:
        """Say that the run is over without a publication: what it landed is taken over by no other."""
        manifest.end_run(self.folder.landing, self.run_id)

    def started_at(self, connection: duckdb.DuckDBPyConnection) -> datetime:
        """When the first step of this run began."""
        return run_log.started_at(connection, self.run_id)
