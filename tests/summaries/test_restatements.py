"""Between any two publications the causes add up to the difference of the monthly figures, to the last decimal."""

import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import date, datetime
from decimal import Decimal
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from dcycle_pipeline.sandbox import Sandbox, World
from tests.conftest import CHILD, FEW, ROOT, Synced, only, settings_for, sync

MOMENTS = "SELECT published_at FROM sync.runs WHERE published_at IS NOT NULL ORDER BY published_at"
SAID = """SELECT facility_id, month, coalesce(co2e_kg, 0), coalesce(co2e_biomass_kg, 0)
FROM history.emissions_by_facility_month_as_of(?)"""
MOVED = """SELECT facility_id, month, sum(co2e_kg), sum(co2e_biomass_kg) FROM summaries.restatements
WHERE published_at > ? AND published_at <= ? GROUP BY ALL"""
Figures = dict[tuple[str, date], tuple[Decimal, Decimal]]


def tiny_world() -> World:
    world = World(ROOT, "Holding X")
    world.add_organization(CHILD, "Water North", ROOT)
    for organization, facility in ((ROOT, "f-a"), (ROOT, "f-b"), (CHILD, "f-c")):
        world.add_records(world.add_facility(organization, id=facility), 8)
    return world


def change(world: World, chance: random.Random) -> None:
    """One change of any kind to a record of any facility."""
    facility = chance.choice(["f-a", "f-b", "f-c"])
    ids = [item["id"] for item in world.facility_records(facility)]
    if not ids:
        world.add_records(facility, 2)
        return
    identifier = chance.choice(ids)
    kinds: list[Callable[[], Any]] = [
        lambda: world.recalculate_record(identifier, f"{chance.randint(0, 10**9)}.{chance.randint(0, 10**9)}"),
        lambda: world.recalculate_record(identifier, None),
        lambda: world.edit_record(identifier, end_date="2026-03-17", quantity=f"{chance.randint(0, 999)}.5"),
        lambda: world.edit_record(identifier, status=chance.choice(["active", "error"])),
        lambda: world.delete_record(identifier),
        lambda: world.add_records(facility, 1),
    ]
    chance.choice(kinds)()


def said(file: Synced, moment: datetime) -> Figures:
    return {(facility, month): (co2e, biomass) for facility, month, co2e, biomass in file.query(SAID, moment)}


@pytest.fixture
def restated() -> Iterator[None]:
    with only((*FEW, "restatements")):
        yield


@pytest.mark.exhaustive
@pytest.mark.usefixtures("restated")
@pytest.mark.parametrize("seed", range(6))
def test_causes_add_up_to_the_difference_between_any_two_publications(tmp_path: Path, seed: int) -> None:
    chance, world = random.Random(seed), tiny_world()
    with Sandbox(world) as sandbox:
        settings = settings_for(sandbox, tmp_path)
        last = sync(settings)
        for _ in range(5):
            for _ in range(chance.randint(0, 4)):
                change(world, chance)
            last = sync(settings)
    moments = [row[0] for row in last.query(MOMENTS)]
    assert len(moments) == 6
    figures = {moment: said(last, moment) for moment in moments}
    for earlier, later in combinations(moments, 2):
        moved: Figures = defaultdict(lambda: (Decimal(0), Decimal(0)))
        moved |= {
            (facility, month): (co2e, biomass) for facility, month, co2e, biomass in last.query(MOVED, earlier, later)
        }
        before, after = figures[earlier], figures[later]
        for key in before.keys() | after.keys() | moved.keys():
            zero = Decimal(0), Decimal(0)
            difference = tuple(b - a for a, b in zip(before.get(key, zero), after.get(key, zero), strict=True))
            assert moved[key] == difference, (earlier, later, key)


@pytest.mark.exhaustive
def test_each_change_is_told_with_its_cause(tmp_path: Path) -> None:
    world = tiny_world()
    record = {facility: [item["id"] for item in world.facility_records(facility)] for facility in ("f-a", "f-b", "f-c")}
    world.recalculate_record(record["f-a"][0], None)
    with Sandbox(world) as sandbox:
        settings = settings_for(sandbox, tmp_path)
        first = sync(settings)
        assert first.query("SELECT count(*) FROM summaries.restatements") == [(0,)]
        world.recalculate_record(record["f-a"][0], "310.5")
        world.recalculate_record(record["f-a"][1], "0.000000001")
        world.edit_record(record["f-b"][0], status="error")
        world.delete_record(record["f-b"][1])
        world.add_record("f-c", co2e="7.25")
        second = sync(settings)
        quiet = sync(settings)
    causes = "SELECT DISTINCT facility_id, cause FROM summaries.restatements ORDER BY ALL"
    assert second.query(causes) == [
        ("f-a", "recalculated"),
        ("f-a", "settled"),
        ("f-b", "deleted"),
        ("f-b", "edited"),
        ("f-c", "new"),
    ]
    assert second.query("SELECT sum(co2e_kg) FROM summaries.restatements WHERE cause = 'settled'") == [
        (Decimal("310.5"),)
    ]
    assert second.query("SELECT sum(co2e_kg) FROM summaries.restatements WHERE cause = 'new'") == [(Decimal("7.25"),)]
    assert second.query("SELECT DISTINCT run_id FROM summaries.restatements") == [(second.run_id,)]
    everything = "SELECT * FROM summaries.restatements ORDER BY ALL"
    assert quiet.query(everything) == second.query(everything)
