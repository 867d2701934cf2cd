"""An organisation that answers slowly without end is left at its budget of time and named; it is done over several runs, others in one."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from dcycle_pipeline.cli import app
from dcycle_pipeline.landing.lists import Backfill
from dcycle_pipeline.sandbox import Behaviour, Fault, Sandbox
from dcycle_pipeline.sync.lists import sync_endpoint
from dcycle_pipeline.sync.organizations import refresh_organizations
from dcycle_pipeline.sync.pending import settle
from dcycle_pipeline.sync.publication import publish
from dcycle_pipeline.sync.run import Run
from tests.cli.conftest import variables
from tests.conftest import CHILD, ROOT, Synced, facilities_of, records_of, settings_for, small_world, steps, sync

pytestmark = pytest.mark.usefixtures("few_summaries")
SETTING = "DCYCLE_ORGANIZATION_MINUTES"
MORE = [f"f-north-{number}" for number in range(5)]
LISTS_OF_CHILD = {"f-north", *MORE}
MINUTE = 60.0


def asked_of(sandbox: Sandbox, organization_id: str) -> int:
    return sum(request.organization_id == organization_id for request in sandbox.requests)


def slow(sandbox: Sandbox, *organization_ids: str) -> Callable[[], float]:
    """A clock for which each request of an organisation takes a minute."""
    return lambda: MINUTE * sum(asked_of(sandbox, each) for each in organization_ids)


def in_turn(sandbox: Sandbox, folder: Path, **overrides: Any) -> Any:
    """Settings under which requests go one by one, so that no organisation's time passes while another is asked."""
    return settings_for(sandbox, folder, **{"max_connections": 1, "list_minutes": 1e9, "run_hours": 1e9} | overrides)


def run_of(sandbox: Sandbox, folder: Path, *, now: datetime | None = None, **overrides: Any) -> Run:
    where, clock = in_turn(sandbox, folder, **overrides), slow(sandbox, CHILD)
    return Run(str(uuid4()), where, clock=clock, now=lambda: now or datetime.now(UTC))


def grow(sandbox: Sandbox) -> None:
    """Six lists of the child with two records each, and one more record in every list of the root."""
    for facility in MORE:
        sandbox.world.add_facility(CHILD, id=facility)
    for facility in LISTS_OF_CHILD:
        sandbox.world.add_records(facility, 2)
    for facility in ("f-large", "f-old", "f-empty"):
        sandbox.world.add_record(facility)


def asked_lists(sandbox: Sandbox) -> set[str]:
    """The child's facilities whose records were asked for."""
    asked = [dict(request.query) for request in sandbox.requests if request.organization_id == CHILD]
    return {query["facility_id"] for query in asked if "facility_id" in query}


def test_a_slow_organisation_is_left_at_its_budget_and_the_others_are_read(sandbox: Sandbox, synced: Synced) -> None:
    grow(sandbox)
    sandbox.clear_requests()
    again = steps(run_of(sandbox, synced.settings.data_dir, organization_minutes=5))
    assert asked_of(sandbox, CHILD) in range(5, 8), "a list that a request or two prove is not given up"
    unproven = again.unproven_lists()
    assert {(key[0], outcome) for key, (outcome, _) in unproven.items()} == {(CHILD, "unproven")}
    assert all(
        f"{SETTING} (5) is used up" in reason and f"raise {SETTING}" in reason for _, reason in unproven.values()
    )
    left = {key[2] for key in unproven}
    assert set() < left < LISTS_OF_CHILD, "some of its lists were proven"
    before, there = synced.records(), records_of(sandbox.world)
    assert again.records() == {id_: row for id_, row in there.items() if row[1] not in left or id_ in before}


@pytest.mark.exhaustive
def test_the_next_run_goes_on_with_what_is_missing(sandbox: Sandbox, synced: Synced) -> None:
    grow(sandbox)
    left, runs = LISTS_OF_CHILD, 0
    while left:
        sandbox.clear_requests()
        again = steps(run_of(sandbox, synced.settings.data_dir, organization_minutes=5))
        assert asked_lists(sandbox) <= left, "what was proven stands"
        still = {key[2] for key in again.unproven_lists()}
        assert still < left
        left, runs = still, runs + 1
    assert runs > 1
    assert (again.outcome, again.records()) == ("published", records_of(sandbox.world))
    sandbox.clear_requests()
    assert sync(synced.settings).outcome == "published"
    assert asked_lists(sandbox) == LISTS_OF_CHILD, "once everything is proven, the next run asks for everything again"


@pytest.mark.exhaustive
def test_later_each_list_gets_its_turn(sandbox: Sandbox, synced: Synced) -> None:
    """What was read too long ago is read again, but after what was not read then."""
    grow(sandbox)
    now, left = datetime.now(UTC), LISTS_OF_CHILD
    for night in range(1, 12):
        sandbox.clear_requests()
        moment = now + timedelta(days=night)
        again = steps(run_of(sandbox, synced.settings.data_dir, organization_minutes=6, now=moment))
        proven = LISTS_OF_CHILD - {key[2] for key in again.unproven_lists()}
        assert proven
        left = left - proven
        if not left:
            break
    assert again.records() == records_of(sandbox.world)
    assert again.facilities() == facilities_of(sandbox.world)


