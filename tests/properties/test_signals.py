"""`dcycle-pipeline sync` stopped anywhere, with a DAGSTER_HOME and without: the next one goes through by itself.

It asks for what had not landed and nothing else, and publishes what an undisturbed sync would have.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path

import dagster as dg
import pytest

from tests.cli.conftest import variables
from tests.properties.aftermath import Scene, contents, landed, left_over, query
from tests.properties.nursery import Death
from tests.properties.places import Place
from tests.properties.test_kills import FROM_NOTHING, USUAL, check_readers

STOPPED = (signal.SIGINT, signal.SIGTERM)
SIGNALS = (signal.SIGKILL, *STOPPED)
LAST_HASH = "SELECT content_hash FROM sync.runs ORDER BY published_at DESC LIMIT 1"
# A sync takes seconds: both signals go one way, so they share half of the places, and in Dagster all share a few. With this variable, each gets all.
EVERYWHERE = bool(os.environ.get("SIGNALS_EVERYWHERE"))
IN_DAGSTER = [
    (place, number)
    for (at, place), (which, number) in product(enumerate(USUAL), enumerate(SIGNALS))
    if EVERYWHERE or at % 12 == which * 4
]
ON_THE_WAY = [
    (place, number)
    for (at, place), (which, number) in product(enumerate(USUAL), enumerate(STOPPED))
    if EVERYWHERE or at % 4 == which * 2
]


def command(
    stage: Scene, folder: Path, home: Path | None = None, place: Place | None = None, number: int = signal.SIGKILL
) -> Death:
    """`dcycle-pipeline sync`, stopped at a place if one is given."""
    life = stage.life(folder)
    environment = variables(stage.sandbox, folder)
    if home is not None:
        home.mkdir(exist_ok=True)
        (home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
        environment["DAGSTER_HOME"] = str(home)
    return stage.children.run(life, words=("sync",), environment=environment, place=place, stop_signal=number)


def check_stopped(death: Death, number: int) -> None:
    if number == signal.SIGKILL:
        assert death.killed, death.said
        return
    assert (death.signal, death.exit_code) == (0, 128 + number), death.said
    assert death.said.count(f"Stopped by {signal.Signals(number).name}") == 1
    assert "Traceback" not in death.said


@contextmanager
def next_sync(stage: Scene, folder: Path, content_hash: str) -> Iterator[None]:
    """The sync in the block is complete, asks for what had not landed and nothing else, and leaves nothing lying about."""
    there = landed(folder)
    stage.asked()
    yield
    asked = stage.asked()
    assert asked.isdisjoint(there)
    published = folder / "dcycle_warehouse.duckdb"
    proven = "SELECT organization_id, endpoint, facility_id FROM sync.lists WHERE facility_id IS NOT NULL AND outcome = 'proven'"
    last = "SELECT run_id FROM sync.runs ORDER BY published_at DESC LIMIT 1"
    assert asked | there >= set(query(published, f"{proven} AND run_id = ({last})"))
    assert left_over(folder, stage.children.temporary) == []
    assert query(published, LAST_HASH) == [(content_hash,)]


def go_on(stage: Scene, folder: Path, content_hash: str, home: Path | None = None) -> None:
    """The next command ends well."""
    with next_sync(stage, folder, content_hash):
        death = command(stage, folder, home)
        assert (death.signal, death.exit_code) == (0, 0), death.said


def ends(home: Path) -> list[dg.DagsterRunStatus]:
    """How all runs ended that the UI shows, oldest first."""
    with dg.DagsterInstance.from_config(str(home)) as instance:
        return [run.status for run in reversed(instance.get_runs())]


@pytest.mark.quick(1)
@pytest.mark.parametrize(("place", "number"), ON_THE_WAY, ids=str)
def test_stopped_on_the_way(stage: Scene, tmp_path: Path, place: Place, number: int) -> None:
    folder = stage.copy(tmp_path / "data")
    check_stopped(command(stage, folder, None, place, number), number)
    check_readers(folder, stage.before, stage.after)
    go_on(stage, folder, stage.content_hash)
    assert contents(folder / "dcycle_warehouse.duckdb") == stage.after


@pytest.mark.exhaustive
@pytest.mark.parametrize("place", FROM_NOTHING, ids=str)
def test_stopped_in_the_first_sync_of_all(stage: Scene, tmp_path: Path, place: Place) -> None:
    folder = tmp_path / "data"
    check_stopped(command(stage, folder, None, place, signal.SIGTERM), signal.SIGTERM)
    check_readers(folder, None, stage.from_nothing)
    go_on(stage, folder, stage.hash_from_nothing)


@pytest.mark.exhaustive
@pytest.mark.parametrize(("place", "number"), IN_DAGSTER, ids=str)
def test_stopped_in_dagster(stage: Scene, tmp_path: Path, place: Place, number: int) -> None:
    """The run ends in the UI too, at once or when the next one begins, and blocks nothing."""
    folder, home = stage.copy(tmp_path / "data"), tmp_path / "home"
    check_stopped(command(stage, folder, home, place, number), number)
    check_readers(folder, stage.before, stage.after)
    go_on(stage, folder, stage.content_hash, home)
    before = ends(home)[:-1]
    killed = number == signal.SIGKILL
    assert before in ([], [dg.DagsterRunStatus.FAILURE if killed else dg.DagsterRunStatus.CANCELED])
    assert ends(home)[-1] == dg.DagsterRunStatus.SUCCESS
