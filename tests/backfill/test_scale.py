"""Sixty months of fifty facilities: one run asks for as much as for one month, and what a killed one had landed is not asked for again."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import httpx
import pytest

from dcycle_pipeline.orchestration.backfill import STEP
from dcycle_pipeline.orchestration.jobs import build
from dcycle_pipeline.orchestration.step import Environment
from dcycle_pipeline.sandbox import Sandbox, World
from dcycle_pipeline.settings import ScheduleSettings
from dcycle_pipeline.sync.progress import Silent
from tests.backfill.conftest import Folder
from tests.conftest import ROOT, settings_for
from tests.orchestration.conftest import Pipeline
from tests.orchestration.test_backfill import launch

pytestmark = [pytest.mark.exhaustive, pytest.mark.timeout(300)]
FACILITIES = [f"f-{number:02}" for number in range(50)]
SIXTY_MONTHS, ONE_MONTH = (date(2021, 1, 1), date(2025, 12, 31)), (date(2023, 6, 1), date(2023, 6, 30))
# A list is read and its file written; it has not landed yet.
DYING = """import sys
from signal import SIGKILL
from tests.properties.places import Place, die_at
from dcycle_pipeline.__main__ import main
die_at(Place("landing/files.py", "os.replace(self._beside, self.path)", int(sys.argv.pop(1))), SIGKILL)
main()"""


@pytest.fixture
def large(tmp_path: Path) -> Iterator[Folder]:
    """A folder of fifty facilities with sixty monthly records each, of which one was recalculated since the last sync."""
    world = World(ROOT, "Holding X")
    for facility in FACILITIES:
        world.add_records(world.add_facility(ROOT, id=facility), 60, start_date="2021-01-01")
    with Sandbox(world) as sandbox:
        folder = Folder(sandbox, tmp_path / "data")
        folder.sync()
        for facility in FACILITIES:
            world.recalculate_record(world.facility_records(facility)[30]["id"], "7.5")
        sandbox.clear_requests()
        yield folder


def lists_asked(folder: Folder) -> Counter[str]:
    """How often each list of records was asked for since this was asked last."""
    asked = Counter(
        dict(request.query)["facility_id"]
        for request in folder.sandbox.requests
        if request.path == "/v1/waste-water-treatments"
    )
    folder.sandbox.clear_requests()
    return asked


def landed(folder: Folder) -> set[str]:
    """The lists of records that runs have landed which did not end."""
    runs = [run for run in (folder.data / "landing").iterdir() if run.is_dir() and not (run / "ended.json").exists()]
    return {path.name.partition(".")[0] for run in runs for path in run.glob("*/waste_water_treatments/*.ndjson.zst")}


def check_foretold(plan: dict[str, Any], sent: int) -> None:
    """What the plan took and what it said was to come are the requests, but for a few."""
    assert abs(plan["asked_count"] + plan["requests_count"] - sent) <= sent / 20


def test_sixty_months_cost_as_many_requests_as_one(large: Folder) -> None:
    large.backfill("--preview", period=ONE_MONTH)
    one, requests = len(large.sandbox.requests), lists_asked(large)
    told = large.backfill("--yes", period=SIXTY_MONTHS)
    sixty = len(large.sandbox.requests)
    assert (sixty, lists_asked(large)) == (one, requests)
    assert requests.keys() == set(FACILITIES)
    check_foretold(told["plan"], sixty)
    assert sum(row["rows_count"] for row in told["preview"]["changes"] if row["change"] == "recalculated") == 50
    assert large.query("SELECT count(*) FROM sync.runs") == [(2,)], "one run, whatever the period"
    assert large.sync().content_changed is False


def test_the_job_is_one_run_of_one_step_and_asks_for_as_much(large: Folder, tmp_path: Path) -> None:
    large.backfill("--preview", period=SIXTY_MONTHS)
    requests = lists_asked(large)
    settings = settings_for(large.sandbox, large.data)
    with dg.DagsterInstance.ephemeral(str(tmp_path / "dagster")) as instance:
        definitions = build(Environment(lambda: settings, Silent(), 0), ScheduleSettings())
        pipeline = Pipeline(large.sandbox, settings, instance, definitions)
        days = {"first_day": str(SIXTY_MONTHS[0]), "last_day": str(SIXTY_MONTHS[1])}
        result, told = launch(pipeline, **days, up_to="publication")
        assert result.success
        assert instance.get_runs_count() == 1
    assert {event.step_key for event in result.all_events if event.step_key} == {STEP}
    assert lists_asked(large) == requests
    assert (told["lists"], told["lists_landed_already"]) == (50, 0)


@pytest.mark.parametrize("connections", [1, 8])
def test_killed_half_way_the_second_start_asks_for_no_list_that_had_landed(large: Folder, connections: int) -> None:
    words = ["backfill", "--from", str(SIXTY_MONTHS[0]), "--to", str(SIXTY_MONTHS[1]), "--yes", "--json"]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DCYCLE_", "DAGSTER_"))}
    few = {"DCYCLE_MAX_CONNECTIONS": str(connections)}
    died = subprocess.run(
        [sys.executable, "-c", DYING, "27", *words],
        env=kept | large.environment | few,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        timeout=200,
        check=False,
    )
    assert died.returncode == -signal.SIGKILL, died.stderr.decode()
    httpx.get(f"{large.sandbox.base_url}/v1/nothing", timeout=60)  # behind what the dead had asked for
    before, there = lists_asked(large), landed(large)
    assert len(there) == 25
    assert there <= before.keys()
    planned = large.run(*words[:-2], "--dry-run").stdout
    assert "25 lists to ask for." in planned
    assert "25 lists landed already, in a run that died, and are taken over." in planned
    assert lists_asked(large) == {}
    second = large.run(*words)
    assert second.exit_code == 0, second.output
    sent = len(large.sandbox.requests)
    after = lists_asked(large)
    assert after.keys() == set(FACILITIES) - there, "what had landed is not asked for again"
    assert len(before.keys() & after.keys()) <= connections, "only what was under way"
    plan = json.loads(second.stdout)["plan"]
    assert plan["landed_count"] == 25
    check_foretold(plan, sent)
    assert {each["key"]["facility_id"] for each in plan["lists"] if each["is_landed"]} == there
    assert large.sync().content_changed is False
