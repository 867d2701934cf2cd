"""What the tests of the core share: a clean environment, a sync as the job does it, and what a world should look like."""

import errno
import os
import shutil
import signal
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from unittest.mock import patch
from uuid import uuid4

import duckdb
import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from dcycle_pipeline import summaries
from dcycle_pipeline.cli import heartbeat
from dcycle_pipeline.data_folder import DataFolder
from dcycle_pipeline.sandbox import Sandbox, World, a_month_later, demo_world
from dcycle_pipeline.settings import Settings, load
from dcycle_pipeline.sync import rewrite, whole
from dcycle_pipeline.sync.publication import Publication
from dcycle_pipeline.sync.run import Run
from dcycle_pipeline.sync.whole import sync_whole
from dcycle_pipeline.warehouse import database, last_sweeps
from tests.wire import Tls, certificate

if TYPE_CHECKING:
    from tests.properties.aftermath import Scene

T = TypeVar("T")
FEW = ("listed_twice", "coverage_gaps", "emissions_by_facility_month")
ROOT = "11111111-1111-4111-8111-111111111111"
# Outcomes of a list after which no row of it can be missing.
NOTHING_MISSING = "('proven', 'facility_deleted', 'no_facilities', 'answered')"
CHILD = "22222222-2222-4222-8222-222222222222"
BUSINESS = {
    "facilities": "organization_id, facility_id, name, country_code, facility_type, status, address, logistic_factor, "
    "co2e_kg, co2e_biomass_kg, facility_purpose_type, external_facility_id, hub_category, invoices_count, "
    "has_supercharger, created_at, updated_at",
    "waste_water_treatments": "organization_id, facility_id, waste_water_treatment_id, record_label, status, "
    "start_date, end_date, water_in_m3, water_out_m3, sludge_kg, co2e_kg, co2e_biomass_kg, co2e_state, percentage, "
    "unit_name, uploaded_by_user_id, created_at",
}

# A shell lets a command in the background ignore Ctrl-C, and all that it starts: then nothing could be stopped by it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

