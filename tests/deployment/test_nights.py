"""Nights of a real installation: the daemon's schedule starts the first, and checks and notifications follow what becomes of the others."""

import signal
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from dcycle_pipeline.sandbox import Behaviour, Fault
from tests.conftest import ROOT, Published
from tests.deployment.installation import UNDER_WAY, Installation, installed
from tests.deployment.services import until
from tests.notify.receivers import MailServer, Webhook, text_of
from tests.properties.dev import RETRY_SECONDS
from tests.publish.postgres.cluster import Cluster

pytestmark = [pytest.mark.exhaustive, pytest.mark.timeout(600)]

NEW = "33333333-3333-4333-8333-333333333333"
_CHECKS = """query ($asset: AssetKeyInput!) { assetNodeOrError(assetKey: $asset) { ... on AssetNode {
    assetChecksOrError { ... on AssetChecks { checks { name executionForLatestMaterialization { status } } } } } } }"""
_SCHEDULE = """query ($of: ScheduleSelector!) { scheduleOrError(scheduleSelector: $of) { ... on Schedule { id } } }"""
_STOP = "mutation ($id: String!) { stopRunningSchedule(id: $id) { ... on ScheduleStateResult { scheduleState { status } } } }"


def states(found: Installation, asset: str) -> dict[str, str]:
    """The state of each check of an asset, as the UI shows it."""
    answer = found.dev.ask(_CHECKS, asset={"path": [asset]})
    checks = answer["assetNodeOrError"]["assetChecksOrError"]["checks"]
    return {each["name"]: each["executionForLatestMaterialization"]["status"] for each in checks}


def red(found: Installation, asset: str) -> set[str]:
    """The checks of an asset that do not pass."""
    return {name for name, state in states(found, asset).items() if state != "SUCCEEDED"}


def not_run(found: Installation, asset: str) -> set[str]:
    """The checks of an asset that the last run never came to."""
    return {name for name, state in states(found, asset).items() if state == "EXECUTION_FAILED"}


def launched_by(found: Installation, schedule: str) -> list[dg.DagsterRun]:
    """The runs that a schedule has started, the latest first."""
    with dg.DagsterInstance.from_config(str(found.dev.home)) as instance:
        return list(instance.get_runs(dg.RunsFilter(tags={"dagster/schedule_name": schedule})))


def wait_for_schedule(found: Installation) -> None:
    """Until the schedule has started a run. It starts no other one."""
    until(lambda: bool(launched_by(found, "daily_sync")), "a run of the schedule", found.services.log)
    selector = {"repositoryLocationName": found.dev.location, "repositoryName": "__repository__"}
    schedule = found.dev.ask(_SCHEDULE, of=selector | {"scheduleName": "daily_sync"})
    stopped: dict[str, Any] = found.dev.ask(_STOP, id=schedule["scheduleOrError"]["id"])
    assert stopped["stopRunningSchedule"]["scheduleState"]["status"] == "STOPPED"


def tries_again(found: Installation) -> bool:
    """Whether a step of the schedule's run waits for its next try."""
    (run,) = launched_by(found, "daily_sync")
    with dg.DagsterInstance.from_config(str(found.dev.home)) as instance:
        waits = dg.DagsterEventType.STEP_UP_FOR_RETRY
        return bool(instance.get_records_for_run(run.run_id, of_type=waits).records)


def pending_records(found: Installation) -> int:
    """How many records of one facility readers see without their emissions."""
    counted = (
        "SELECT count(*) FROM dcycle.waste_water_treatments WHERE facility_id = 'f-north' AND co2e_state = 'pending'"
    )
    ((count,),) = Published(found.data / "dcycle_warehouse.duckdb").query(counted)
    return int(count)


