"""What the tests of backfills share: a folder that a sync filled, the verb, and a world that goes on."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest
from typer.testing import CliRunner, Result

from dcycle_pipeline.cli import app
from dcycle_pipeline.sandbox import Sandbox, World
from dcycle_pipeline.sync.publication import Publication
from tests.cli.conftest import variables
from tests.conftest import settings_for, small_world, sync

PERIOD = ("--from", "2025-01-01", "--to", "2025-03-31")


@dataclass(frozen=True)
class Folder:
    """A data folder of a sandbox, and the command line on it."""

    sandbox: Sandbox
    data: Path

    @property
    def environment(self) -> dict[str, str]:
        return variables(self.sandbox, self.data)

    @property
    def file(self) -> Path:
        return self.data / "dcycle_warehouse.duckdb"

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(app, list(words), env=self.environment | {"DAGSTER_HOME": ""})

    def backfill(self, *words: str, code: int = 0, period: Sequence[date] = ()) -> dict[str, Any]:
        """`backfill --json` over a period, usually the one of these tests; its one object."""
        dates = ["--from", str(period[0]), "--to", str(period[1])] if period else PERIOD
        result = self.run("backfill", *dates, *words, "--json")
        assert result.exit_code == code, result.output
        (line,) = result.stdout.splitlines()
        told: dict[str, Any] = json.loads(line)
        assert told["exit_code"] == code
        return told

    def sync(self) -> Publication:
        """A whole sync, without the report that the command writes."""
        return sync(settings_for(self.sandbox, self.data)).publication

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.file.resolve()), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def asked(self) -> set[str | None]:
        """The facilities whose records were asked for since this was asked last."""
        seen = {
            dict(request.query)["facility_id"]
            for request in self.sandbox.requests
            if request.path == "/v1/waste-water-treatments"
        }
        self.sandbox.clear_requests()
        return seen


@contextmanager
def synced(data: Path) -> Iterator[Folder]:
    """A folder that one sync has filled from a small world, until the block ends."""
    with Sandbox(small_world()) as sandbox:
        found = Folder(sandbox, data)
        found.sync()
        sandbox.clear_requests()
        yield found


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    with synced(tmp_path / "data") as found:
        yield found


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Folder]:
    """The same for tests that leave folder and world as they are."""
    with synced(tmp_path_factory.mktemp("untouched") / "data") as found:
        yield found


def go_on(world: World) -> None:
    """A change of every kind, inside the period of these tests and outside it."""
    large = [item["id"] for item in world.facility_records("f-large")]
    north = [item["id"] for item in world.facility_records("f-north")]
    world.add_record("f-old", start_date="2024-12-20", end_date="2025-01-01", co2e="12.000000001")
    world.add_record("f-empty", start_date="2025-03-31", end_date="2025-04-29", co2e="0.123456789")
    world.add_record("f-empty", start_date="2025-04-01", end_date="2025-04-30", co2e="1000.5")
    world.recalculate_record(large[1], "77.5")
    world.recalculate_record(north[0], "3.333333333")
    world.recalculate_record(north[3], "0.000000001")
    world.edit_record(large[0], start_date="2025-02-01", end_date="2025-02-28")
    world.delete_record(large[2])
    world.add_record(world.add_facility(world.root_id, id="f-new"), start_date="2025-01-31", end_date="2025-02-01")


def files(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