hypothesis_settings.register_profile(
    "ours", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
# Other examples each time: what they find becomes an @example, so nothing is kept beside.
hypothesis_settings.register_profile(
    "fresh", hypothesis_settings.get_profile("ours"), derandomize=False, database=None, print_blob=True
)
hypothesis_settings.load_profile("ours")


def quick_only(chosen: Collection[T], values: Iterable[T]) -> list[Any]:
    """The values as cases of a test: the chosen ones are the quick tier's, all others are exhaustive."""
    return [value if value in chosen else pytest.param(value, marks=pytest.mark.exhaustive) for value in values]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of a test that is marked quick(n), all cases but n are exhaustive: the first, the last, and those evenly between."""
    cases: dict[str, list[pytest.Item]] = {}
    for item in items:
        if item.get_closest_marker("quick"):
            cases.setdefault(item.nodeid.split("[", maxsplit=1)[0], []).append(item)
    for same in cases.values():
        (count,) = same[0].get_closest_marker("quick").args
        kept = {round(at * (len(same) - 1) / max(count - 1, 1)) for at in range(count)}
        for index, item in enumerate(same):
            if index not in kept:
                item.add_marker("exhaustive")


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    for name in [name for name in os.environ if name.startswith("DCYCLE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return


@pytest.fixture
def without_network_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy and no certificates of this machine."""
    for name in [name for name in os.environ if name.lower().endswith("_proxy") or name.startswith("SSL_CERT_")]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    """A certificate of its own, and what a server needs to use it."""
    return certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(autouse=True, scope="session")
def _one_thread_a_file() -> Iterator[None]:
    """Two test processes share two cores: more threads for a few rows only wait for each other."""
    with patch.object(database, "THREADS", 1):
        yield


@pytest.fixture(autouse=True, scope="session")
def _no_word_of_patience() -> Iterator[None]:
    """On a busy machine a command of a few rows takes seconds: what it then says would be one line more to count."""
    with patch.object(heartbeat, "SILENCE_SECONDS", 3600.0):
        yield


@contextmanager
def only(names: tuple[str, ...]) -> Iterator[None]:
    """Only these summaries, and no year totals: the rest has tests of its own."""
    kept = tuple(s for s in summaries.SUMMARIES if s.name in names)
    with (
        patch.object(summaries, "SUMMARIES", kept),
        patch.object(whole, "YEAR_TOTALS", ()),
        # A tiny file grows by a tenth with every change: writing it anew each time has tests of its own.
        patch.object(rewrite, "GROWTH_PERCENT", 100),
    ):
        yield


@pytest.fixture(scope="module")
def few_summaries() -> Iterator[None]:
    """The summary that keeps history, with what it is made from: what many syncs are judged by."""
    with only(FEW):
        yield


@contextmanager
def disk_full_for(name: str) -> Iterator[None]:
    """No file of this name can take its place."""
    replace = os.replace

    def full(source: Any, target: Any) -> None:
        if Path(target).name == name:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        replace(source, target)

    with patch.object(os, "replace", full):
        yield


def settings_for(sandbox: Sandbox, folder: Path, **overrides: Any) -> Settings:
    usual: dict[str, Any] = {
        "api_key": sandbox.api_key,
        "organization_id": sandbox.world.root_id,
        "base_url": sandbox.base_url,
        "data_dir": folder,
        "retry_first_wait_seconds": 0.001,
        "retry_attempts": 4,
    }
    return load(**usual | overrides)


@lru_cache(maxsize=2)
def opened_snapshot(path: Path, inode: int) -> duckdb.DuckDBPyConnection:
    """A reader's connection; a snapshot never changes, so it may stay open for the next question."""
    connection = duckdb.connect(str(path), read_only=True)
    connection.execute("SET TimeZone = 'UTC'")
    return connection


@dataclass(frozen=True)
class Published:
    """A published file as its readers see it."""

    file: Path

    def query(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        path = self.file.resolve()
        return opened_snapshot(path, path.stat().st_ino).execute(sql, list(parameters)).fetchall()

    def rows(self, table: str) -> dict[str, tuple[Any, ...]]:
        """Business columns by id (ids are unique in a world)."""
        index = 1 if table == "facilities" else 2
        found = self.query(f"SELECT {BUSINESS[table]} FROM dcycle.{table}")
        assert len({row[index] for row in found}) == len(found), "an id stands twice"
        return {row[index]: row for row in found}

    def facilities(self) -> dict[str, tuple[Any, ...]]:
        return self.rows("facilities")

    def records(self) -> dict[str, tuple[Any, ...]]:
        return self.rows("waste_water_treatments")


@dataclass(frozen=True)
class Synced(Published):
    """What one sync left behind."""

    run_id: str
    settings: Settings
    publication: Publication

    def copied(self, settings: Settings) -> "Synced":
        """The same in another folder, as if `settings` had made it: worlds that are made alike are alike."""
        shutil.copytree(self.settings.data_dir, settings.data_dir, symlinks=True)
        folder = DataFolder(settings.data_dir)
        snapshot = folder.snapshot(self.publication.snapshot.parent.name)
        publication = replace(self.publication, file=folder.published, snapshot=snapshot)
        return Synced(snapshot, self.run_id, settings, publication)

    @property
    def outcome(self) -> str:
        return self.publication.outcome

    def unproven_lists(self) -> dict[tuple[str, str, str | None], tuple[str, str]]:
        """What of the lists this run could not prove; totals are no lists."""
        rows = self.query(
            "SELECT organization_id, endpoint, facility_id, outcome, reason FROM sync.lists "
            f"WHERE run_id = ? AND outcome NOT IN {NOTHING_MISSING} AND endpoint <> 'total_impacts'",
            self.run_id,
        )
        return {row[:3]: row[3:] for row in rows}

    def quarantined(self) -> list[tuple[str, str]]:
        rejected = (
            "SELECT item_id, reason FROM sync.quarantine WHERE run_id = ? AND endpoint <> 'total_impacts' ORDER BY ALL"
        )
        return self.query(rejected, self.run_id)

    def doubtful(self) -> dict[str, str]:
        """The reason of each doubtful row that nobody has decided, by its id."""
        rows = self.query(last_sweeps.DOUBTFUL)
        return {row[3]: row[4] for row in rows}


def sync(settings: Settings, accepted_drops: frozenset[str] = frozenset()) -> Synced:
    """A whole sync without Dagster."""
    return steps(Run(str(uuid4()), settings, accepted_drops=accepted_drops))


def steps(run: Run) -> Synced:
    """All steps in the order of the job."""
    with run:
        publication = sync_whole(run)
    return Synced(publication.snapshot, run.run_id, run.settings, publication)


def without_heartbeat(lines: Iterable[str]) -> Iterator[str]:
    """The lines that a command says, but for those that only break its silence on a slow machine."""
    return (line for line in lines if not line.startswith("Still at work"))


def quantity(value: Decimal | None) -> Decimal | None:
    exact = Context(prec=60, rounding=ROUND_HALF_EVEN)
    return None if value is None else value.quantize(Decimal("1e-9"), context=exact)


def moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def facility_row(organization_id: str, item: dict[str, Any]) -> tuple[Any, ...]:
    """The row of `dcycle.facilities` that a wire item stands for."""
    named = ("name", "country", "type", "status", "address")
    numbers = tuple(quantity(item.get(name)) for name in ("logistic_factor", "co2e", "co2e_biomass"))
    rest = ("facility_purpose_type", "facility_id", "hub_category", "invoices_length", "supercharger")
    times = moment(item.get("created_at")), moment(item.get("updated_at"))
    texts = tuple(item.get(name) for name in named)
    return (organization_id, item["id"], *texts, *numbers, *(item.get(name) for name in rest), *times)


def record_row(organization_id: str, item: dict[str, Any]) -> tuple[Any, ...]:
    """The row of `dcycle.waste_water_treatments` that a wire item stands for."""
    days = (date.fromisoformat(item[name][:10]) for name in ("start_date", "end_date"))
    numbers = (quantity(item[name]) for name in ("quantity", "m3_water_out", "kg_sludge", "co2e", "co2e_biomass"))
    state = "pending" if item["co2e"] is None else "calculated"
    rest = quantity(item["percentage"]), item["unit"]["name"], item.get("uploaded_by"), moment(item["created_at"])
    key = (organization_id, item["facility_id"], item["id"], item["invoice_id"], item["status"])
    return (*key, *days, *numbers, state, *rest)


def facilities_of(world: World, *, legacy: bool = False) -> dict[str, tuple[Any, ...]]:
    return {
        item["id"]: facility_row(organization, item)
        for organization in world.organization_ids()
        for item in world.facilities(organization, legacy=legacy)
        if not legacy or item["hub_category"] is None
    }


def records_of(world: World) -> dict[str, tuple[Any, ...]]:
    return {
        item["id"]: record_row(organization, item)
        for organization in world.organization_ids()
        for item in world.records(organization)
    }


def assert_equal(synced: Synced, world: World, *, legacy: bool = False) -> None:
    """Every column of every row is what the world holds."""
    assert synced.facilities() == facilities_of(world, legacy=legacy)
    assert synced.records() == records_of(world)


def small_world() -> World:
    """Two organisations, four facilities, one of them with more than a page of records."""
    world = World(ROOT, "Holding X")
    world.add_organization(CHILD, "Water North", ROOT)
    large = world.add_facility(ROOT, id="f-large", name="Planta Álamo")
    world.add_facility(ROOT, id="f-old", name="Ancienne Station", country="FR", status="archived", co2e=None)
    world.add_facility(ROOT, id="f-empty", name="Büro", type="office", categories=None, cups_list=None)
    world.add_facility(CHILD, id="f-north", name="Nordwerk", country="DE", co2e="0.1234567891")
    world.add_records(large, 130)
    world.add_records("f-old", 3, status="error")
    world.add_record("f-old", status="loading", linked_projects=["p-1", {"id": "p-2", "name": "x"}])
    world.add_records("f-north", 4, quantity="9007199254740993.123456789", co2e=None)
    return world


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Synced:
    """What `dcycle-pipeline demo` publishes: its world, and the same world a month later. Nobody changes it.

    Its clock shows the year of its records, so that the report's year stays the same.
    """
    world, late = demo_world(), datetime.now(UTC) - datetime(2026, 11, 5, 9, tzinfo=UTC)
    with Sandbox(world) as sandbox:
        settings = settings_for(sandbox, tmp_path_factory.mktemp("demo"))

        def read() -> Synced:
            return steps(Run(str(uuid4()), settings, now=lambda: datetime.now(UTC) - late))

        read()
        a_month_later(world)
        return read()


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Scene"]:
    """What is killed and damaged, always in a copy of its folder: made once, for it takes three syncs."""
    from tests.properties.aftermath import scene

    with scene(tmp_path_factory.mktemp("scene")) as prepared:
        yield prepared


@pytest.fixture
def world() -> World:
    return small_world()


@pytest.fixture
def sandbox(world: World) -> Iterator[Sandbox]:
    with Sandbox(world) as running:
        yield running