@pytest.mark.parametrize("how", ["rows", pytest.param("growing", marks=pytest.mark.exhaustive)])
def test_a_list_that_goes_on_slowly_for_ever_is_given_up(sandbox: Sandbox, synced: Synced, how: str) -> None:
    sandbox.world.add_record("f-old")
    sandbox.behaviour = Behaviour(endless={"f-north": how})
    sandbox.clear_requests()
    again = steps(run_of(sandbox, synced.settings.data_dir, organization_minutes=7))
    assert asked_of(sandbox, CHILD) <= 7 + 8, "what is under way still ends"
    ((key, (outcome, reason)),) = again.unproven_lists().items()
    assert (key[2], outcome, f"raise {SETTING}" in reason) == ("f-north", "unproven", True)
    assert again.records() == records_of(sandbox.world)


def test_many_slow_facilities_leave_the_records_of_known_ones_as_they_are(sandbox: Sandbox, synced: Synced) -> None:
    sandbox.world.add_record("f-north")
    sandbox.behaviour = Behaviour(endless={CHILD: "rows"})
    again = steps(run_of(sandbox, synced.settings.data_dir, organization_minutes=3))
    assert again.facilities() == synced.facilities()
    assert again.records() == synced.records()
    assert {key[0] for key in again.unproven_lists()} == {CHILD}


def test_an_organisation_may_have_minutes_of_its_own(sandbox: Sandbox, synced: Synced, tmp_path: Path) -> None:
    grow(sandbox)
    file = tmp_path / "organizations.toml"
    file.write_text(f"[[organization]]\nid = '{CHILD}'\nminutes = 4")
    sandbox.clear_requests()
    again = steps(run_of(sandbox, synced.settings.data_dir, organizations_file=file))
    assert asked_of(sandbox, CHILD) in range(4, 7)
    named = f"minutes of organisation {CHILD} in DCYCLE_ORGANIZATIONS_FILE"
    assert again.unproven_lists()
    assert all(f"raise {named}" in reason for _, reason in again.unproven_lists().values())
    file.write_text(f"[[organization]]\nid = '{CHILD}'\nminutes = 4000")
    assert steps(
        run_of(sandbox, synced.settings.data_dir, organizations_file=file, organization_minutes=1)
    ).outcome == ("published")


def test_no_row_is_asked_for_by_its_id_after_the_time(sandbox: Sandbox, synced: Synced, tmp_path: Path) -> None:
    gone = sandbox.world.facility_records("f-north")[0]["id"]
    sandbox.world.delete_record(gone)
    sandbox.world.add_record("f-north")
    like = synced.copied(settings_for(sandbox, tmp_path / "like"))
    sandbox.clear_requests()
    there = sync(like.settings).records()
    assert there == records_of(sandbox.world)
    of_child = [request.path for request in sandbox.requests if request.organization_id == CHILD]
    first = next(number for number, path in enumerate(of_child) if gone in path)
    sandbox.clear_requests()
    again = steps(run_of(sandbox, synced.settings.data_dir, organization_minutes=first))
    assert not [each for each in sandbox.requests if gone in each.path]
    assert SETTING in again.doubtful()[gone]
    assert again.records() == there | {gone: synced.records()[gone]}
    assert not again.unproven_lists(), "doubt costs a row, and no list"


def test_pending_records_are_asked_for_within_the_budget(sandbox: Sandbox, synced: Synced) -> None:
    grow(sandbox)
    for facility in LISTS_OF_CHILD:
        sandbox.world.add_record(facility, co2e=None)
    full = sync(synced.settings)
    sandbox.world.recalculate_record(sandbox.world.facility_records("f-north")[0]["id"], "7.5")
    sandbox.clear_requests()
    with run_of(sandbox, synced.settings.data_dir, organization_minutes=4) as run:
        settled = settle(run)
    assert asked_of(sandbox, CHILD) <= 4 + 2
    assert settled.unread
    assert all(SETTING in one.reason for one in settled.unread if one.key.endpoint != "total_impacts")
    assert full.records().keys() == records_of(sandbox.world).keys()


def test_a_backfill_keeps_the_budget_and_asks_again_for_what_it_is_told(sandbox: Sandbox, synced: Synced) -> None:
    grow(sandbox)

    def backfill(minutes: float) -> set[str | None]:
        sandbox.clear_requests()
        run = run_of(sandbox, synced.settings.data_dir, organization_minutes=minutes)
        run.backfill = Backfill(date(2025, 1, 1), date(2025, 3, 31))
        with run:
            asked = [each.organization_id for each in refresh_organizations(run)]
            for endpoint in run.endpoints:
                sync_endpoint(run, endpoint, asked)
            publication = publish(run)
        return {key[2] for key in Synced(publication.snapshot, run.run_id, run.settings, publication).unproven_lists()}

    assert set() < backfill(5) < LISTS_OF_CHILD
    assert backfill(1e9) == set()
    assert asked_lists(sandbox) == LISTS_OF_CHILD


