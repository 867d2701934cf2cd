"""A backfill that is killed, answered at a terminal, or lost with the working file; and a folder from before there were any."""

import os
import pty
import shutil
import subprocess
import threading
from datetime import date
from pathlib import Path
from uuid import uuid4

import duckdb
import pytest

from dcycle_pipeline.errors import UnavailableError
from dcycle_pipeline.landing.lists import Backfill
from dcycle_pipeline.sync.backfill import publish_draft, read_planned
from dcycle_pipeline.sync.draft import drafted
from dcycle_pipeline.sync.plan import make_plan
from dcycle_pipeline.sync.preview import preview, since_when
from dcycle_pipeline.sync.run import Run
from tests.backfill.conftest import PERIOD, Folder, go_on
from tests.cli.conftest import PROGRAM, variables
from tests.conftest import settings_for
from tests.properties.aftermath import Scene, contents, landed, left_over
from tests.properties.nursery import Life
from tests.properties.places import Place

HALF_LANDED = Place("landing/files.py", "os.replace(self._beside, self.path)", 5, after=True)
PLACES = [
    Place("sync/draft.py", "run.is_draft = True"),
    HALF_LANDED,
    Place("warehouse/merge.py", "self._insert_versions()", 2, after=True),
    Place("sync/backfill.py", "adopt(run)"),
    Place("sync/draft.py", "os.replace(draft, run.folder.warehouse)"),
    Place("sync/draft.py", "os.replace(draft, run.folder.warehouse)", after=True),
    Place("publish/snapshots.py", "os.replace(link, published)"),
    Place("publish/snapshots.py", "os.replace(link, published)", after=True),
]


@pytest.mark.exhaustive
@pytest.mark.parametrize("place", PLACES, ids=str)
def test_killed_anywhere_the_second_start_goes_on(stage: Scene, tmp_path: Path, place: Place) -> None:
    data = stage.copy(tmp_path / "data")
    published = data / "dcycle_warehouse.duckdb"
    life = Life({}, words=("backfill", *PERIOD, "--yes"), environment=variables(stage.sandbox, data))
    stage.asked()
    assert stage.children.run(life, place=place).killed
    assert contents(published) in (stage.before, stage.after)
    there = landed(data)
    assert stage.asked() >= there
    again = stage.children.run(life)
    assert (again.signal, again.exit_code) == (0, 0), again.said
    assert stage.asked().isdisjoint(there), "what had landed is not asked for again"
    assert contents(published) == stage.after
    assert left_over(data, stage.children.temporary) == []


@pytest.mark.exhaustive
def test_a_killed_preview_leaves_the_tables_to_whoever_comes_next(stage: Scene, tmp_path: Path) -> None:
    data = stage.copy(tmp_path / "data")
    life = Life({}, words=("backfill", *PERIOD, "--preview"), environment=variables(stage.sandbox, data))
    assert stage.children.run(
        life, place=Place("publish/record.py", "content_hash(connection, content_tables()")
    ).killed
    (data / "working" / "warehouse.duckdb").unlink()
    rebuilt = stage.children.run(Life({}, words=("replay",), environment={"DCYCLE_DATA_DIR": str(data)}))
    assert rebuilt.exit_code == 0, rebuilt.said
    assert contents(data / "dcycle_warehouse.duckdb") == stage.before, "nobody said that it may be published"
    assert left_over(data, stage.children.temporary) == []


@pytest.mark.quick(1)
@pytest.mark.parametrize(("answer", "changes"), [("y", True), ("n", False), ("", False)])
def test_a_person_at_a_terminal_is_asked(folder: Folder, answer: str, changes: bool) -> None:
    go_on(folder.sandbox.world)
    before = folder.file.resolve()
    ours, theirs = pty.openpty()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DCYCLE_", "DAGSTER_"))}
    with subprocess.Popen(
        [str(PROGRAM), "backfill", *PERIOD],
        stdin=theirs,
        stderr=theirs,
        stdout=subprocess.PIPE,
        text=True,
        env=kept | folder.environment,
    ) as process:
        os.close(theirs)
        seen: list[bytes] = []
        reading = threading.Thread(target=_read, args=(ours, seen))
        reading.start()
        os.write(ours, f"{answer}\n".encode())
        said, _ = process.communicate(timeout=90)
        reading.join()
    os.close(ours)
    assert process.returncode == 0, said
    assert b"Publish this? [y/N]" in b"".join(seen)
    assert (folder.file.resolve() != before) is changes
    assert ("Nothing was published." in said) is not changes


def _read(terminal: int, seen: list[bytes]) -> None:
    try:
        while block := os.read(terminal, 4096):
            seen.append(block)
    except OSError:  # the other side is closed
        return


@pytest.mark.exhaustive
def test_what_a_backfill_was_for_survives_the_loss_of_the_working_file(folder: Folder) -> None:
    go_on(folder.sandbox.world)
    folder.backfill("--yes", "--reason", "audit", "--by", "Ana")
    shutil.rmtree(folder.file.resolve().parent)
    (folder.data / "working" / "warehouse.duckdb").unlink()
    assert folder.run("replay").exit_code == 0
    told = folder.query(
        "SELECT backfill_from, backfill_to, backfill_reason, backfill_by FROM sync.runs ORDER BY started_at"
    )
    assert told == [(None,) * 4, (date(2025, 1, 1), date(2025, 3, 31), "audit", "Ana"), (None,) * 4]


def read_and_fail(run: Run, backfill: Backfill) -> None:
    with drafted(run):
        read_planned(run, make_plan(run, backfill))
        raise UnavailableError("the disk went away")


@pytest.mark.exhaustive
def test_a_run_that_failed_can_be_tried_again(folder: Folder) -> None:
    go_on(folder.sandbox.world)
    backfill = Backfill(date(2025, 1, 1), date(2025, 3, 31))
    with Run(str(uuid4()), settings_for(folder.sandbox, folder.data), backfill=backfill) as run:
        with pytest.raises(UnavailableError):
            read_and_fail(run, backfill)
        folder.asked()
        with drafted(run):
            read_planned(run, make_plan(run, backfill))
            assert preview(run, backfill, since_when(run)).changes
            assert publish_draft(run).content_changed
    assert folder.asked() == set(), "what the run had landed is not asked for again"
    assert folder.sync().content_changed is False


@pytest.mark.exhaustive
def test_a_folder_from_before_there_were_backfills_goes_over(folder: Folder) -> None:
    with duckdb.connect(str(folder.data / "working" / "warehouse.duckdb")) as connection:
        for column in ("from", "to", "reason", "by"):
            connection.execute(f"ALTER TABLE sync.runs DROP COLUMN backfill_{column}")
        connection.execute("CREATE OR REPLACE MACRO sync.layout_digest() AS 'of an older version'")
    told = folder.backfill("--yes", "--by", "Ana")
    assert told["content_changed"] is False
    assert folder.query("SELECT backfill_by FROM sync.runs ORDER BY started_at") == [(None,), ("Ana",)]