def test_broken_nights_turn_red_and_are_told_once_and_so_is_the_next_good_one(
    postgres: Cluster, tmp_path: Path
) -> None:
    with Webhook() as webhook, MailServer() as mail_server:
        notify = {"DCYCLE_NOTIFY": f"{webhook.url} {mail_server.url}"}
        crons = {"DCYCLE_SCHEDULE_CRON": "* * * * *", "DCYCLE_PENDING_CRON": "off"}
        with installed(postgres, tmp_path, **crons, **notify) as found:
            wait_for_schedule(found)
            first = found.dev.next_run()
            assert first.tags["dagster/schedule_name"] == "daily_sync"
            assert first.status == dg.DagsterRunStatus.SUCCESS, found.services.log()
            assert red(found, "published_file") == red(found, "facilities") == set()

            world = found.sandbox.world
            killed = found.dev.run(UNDER_WAY, signal.SIGKILL)
            until(lambda: bool(webhook.posted), "the webhook was told of the killed run", found.services.log)
            assert killed in webhook.posted[0]["text"]
            assert found.dev.status(killed) == dg.DagsterRunStatus.FAILURE
            assert len(webhook.posted) == 1
            assert (
                not_run(found, "published_file") == red(found, "published_file") >= {"data_is_fresh", "everything_read"}
            )
            assert not_run(found, "facilities") == red(found, "facilities") >= {"every_list_proven"}
            assert pending_records(found) == 4, "what was published stays"
            fresh = found.services.run("dcycle-pipeline", "status", "--max-age", "26h", within="code")
            assert fresh.returncode == 0, fresh.stdout + fresh.stderr

            world.add_organization(NEW, "Water South", ROOT)
            world.add_record(world.add_facility(NEW))
            found.sandbox.behaviour = Behaviour(denied={NEW: 403})
            found.dev.run()
            assert "data_is_fresh" in red(found, "published_file")
            assert "every_list_proven" in red(found, "facilities")
            assert len(webhook.posted) == 1, "it was wrong before"

            found.sandbox.behaviour = Behaviour()
            assert found.dev.status(found.dev.run()) == dg.DagsterRunStatus.SUCCESS, found.services.log()
            assert red(found, "published_file") == red(found, "facilities") == set()
            assert [said["title"].rpartition(": ")[2] for said in webhook.posted] == [
                "something is wrong",
                "all is well again",
            ]
        assert [text_of(mail).strip().splitlines()[0] for mail in mail_server.mails] == [
            said["text"].splitlines()[0] for said in webhook.posted
        ]


def test_an_api_that_is_down_at_the_tick_costs_no_night_and_late_values_settle_by_themselves(
    postgres: Cluster, tmp_path: Path
) -> None:
    crons = {"DCYCLE_SCHEDULE_CRON": "* * * * *", "DCYCLE_PENDING_CRON": "* * * * *"}
    down = Behaviour(faults=(Fault("reset"),))
    with (
        Webhook() as webhook,
        installed(
            postgres, tmp_path, behaviour=down, DCYCLE_NOTIFY=webhook.url, **crons, **{RETRY_SECONDS: "5"}
        ) as found,
    ):
        wait_for_schedule(found)
        with found.dev.under_way():
            until(lambda: tries_again(found), "the run tries again", found.services.log)
            found.sandbox.behaviour = Behaviour()
        (night,) = launched_by(found, "daily_sync")
        assert night.status == dg.DagsterRunStatus.SUCCESS, found.services.log()
        assert pending_records(found) == 4
        assert webhook.posted == [], "nothing was lost"

        world = found.sandbox.world
        for item in world.facility_records("f-north"):
            world.recalculate_record(item["id"], "2.5")
        while pending_records(found):  # a run of the minute before may have asked already
            assert found.dev.next_run().job_name == "pending_records"
        settled = [
            each for each in launched_by(found, "pending_schedule") if each.is_finished
        ]  # the next may be queued
        assert {each.status for each in settled} == {dg.DagsterRunStatus.SUCCESS}, found.services.log()
        assert launched_by(found, "daily_sync") == [night], "no other sync was needed"
        assert red(found, "published_file") == set()