@pytest.mark.exhaustive
def test_on_the_command_line_it_exits_with_1_and_names_what_to_raise(sandbox: Sandbox, tmp_path: Path) -> None:
    file = tmp_path / "organizations.toml"
    file.write_text(f"[[organization]]\nid = '{CHILD}'\nminutes = 1e-9")
    environment = variables(sandbox, tmp_path / "data", DCYCLE_ORGANIZATIONS_FILE=str(file)) | {"DAGSTER_HOME": ""}
    told = CliRunner().invoke(app, ["sync"], env=environment)
    assert told.exit_code == 1, told.output
    assert "Water North" in told.stdout
    assert f"raise minutes of organisation {CHILD}" in " ".join(told.stdout.split())
    file.write_text("")
    told = CliRunner().invoke(app, ["sync", "--failed"], env=environment)
    assert told.exit_code == 0, told.output


@pytest.mark.exhaustive
@settings(max_examples=8)
@given(
    nights=st.lists(
        st.tuples(
            st.floats(0.5, 40),  # minutes of the child
            st.floats(0.5, 40),  # minutes of the root
            st.sampled_from([1, 4, 16]),  # connections
            st.sampled_from([0, 3, 24]),  # hours until the next run
            st.sampled_from([None, "503", "429", "404"]),  # what else goes wrong
            st.lists(st.tuples(st.sampled_from(["add", "delete", "edit"]), st.integers(0, 5)), max_size=4),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_whatever_the_budget_every_list_is_proven_or_named_and_rows_stay(
    tmp_path_factory: pytest.TempPathFactory, nights: list[tuple[Any, ...]]
) -> None:
    world, folder = small_world(), tmp_path_factory.mktemp("nights")
    with Sandbox(world) as sandbox:
        grow(sandbox)
        before, moment = sync(settings_for(sandbox, folder / "data")), datetime.now(UTC)
        for child, root, connections, hours, fault, changes in nights:
            for what, at in changes:
                change(sandbox, what, sorted(LISTS_OF_CHILD)[at])
            file, moment = folder / "organizations.toml", moment + timedelta(hours=hours, minutes=1)
            file.write_text(
                "".join(
                    f"[[organization]]\nid = '{id_}'\nminutes = {minutes}\n"
                    for id_, minutes in ((CHILD, child), (ROOT, root))
                )
            )
            faults = () if fault is None else (Fault(fault, path="/v1/", times=2),)
            sandbox.behaviour = Behaviour(faults=faults)
            sandbox.clear_requests()
            where = in_turn(sandbox, folder / "data", max_connections=connections, organizations_file=file)
            clock, now = slow(sandbox, CHILD, ROOT), moment
            again = steps(Run(str(uuid4()), where, clock=clock, now=lambda now=now: now))
            assert_told(sandbox, before, again)
            before = again
        sandbox.behaviour = Behaviour()
        last = steps(Run(str(uuid4()), settings_for(sandbox, folder / "data"), now=lambda: moment + timedelta(days=2)))
        assert (last.outcome, last.records()) == ("published", records_of(world))


def change(sandbox: Sandbox, what: str, facility: str) -> None:
    records = sandbox.world.facility_records(facility)
    if what == "add" or not records:
        sandbox.world.add_record(facility)
    elif what == "delete":
        sandbox.world.delete_record(records[0]["id"])
    else:
        sandbox.world.recalculate_record(records[0]["id"], "123.25")


def assert_told(sandbox: Sandbox, before: Synced, again: Synced) -> None:
    """Each list is proven, or unproven with a reason and its rows of before. A row in doubt stays; all others are as the API has them."""
    unproven, doubtful = again.unproven_lists(), again.doubtful()
    assert all(outcome and reason for outcome, reason in unproven.values())
    assert (again.outcome == "published") == (not unproven and not doubtful)
    left = {key[2] for key in unproven} | taken_over(again)
    now, there = again.records(), records_of(sandbox.world)
    as_before = {id_: row for id_, row in before.records().items() if row[1] in left}
    assert {id_: row for id_, row in now.items() if row[1] in left} == as_before
    assert doubtful.keys() <= now.keys()
    read = {id_: row for id_, row in now.items() if row[1] not in left and id_ not in doubtful}
    assert read == {id_: row for id_, row in there.items() if row[1] not in left}


def taken_over(again: Synced) -> set[str]:
    """The facilities whose lists were proven before this run began."""
    earlier = """SELECT facility_id FROM sync.lists JOIN sync.runs AS run USING (run_id)
        WHERE run_id = ? AND lists.started_at < run.started_at AND facility_id IS NOT NULL"""
    return {row[0] for row in again.query(earlier, again.run_id)}
