"""`dcycle-pipeline sync` stopped anywhere, with a DAGSTER_HOME and without: the next one goes through by itself.

It asks for what had not landed and nothing else, and publishes what an undisturbed sync would have.
"""

import signal
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest

from tests.properties.aftermath import Scene, contents, landed, left_over, snapshots_are_whole
from tests.properties.nursery import Death
from tests.properties.places import Place

HALF_LANDED = Place("landing/files.py", "os.replace(self._beside, self.path)", 6, after=True)
WITH, WITHOUT = True, False
KILLED = [
    (HALF_LANDED, WITH),
    (replace(HALF_LANDED, nth=9), WITHOUT),
    (Place("sync/organizations.py", "manifest.write_tree("), WITHOUT),
    (Place("publish/snapshots.py", "os.replace(link, published)"), WITH),
]
# Where an exception would get lost, be wrapped, or be taken for a failure: event loops, threads, queries, the end.
STOPPED = [
    (Place("landing/files.py", "self._stream.flush(zstandard.FLUSH_FRAME)", 3, number=signal.SIGTERM), WITH),
    (Place("warehouse/merge.py", "self._insert_versions(moment)", 2, number=signal.SIGINT), WITH),
    (Place("publish/record.py", "summaries.refresh(", number=signal.SIGTERM), WITH),
    (replace(HALF_LANDED, number=signal.SIGINT), WITHOUT),
]


def command(stage: Scene, folder: Path, home: Path | None, place: Place | None = None) -> Death:
    life = stage.life(folder)
    environment = {f"DCYCLE_{name.upper()}": str(value) for name, value in life.settings.items()}
    if home is not None:
        home.mkdir(exist_ok=True)
        (home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
        environment["DAGSTER_HOME"] = str(home)
    return stage.children.run(life, words=("sync",), place=place, environment=environment)


def statuses(home: Path) -> list[dg.DagsterRunStatus]:
    """Of all runs that the UI shows, oldest first."""
    with dg.DagsterInstance.from_config(str(home)) as instance:
        return [run.status for run in reversed(instance.get_runs())]


def check_the_next(stage: Scene, folder: Path, home: Path | None) -> None:
    assert contents(folder / "dcycle.duckdb") in (stage.before, stage.after)
    assert snapshots_are_whole(folder)
    there = landed(folder)
    stage.asked()
    following = command(stage, folder, home)
    assert following.exit_code == 0, following.said
    assert stage.asked().isdisjoint(there)
    assert contents(folder / "dcycle.duckdb") == stage.after
    assert left_over(folder, folder.parent / "nothing") == []


@pytest.mark.quick(1)
@pytest.mark.parametrize(("place", "with_dagster"), KILLED, ids=str)
def test_a_killed_sync_blocks_nothing_and_is_resumed(
    stage: Scene, tmp_path: Path, place: Place, with_dagster: bool
) -> None:
    folder, home = stage.copy(tmp_path / "data"), tmp_path / "home" if with_dagster else None
    death = command(stage, folder, home, place)
    assert death.killed, death.said
    check_the_next(stage, folder, home)
    if home:
        assert statuses(home) == [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.SUCCESS]


@pytest.mark.exhaustive
@pytest.mark.parametrize(("place", "with_dagster"), STOPPED, ids=str)
def test_a_signal_stops_a_sync_everywhere(stage: Scene, tmp_path: Path, place: Place, with_dagster: bool) -> None:
    folder, home = stage.copy(tmp_path / "data"), tmp_path / "home" if with_dagster else None
    death = command(stage, folder, home, place)
    assert (death.signal, death.exit_code) == (0, 128 + place.number), death.said
    assert death.said.count("Stopped by") == 1
    assert "Traceback" not in death.said
    if home:
        assert statuses(home) == [dg.DagsterRunStatus.CANCELED]
    check_the_next(stage, folder, home)
