"""An account whose years are complete but for one pending month, published, as the tools get it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pytest

from dcycle_pipeline.cli import app
from dcycle_pipeline.data_folder import DataFolder
from dcycle_pipeline.sandbox import Sandbox, World
from tests.cli.conftest import CliRunner, variables
from tests.conftest import CHILD, FEW, ROOT, only

PENDING = "f-north-2025-6"


@dataclass(frozen=True)
class Account:
    """A sandbox, and what a user of it sets."""

    world: World
    environment: dict[str, str]
    api_key: str

    @property
    def file(self) -> Path:
        return DataFolder(Path(self.environment["DCYCLE_DATA_DIR"])).published

    def invoke(self, *words: str, code: int = 0) -> str:
        """What the command line says on stdout."""
        result = CliRunner().invoke(app, list(words), env=self.environment | {"DAGSTER_HOME": ""})
        assert result.exit_code == code, result.output
        return result.stdout


def three_years() -> World:
    """Two organisations with a facility each: 1000 kg a month in 2023 and 500, ten more each year; one month is pending."""
    world = World(ROOT, "Holding X")
    world.add_organization(CHILD, "Water North", ROOT)
    for organization, facility, country, co2e in ((ROOT, "f-south", "ES", 1000), (CHILD, "f-north", "DE", 500)):
        world.add_facility(organization, id=facility, name=facility, country=country, status="archived", co2e="0")
        for year in (2023, 2024, 2025):
            for month in range(1, 13):
                first = date(year, month, 1)
                record_id = f"{facility}-{year}-{month}"
                world.add_record(
                    facility,
                    id=record_id,
                    start_date=first.isoformat(),
                    end_date=((first + timedelta(days=31)).replace(day=1) - timedelta(days=1)).isoformat(),
                    co2e=None if record_id == PENDING else str(co2e + 10 * (year - 2023)),
                    quantity="1000",
                    status="active",
                )
    return world


@contextmanager
def synced(folder: Path) -> Iterator[Account]:
    """The account after one sync. Who changes the world syncs again by himself."""
    world = three_years()
    with Sandbox(world) as sandbox:
        account = Account(world, variables(sandbox, folder / "data"), sandbox.api_key)
        account.invoke("sync")
        yield account


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """The account with the summaries from which `bi` is made; the others are empty."""
    with (
        only((*FEW, "coverage_by_facility_month", "organization_names")),
        synced(tmp_path_factory.mktemp("few")) as made,
    ):
        yield made


@pytest.fixture(scope="module")
def whole_account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """The account with every summary."""
    with synced(tmp_path_factory.mktemp("whole")) as made:
        yield made
