"""Over random lives and periods: the publication changes exactly what the preview said, and a full sync afterwards nothing."""

from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcycle_pipeline.cli import backfilling
from dcycle_pipeline.sandbox import Sandbox, World
from tests.backfill.conftest import Folder
from tests.backfill.exact import check_facilities, check_months, check_pending
from tests.conftest import CHILD, ROOT

pytestmark = [pytest.mark.exhaustive, pytest.mark.timeout(600), pytest.mark.usefixtures("few_summaries")]
FACILITIES = ("f-one", "f-two", "f-child")
days = st.integers(0, 120).map(lambda count: date(2023, 1, 1) + timedelta(days=count))
spans = st.tuples(days, days).map(sorted)
kilograms = st.none() | st.decimals(0, 10**9, places=9).map(str)
OF_RECORDS = ["add", "delete", "recalculate", "move", "water", "facility", "back"]
acts = st.sampled_from([*OF_RECORDS, "name", "total", "close", "reopen"])
lives = st.lists(st.tuples(acts, st.integers(0, 30), spans, kilograms), max_size=8)


def account(records: list[tuple[int, list[date], Any]]) -> World:
    world = World(ROOT, "Holding X")
    world.add_organization(CHILD, "Water North", ROOT)
    for facility in FACILITIES:
        world.add_facility(CHILD if facility == "f-child" else ROOT, id=facility)
    for number, (place, span, co2e) in enumerate(records):
        add(world, FACILITIES[place % 3], f"r-{number}", span, co2e)
    return world


def add(world: World, facility: str, record: str, span: list[date], co2e: str | None) -> None:
    if world.find_facility(facility):  # it may be closed
        world.add_record(facility, id=record, start_date=str(span[0]), end_date=str(span[1]), co2e=co2e)


def live(world: World, deleted: dict[str, str], life: list[tuple[str, int, list[date], Any]], tag: str) -> None:
    """Let a world go on; `deleted` remembers where a record was, so that it may come back."""
    for number, (act, which, span, co2e) in enumerate(life):
        held = sorted(item["id"] for each in world.organization_ids() for item in world.records(each))
        chosen = held[which % len(held)] if held else None
        if act == "add":
            add(world, FACILITIES[which % 3], f"{tag}-{number}", span, co2e)
        elif act == "facility":
            add(world, world.add_facility(CHILD, id=f"f-{tag}-{number}"), f"{tag}-{number}", span, co2e)
        elif act in ("name", "total", "close", "reopen"):
            live_on(world, act, which, co2e)
        elif act == "back" and deleted:
            record = sorted(deleted)[which % len(deleted)]
            add(world, deleted.pop(record), record, span, co2e)
        elif chosen and act == "delete":
            deleted[chosen] = next(
                i["facility_id"] for e in world.organization_ids() for i in world.records(e) if i["id"] == chosen
            )
            world.delete_record(chosen)
        elif chosen and act == "recalculate":
            world.recalculate_record(chosen, co2e)
        elif chosen and act == "move":
            world.edit_record(chosen, start_date=str(span[0]), end_date=str(span[1]))
        elif chosen and act == "water":
            world.edit_record(chosen, quantity=str(which))


def live_on(world: World, act: str, which: int, co2e: str | None) -> None:
    """Let a facility go on; one that is closed leaves no trace, nor do its records."""
    there = sorted(world.facility_ids())
    if act == "reopen":
        if missing := [each for each in FACILITIES if each not in there]:
            chosen = missing[which % len(missing)]
            world.add_facility(CHILD if chosen == "f-child" else ROOT, id=chosen, co2e=co2e)
    elif there:
        chosen = there[which % len(there)]
        if act == "close":
            world.delete_facility(chosen)
        else:
            world.edit_facility(chosen, **{"name": {"name": f"Renamed {which}"}, "total": {"co2e": co2e}}[act])


def check_rows(folder: Folder, seen: dict[str, Any]) -> None:
    """The kinds of change are those of the versions that the last run wrote."""
    written = folder.query("""SELECT change, count(*) FROM history.waste_water_treatments
        WHERE valid_from > (SELECT published_at FROM sync.runs ORDER BY published_at DESC OFFSET 1 LIMIT 1) GROUP BY ALL""")
    told: Counter[str] = Counter()
    for row in seen["changes"]:
        told[row["change"]] += row["rows_count"] if row["endpoint"] == "waste_water_treatments" else 0
    assert {change: count for change, count in told.items() if count} == dict(written)


def test_a_preview_is_exact(tmp_path: Path) -> None:
    with Sandbox(account([])) as sandbox:
        numbers = iter(range(10_000))

        @settings(max_examples=8)
        @given(st.lists(st.tuples(st.integers(0, 2), spans, kilograms), max_size=8), lives, lives, spans)
        def over(records: list[Any], first: list[Any], second: list[Any], period: list[date]) -> None:
            sandbox.world = world = account(records)
            folder = Folder(sandbox, tmp_path / str(next(numbers)))
            deleted: dict[str, str] = {}
            folder.sync()
            earliest = folder.file.resolve()
            live(world, deleted, first, "a")
            folder.sync()
            live(world, deleted, second, "b")
            before = folder.file.resolve()
            seen = folder.backfill("--preview", period=period)["preview"]
            assert folder.file.resolve() == before
            with patch.object(backfilling, "write_report"):  # it has tests of its own, and takes longer than all else
                told = folder.backfill("--yes", period=period)
            assert told["preview"] == seen, "a preview of its own says what the publication then changes"
            after = folder.file.resolve()
            check_months(before, after, seen, period)
            check_pending(before, after, seen, period)
            check_facilities(before, after, [earliest], seen)
            check_rows(folder, seen)
            assert folder.sync().content_changed is False

        over()
