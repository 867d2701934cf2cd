"""A list that never ends keeps its last rows and is named with its budget; the rest is read and published."""

import pytest

from dcycle_pipeline.landing.lists import ListResult
from dcycle_pipeline.sandbox import Behaviour, Sandbox
from dcycle_pipeline.sync.progress import Silent
from dcycle_pipeline.sync.run import Run
from tests.conftest import (
    CHILD,
    ROOT,
    Synced,
    quick_only,
    records_of,
    settings_for,
    steps,
    sync,
)

pytestmark = pytest.mark.usefixtures("few_summaries")

WWT = "waste_water_treatments"
BUDGETS = {"list_pages": 15, "list_rows": 1000, "list_mb": 0.5}


@pytest.mark.parametrize("how", quick_only(("growing",), ("rows", "growing", "counter")))
@pytest.mark.parametrize("budget", quick_only(("list_mb",), BUDGETS))
def test_an_endless_list_keeps_its_rows_while_its_neighbours_move_on(
    sandbox: Sandbox, synced: Synced, how: str, budget: str
) -> None:
    sandbox.world.add_record("f-old")
    sandbox.behaviour = Behaviour(endless={"f-north": how})
    settings = settings_for(sandbox, synced.settings.data_dir, **{budget: BUDGETS[budget]})
    again = sync(settings)
    assert again.records() == records_of(sandbox.world), "f-north is as it was, f-old has its new record"
    ((key, (outcome, reason)),) = again.unproven_lists().items()
    assert (key, outcome, again.outcome) == ((CHILD, WWT, "f-north"), "unproven", "published_with_gaps")
    assert how == "counter" or f"raise DCYCLE_{budget.upper()}" in reason


def test_endless_facilities_do_not_stop_another_organisation(sandbox: Sandbox, synced: Synced) -> None:
    sandbox.world.add_record("f-north")
    sandbox.behaviour = Behaviour(endless={ROOT: "rows"})
    again = sync(settings_for(sandbox, synced.settings.data_dir, list_pages=15))
    assert again.facilities() == synced.facilities()
    assert again.records() == records_of(sandbox.world)
    assert {key[1] for key in again.unproven_lists()} == {"facilities", WWT}


class Ended(Silent):
    """Hears how many lists have ended."""

    count = 0

    def finished(self, result: ListResult) -> None:
        self.count += 1


@pytest.mark.exhaustive
def test_after_its_time_a_run_asks_for_no_row_by_its_id(sandbox: Sandbox, synced: Synced) -> None:
    sandbox.world.delete_record(sandbox.world.facility_records("f-north")[0]["id"])
    sandbox.clear_requests()
    ended = Ended()
    again = steps(Run("late", synced.settings, progress=ended, clock=lambda: 1e9 if ended.count >= 6 else 0.0))
    assert not [request for request in sandbox.requests if "/detail" in request.path]
    assert (again.records(), again.outcome) == (synced.records(), "published_with_gaps")


def test_what_a_run_has_no_time_for_is_left_unread_and_named(sandbox: Sandbox, synced: Synced) -> None:
    """The time is over after the tree (1 request), both lists of facilities (6) and some of the records."""
    ids = {facility: sandbox.world.add_record(facility) for facility in ("f-large", "f-north", "f-old")}
    sandbox.clear_requests()
    settings = settings_for(sandbox, synced.settings.data_dir, max_connections=1, list_minutes=1e9)
    again = steps(Run("late", settings, clock=lambda: 1e9 if len(sandbox.requests) >= 10 else 0.0))
    unread = {key[2] for key in again.unproven_lists()}
    assert unread
    assert all("DCYCLE_RUN_HOURS" in reason for _, reason in again.unproven_lists().values())
    assert again.outcome == "published_with_gaps"
    expected = {
        id_: row for id_, row in records_of(sandbox.world).items() if row[1] not in unread or id_ not in ids.values()
    }
    assert again.records() == expected
    last = sync(synced.settings)
    assert (last.outcome, last.records()) == ("published", records_of(sandbox.world))
