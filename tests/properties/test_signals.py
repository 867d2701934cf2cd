"""Ctrl-C and SIGTERM anywhere in `dcycle-pipeline sync`: it stops there, and the next one ends as if nothing had happened."""

import signal
from pathlib import Path

import pytest

from tests.cli.conftest import variables
from tests.properties.aftermath import Scene, contents, landed, left_over, query, said_as_json
from tests.properties.nursery import Death
from tests.properties.places import Place
from tests.properties.test_kills import FROM_NOTHING, USUAL, check_readers

EXIT_CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}
LAST_HASH = "SELECT content_hash FROM sync.runs ORDER BY published_at DESC LIMIT 1"


def command(stage: Scene, folder: Path, place: Place | None = None, number: int = signal.SIGTERM) -> Death:
    """`dcycle-pipeline sync --json`, stopped at a place if one is given."""
    life = stage.life(folder)
    environment = variables(stage.sandbox, folder)
    return stage.children.run(life, words=("sync", "--json"), environment=environment, place=place, stop_signal=number)


def check_stopped(death: Death, number: int) -> None:
    assert (death.signal, death.exit_code) == (0, EXIT_CODES[signal.Signals(number)]), death.said
    assert f"Stopped by {signal.Signals(number).name}" in death.said
    assert "Traceback" not in death.said


def go_on(stage: Scene, folder: Path) -> None:
    """The next command: complete, asks for what had not landed and nothing else, and leaves nothing lying about."""
    there = landed(folder)
    stage.asked()
    death = command(stage, folder)
    assert (death.signal, death.exit_code) == (0, 0), death.said
    asked = stage.asked()
    assert asked.isdisjoint(there)
    run_id = said_as_json(death.said)["run_id"]
    published = folder / "dcycle.duckdb"
    proven = "SELECT organization_id, endpoint, facility_id FROM sync.lists WHERE facility_id IS NOT NULL AND outcome = 'proven'"
    assert asked | there >= set(query(published, f"{proven} AND run_id = '{run_id}'"))
    assert left_over(folder, stage.children.temporary) == []


@pytest.mark.quick(1)
@pytest.mark.parametrize("number", EXIT_CODES)
@pytest.mark.parametrize("place", USUAL, ids=str)
def test_stopped_on_the_way(stage: Scene, tmp_path: Path, number: int, place: Place) -> None:
    folder = stage.copy(tmp_path / "data")
    check_stopped(command(stage, folder, place, number), number)
    check_readers(folder, stage.before, stage.after)
    go_on(stage, folder)
    assert query(folder / "dcycle.duckdb", LAST_HASH) == [(stage.content_hash,)]
    assert contents(folder / "dcycle.duckdb") == stage.after


@pytest.mark.exhaustive
@pytest.mark.parametrize("place", FROM_NOTHING, ids=str)
def test_stopped_in_the_first_sync_of_all(stage: Scene, tmp_path: Path, place: Place) -> None:
    folder = tmp_path / "data"
    check_stopped(command(stage, folder, place), signal.SIGTERM)
    check_readers(folder, None, stage.from_nothing)
    go_on(stage, folder)
    assert query(folder / "dcycle.duckdb", LAST_HASH) == [(stage.hash_from_nothing,)]
