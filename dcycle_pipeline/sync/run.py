"""What the steps of one run share: its id, settings, clock, the open working file, and who hears of progress."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from hashlib import sha256
from importlib.metadata import version
from types import TracebackType
from typing import Self

import duckdb

from dcycle_pipeline.api.breaker import Outages
from dcycle_pipeline.api.meter import Limits
from dcycle_pipeline.api.types import Query
from dcycle_pipeline.data_folder import DRAFT, WAREHOUSE, DataFolder
from dcycle_pipeline.endpoints import declared
from dcycle_pipeline.endpoints.declaration import Endpoint
from dcycle_pipeline.landing import manifest
from dcycle_pipeline.landing.fetch import Resume
from dcycle_pipeline.landing.files import Landing
from dcycle_pipeline.landing.lists import Backfill, ListKey
from dcycle_pipeline.publish import destinations
from dcycle_pipeline.publish.checks import Finding
from dcycle_pipeline.settings import Settings
from dcycle_pipeline.sync.begin import Beginning, begun
from dcycle_pipeline.sync.progress import Progress, Silent
from dcycle_pipeline.warehouse import run_log
from dcycle_pipeline.warehouse.database import failure, set_memory


@dataclass
class Run:
    """One run: its id, its settings, and the clock that stamps what it sees. Use it with `with`, or `close` it.

    The first step that asks for the working file begins the run; the file and the folder's lock then stay with the run until it
    is closed, in this process, or until a step fails. `accepted_drops` are organisations whose rows may vanish in any number;
    `publishes` is whether the run ends with a publication. `backfill` says what it is for, if it is one, `pending_only` that it asks
    only for lists with pending records, and `is_draft` that it works on a copy of the working file. `completes` is the run before, if
    it only asks once more the organisations that gave no answer then. `clock` counts seconds, and nobody puts it back.
    """

    run_id: str
    settings: Settings
    progress: Progress = field(default_factory=Silent)
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    clock: Callable[[], float] = time.monotonic
    wait_for_folder_seconds: float = 600
    accepted_drops: frozenset[str] = frozenset()
    publishes: bool = True
    backfill: Backfill | None = None
    pending_only: bool = False
    is_draft: bool = False
    completes: str | None = None
    outages: Outages = field(default_factory=Outages)
    put_off: list[str] = field(
        default_factory=list
    )  # organisations of which no list could be read, for want of an answer
    # What this run has checked since it opened the working file, by endpoint: nobody else writes meanwhile.
    findings: dict[str, list[Finding]] = field(default_factory=dict)
    _held: ExitStack = field(default_factory=ExitStack)
    _connection: duckdb.DuckDBPyConnection | None = None

    def __post_init__(self) -> None:
        """Raises SettingsError, before anything is read, if a destination is unknown or lacks a setting."""
        destinations.chosen(self.settings)

    @property
    def folder(self) -> DataFolder:
        return DataFolder(self.settings.data_dir, DRAFT if self.is_draft else WAREHOUSE)

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        return declared(self.settings.facilities_api)

    @contextmanager
    def working_file(self, memory_limit_mb: int | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
        """The working file, held for writing, in the memory that a step wants (all that is granted, if it does not say)."""
        limit = memory_limit_mb or self.settings.memory_limit_mb
        try:
            if self._connection is None:
                self._connection = self._held.enter_context(begun(self.folder, self._beginning))
            set_memory(self._connection, limit)
            yield self._connection
        except duckdb.Error as error:
            self.close()
            raise failure(self.folder.warehouse, error) from error
        except BaseException:
            self.close()
            raise

    @property
    def _beginning(self) -> Beginning:
        patience, limit = self.wait_for_folder_seconds, self.settings.memory_limit_mb
        purpose = f"run {self.run_id}"
        asked = self.backfill, self.pending_only, self.completes
        return Beginning(self.run_id, purpose, self.now, limit, patience, *asked)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the working file and of the folder."""
        self._connection = None
        self.findings.clear()
        self._held.close()

    def landing(
        self,
        path: str,
        query: Query,
        merged: Mapping[str, tuple[str, datetime]] | None = None,
        stood: Mapping[ListKey, datetime] | None = None,
    ) -> Landing:
        """Where the answers of an address land; `query` is what all its lists share. `merged` and `stood` are as `Landing` has them.

        Another version may clean, decode or judge the same answer in another way, and another key gives other pseudonyms: then
        everything is read anew.
        """
        asked = "&".join(f"{name}={value}" for name, value in query)
        kept = self.settings.personal_data
        key = sha256(self.folder.pseudonym_key()).hexdigest()[:16] if kept == "pseudonymise" else ""
        choices = f"personal_data={kept}{key} version={version('dcycle_pipeline')}"
        source = f"{self.settings.base_url}{path}?{asked} {choices}"
        return Landing(self.folder.landing, self.run_id, source, merged, stood)

    def resumable(self) -> tuple[datetime, datetime]:
        """From when to when a list must have been read so that another run may take it over now."""
        now = self.now()
        return now - timedelta(hours=self.settings.resume_hours), now

    @property
    def resume(self) -> Resume:
        """A run over pending records takes nothing over: if it finds no news, nobody would know that the answer was an old one."""
        return Resume(timedelta(hours=0 if self.pending_only else self.settings.resume_hours), self.now)

    @cached_property
    def limits(self) -> Limits:
        """The budgets of its lists, and of the run from now on: what waits for the folder reads nothing."""
        return Limits(self.settings, self.clock, self.clock() + self.settings.run_hours * 3600)

    def end(self) -> None:
        """Say that the run is over without a publication: no other takes over what it landed."""
        manifest.end_run(self.folder.landing, self.run_id)

    def started_at(self, connection: duckdb.DuckDBPyConnection) -> datetime:
        """When the first step of this run began."""
        return run_log.started_at(connection, self.run_id)
