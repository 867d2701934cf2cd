"""Over random records and periods: the plan has every list with a record that overlaps, and none is lost at an edge."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcycle_pipeline.sandbox import Sandbox, World
from tests.backfill.conftest import Folder
from tests.conftest import CHILD, ROOT

pytestmark = pytest.mark.usefixtures("few_summaries")

FIRST = date(2023, 1, 1)
days = st.integers(0, 40).map(lambda count: FIRST + timedelta(days=count))
spans = st.tuples(days, days).map(sorted)
places = st.sampled_from(["f-known", "f-empty", "f-child", "f-new"])
records = st.lists(st.tuples(places, spans, st.booleans()), min_size=1, max_size=6)


def account() -> World:
    world = World(ROOT, "Holding X")
    world.add_organization(CHILD, "Water North", ROOT)
    for facility, organization in (("f-known", ROOT), ("f-empty", ROOT), ("f-child", CHILD)):
        world.add_facility(organization, id=facility)
    return world


def overlaps(record: dict[str, Any], period: list[date]) -> bool:
    first, last = (date.fromisoformat(record[name][:10]) for name in ("start_date", "end_date"))
    return first <= period[1] and last >= period[0]


def check(folder: Folder, known: set[str], period: list[date]) -> None:
    """A preview of the period over what the world holds now."""
    told = folder.backfill("--preview", period=period)
    world = folder.sandbox.world
    held = [item for each in world.organization_ids() for item in world.records(each)]
    planned = {each["key"]["facility_id"]: each["overlapping_count"] for each in told["plan"]["lists"]}
    assert {item["facility_id"] for item in held if overlaps(item, period)} <= planned.keys()
    for facility, count in planned.items():
        mine = [item for item in held if item["facility_id"] == facility and item["id"] in known]
        assert count == len([item for item in mine if overlaps(item, period)])
    new = [item for item in held if item["id"] not in known]
    counted: dict[str, int] = {}
    for row in told["preview"]["changes"]:
        if row["endpoint"] == "waste_water_treatments":
            assert row["change"] == "new"
            counted[row["period"]] = counted.get(row["period"], 0) + row["rows_count"]
    inside = len([item for item in new if overlaps(item, period)])
    assert counted == {name: n for name, n in (("inside", inside), ("outside", len(new) - inside)) if n}


@pytest.mark.exhaustive
def test_every_list_with_an_overlapping_record_is_planned(tmp_path: Path) -> None:
    with Sandbox(account()) as sandbox:
        numbers = iter(range(1000))

        @settings(max_examples=6)
        @given(records, spans)
        def over(found: list[tuple[str, list[date], bool]], period: list[date]) -> None:
            sandbox.world = world = account()
            folder = Folder(sandbox, tmp_path / str(next(numbers)))
            known = set()
            for is_known in (True, False):
                for place, (first, last), was_there in found:
                    if was_there is is_known:
                        if place == "f-new" and not world.find_facility(place):
                            world.add_facility(CHILD, id=place)
                        added = world.add_record(place, start_date=str(first), end_date=str(last))
                        known |= {added} if is_known else set()
                if is_known:
                    folder.sync()
            check(folder, known, period)

        over()
