"""What several organisations list at the same time counts once in every summary, where it belongs, and is said loudly."""

import json
import random
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from dcycle_pipeline import summaries
from dcycle_pipeline.data_folder import DataFolder
from dcycle_pipeline.readers.explain import explain
from dcycle_pipeline.sandbox import Behaviour, Fault, Sandbox, World
from tests.cli.conftest import Invoke, invoke, variables
from tests.conftest import CHILD, ROOT, Published, Synced, only, settings_for, sync
from tests.summaries.worlds import date

__all__ = ["invoke"]
SISTER = "33333333-3333-4333-8333-333333333333"
KILOGRAMS = {"f-root": Decimal(100), "f-child": Decimal(30), "f-sister": Decimal(7)}
OWNER = {"f-root": ROOT, "f-child": CHILD, "f-sister": SISTER}


class Owners(str):
    """An owner that several organisations are taken for."""

    __slots__ = ("others",)
    others: set[str]

    def __eq__(self, other: object) -> bool:
        return str.__eq__(self, other) is True or other in self.others

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = str.__hash__


class Shared(World):
    """A world whose organisations also list facilities of others, with their records or, if `veiled`, without."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.also: dict[str, list[str]] = {}
        self.veiled = False

    def facility_ids(self, organization_id: str | None = None) -> list[str]:
        own = super().facility_ids(organization_id)
        return own if organization_id is None else [*own, *self.also.get(organization_id, [])]

    def organization_of(self, facility_id: str) -> str | None:
        owner = super().organization_of(facility_id)
        if owner is None or self.veiled:
            return owner
        shown = Owners(owner)
        shown.others = {organization for organization, there in self.also.items() if facility_id in there}
        return shown


@pytest.fixture
def world() -> Shared:
    world = Shared(ROOT, "Holding X")
    world.add_organization(CHILD, "Water North", ROOT)
    world.add_organization(SISTER, "Water South", ROOT)
    for facility, organization in OWNER.items():
        world.add_facility(organization, id=facility, country="ES" if facility == "f-root" else "PT")
        world.add_record(facility, start_date="2025-01-01", end_date="2025-02-28", co2e=KILOGRAMS[facility])
    return world


@pytest.fixture(autouse=True)
def _without_totals() -> Iterator[None]:
    with only(tuple(summary.name for summary in summaries.SUMMARIES)):
        yield


def kilograms(published: Published, table: str, column: str = "co2e_kg", by: str = "organization_id") -> dict[str, Any]:
    found = published.query(f"SELECT {by}, sum({column}) FROM summaries.{table} GROUP BY ALL HAVING sum({column}) <> 0")
    return dict(found)


def assert_counted(published: Published, own: dict[str, Decimal]) -> None:
    """Every summary counts what the organisations own, and nothing twice."""
    whole = sum(own.values())
    for table in ("emissions_by_facility_month", "emissions_by_organization_month", "emissions_by_organization_year"):
        assert kilograms(published, table) == own
    assert kilograms(published, "emissions_by_scope_year") == kilograms(published, "wwt_intensity_by_facility_year")
    assert sum(kilograms(published, "emissions_by_country_year", by="country_code").values()) == whole
    assert sum(kilograms(published, "facility_reconciliation", "wwt_co2e_kg").values()) == whole
    for table in ("tree_emissions_by_month", "tree_emissions_by_year"):
        below = kilograms(published, table, by="tree_organization_id")
        assert below == own | {ROOT: whole}
    counts = "SELECT record_count, facility_count FROM summaries.tree_emissions_by_year"
    assert published.query(f"{counts} WHERE tree_organization_id = ?", ROOT) == [(3, 3)]
    assert len(published.query("SELECT * FROM summaries.facility_reconciliation")) == 3


# Who also lists what, and what each organisation then owns.
CASES = {
    "parent": ({ROOT: ["f-child"]}, {ROOT: 100, CHILD: 30, SISTER: 7}),
    "parent of both": ({ROOT: ["f-child", "f-sister"]}, {ROOT: 100, CHILD: 30, SISTER: 7}),
    "child": ({CHILD: ["f-root"]}, {CHILD: 130, SISTER: 7}),
    "sister with the larger id": ({SISTER: ["f-child"]}, {ROOT: 100, CHILD: 30, SISTER: 7}),
    "sister with the smaller id": ({CHILD: ["f-sister"]}, {ROOT: 100, CHILD: 37}),
    "all": ({ROOT: ["f-child"], SISTER: ["f-child"], CHILD: ["f-root"]}, {CHILD: 130, SISTER: 7}),
}


@pytest.mark.quick(1)
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("veiled", [False, True])
def test_it_counts_once_and_is_named(sandbox: Sandbox, world: Shared, tmp_path: Path, case: str, veiled: bool) -> None:
    world.also, own = CASES[case]
    world.veiled = veiled
    synced = sync(settings_for(sandbox, tmp_path / "data"))
    assert_counted(synced, {organization: Decimal(amount) for organization, amount in own.items()})
    listed = sum(map(len, world.also.values()))
    assert len(synced.query("SELECT * FROM dcycle.facilities")) == 3 + listed, "the tables keep what is listed"
    if not veiled:
        assert len(synced.query("SELECT * FROM dcycle.waste_water_treatments")) == 3 + listed
    twice = len({facility for there in world.also.values() for facility in there})
    counts = "SELECT outcome, listed_twice_count FROM sync.runs"
    assert synced.query(counts) == [("published_with_gaps", twice)]
    quality = dict(synced.query("SELECT organization_id, twice_listed_facility_count FROM summaries.data_quality"))
    assert sum(quality.values()) == twice + listed


@pytest.mark.exhaustive
def test_it_is_said_loudly(sandbox: Sandbox, world: Shared, invoke: Invoke, tmp_path: Path) -> None:
    world.also = {ROOT: ["f-child"]}
    environment = variables(sandbox, tmp_path / "data")
    result = invoke("sync", **environment)
    assert result.exit_code == 1, result.output
    (line,) = (line for line in result.stdout.splitlines() if line.startswith("Listed twice"))
    assert all(word in line for word in ("f-child", ROOT, f"in Water North ({CHILD})"))
    assert "1 listed twice" in result.stdout.splitlines()[-1]
    status = invoke("status", "--json", **environment)
    told = json.loads(status.stdout)
    assert status.exit_code == told["exit_code"] == 1
    assert [row["item_id"] for row in told["listed_twice"]] == ["f-child"]
    assert {row["organization_id"]: Decimal(row["wwt_co2e_kg"]) for row in told["organizations"]} == {
        OWNER[facility]: amount for facility, amount in KILOGRAMS.items()
    }
    other = invoke("sync", "--organization", SISTER, **environment)
    assert other.exit_code == 0, "it does not concern the organisation that was asked for"
    page = (tmp_path / "data" / "report.html").read_text(encoding="utf-8")
    assert "Holding X; Water North" in page


def said_and_moved(synced: Synced) -> tuple[dict[Any, Decimal], dict[Any, Decimal]]:
    """Between the last two publications: what each organisation's figures differ by, and what the restatements say."""
    moments = "SELECT published_at FROM sync.runs ORDER BY published_at DESC LIMIT 2"
    (after,), (before,) = synced.query(moments)
    figure = """SELECT organization_id, facility_id, month, co2e_kg FROM history.emissions_by_facility_month_as_of(?)"""
    said: dict[Any, Decimal] = {}
    for moment, sign in ((after, 1), (before, -1)):
        for *key, amount in synced.query(figure, moment):
            said[tuple(key)] = said.get(tuple(key), Decimal(0)) + sign * amount
    moved = synced.query(
        "SELECT organization_id, facility_id, month, sum(co2e_kg) FROM summaries.restatements WHERE published_at = ? GROUP BY ALL",
        after,
    )
    return (
        {key: amount for key, amount in said.items() if amount},
        {tuple(key): amount for *key, amount in moved if amount},
    )


@pytest.mark.exhaustive
@pytest.mark.parametrize("lister", [ROOT, CHILD, SISTER])
def test_restatements_add_up_when_a_second_list_begins_and_ends(
    sandbox: Sandbox, world: Shared, tmp_path: Path, lister: str
) -> None:
    other = "f-root" if lister == CHILD else "f-child"
    settings = settings_for(sandbox, tmp_path / "data")
    first = sync(settings)
    before = kilograms(first, "emissions_by_organization_year")
    world.also = {lister: [other]}
    again = sync(settings)
    said, moved = said_and_moved(again)
    assert said == moved
    assert bool(moved) == (lister == CHILD), "where it counts changes only if a deeper organisation lists it"
    found = explain(DataFolder(settings.data_dir), other, date(2025, 1, 1))
    assert (found.agrees, len(found.records)) == (True, 1)
    world.also = {}
    ended = sync(settings)
    said, moved = said_and_moved(ended)
    assert said == moved
    assert kilograms(ended, "emissions_by_organization_year") == before
    assert ended.outcome == "published"
    assert explain(DataFolder(settings.data_dir), other, date(2025, 1, 1)).agrees
    moments = [row[0] for row in ended.query("SELECT published_at FROM sync.runs ORDER BY published_at")]
    assert all(explain(DataFolder(settings.data_dir), other, date(2025, 1, 1), moment).agrees for moment in moments)
    no_change = "SELECT DISTINCT cause FROM summaries.restatements WHERE organization_id = ?"
    assert ended.query(no_change, SISTER if lister != SISTER else ROOT) == []


@pytest.mark.exhaustive
@pytest.mark.parametrize("denied", [ROOT, CHILD])
def test_a_denied_organisation_changes_no_figure(sandbox: Sandbox, world: Shared, tmp_path: Path, denied: str) -> None:
    """What both listed counts where it counted, whichever of them is denied; what the other says is still heard."""
    world.also = {ROOT: ["f-child"]}
    own = {OWNER[facility]: amount for facility, amount in KILOGRAMS.items()}
    settings = settings_for(sandbox, tmp_path / "data")
    sync(settings)
    sandbox.behaviour = Behaviour(denied={denied: 403})
    again = sync(settings)
    assert_counted(again, own)
    world.add_record("f-child", start_date="2025-03-01", end_date="2025-03-31", co2e="5")
    news = sync(settings)
    whole = sum(KILOGRAMS.values()) + 5
    assert kilograms(news, "tree_emissions_by_year", by="tree_organization_id")[ROOT] == whole
    assert kilograms(news, "emissions_by_organization_year") == own | {CHILD: Decimal(35)}
    sandbox.behaviour = Behaviour()
    assert kilograms(sync(settings), "emissions_by_organization_year") == own | {CHILD: Decimal(35)}


@pytest.mark.exhaustive
@pytest.mark.parametrize("silent", [ROOT, CHILD])
def test_who_gives_no_answer_still_lists_what_another_one_lists(
    sandbox: Sandbox, world: Shared, tmp_path: Path, silent: str
) -> None:
    """It may be put off for a moment only: that is no deletion."""
    world.also = {ROOT: ["f-child"]}
    settings = settings_for(sandbox, tmp_path / "data")
    sync(settings)
    sandbox.behaviour = Behaviour(faults=(Fault("503", organization_id=silent, path="/v1/"),))
    assert len(sync(settings).query("SELECT * FROM dcycle.facilities")) == 4
    sandbox.behaviour = Behaviour()
    for table in ("facilities", "waste_water_treatments"):
        assert sync(settings).query(f"SELECT DISTINCT change FROM history.{table}") == [("new",)]


@pytest.mark.exhaustive
def test_a_facility_that_is_seen_alive_below_is_not_alive_above(
    sandbox: Sandbox, world: Shared, tmp_path: Path
) -> None:
    """It moved to a subsidiary while the holding is denied: nothing of it stays with the holding."""
    world.add_facility(ROOT, id="f-moving")
    world.add_record("f-moving", start_date="2025-01-01", co2e="50")
    first = sync(settings_for(sandbox, tmp_path / "data"))
    world.move_facility("f-moving", CHILD)
    sandbox.behaviour = Behaviour(denied={ROOT: 403})
    again = sync(first.settings)
    for table in ("facilities", "waste_water_treatments"):
        there = f"SELECT organization_id FROM dcycle.{table} WHERE facility_id = 'f-moving'"
        assert again.query(there) == [(CHILD,)]
    assert again.query("SELECT * FROM summaries.listed_twice") == []
    assert kilograms(again, "emissions_by_organization_year")[CHILD] == 80


@pytest.mark.exhaustive
def test_a_record_that_two_organisations_list_at_different_facilities_counts_once(
    sandbox: Sandbox, world: Shared, invoke: Invoke, tmp_path: Path
) -> None:
    (id_,) = (item["id"] for item in world.facility_records("f-root"))
    peek = world.peek_records
    world.peek_records = lambda facility: [  # type: ignore[method-assign]
        *peek(facility),
        *([world.find_record(id_)] if facility == "f-child" else []),
    ]
    bare = {"facility_id": None}  # else the API itself says where the record belongs
    sandbox.behaviour = Behaviour(malformed={id_: lambda item: item | bare})
    result = invoke("sync", **variables(sandbox, tmp_path / "data"))
    assert result.exit_code == 1
    assert any("Listed twice" in line and id_ in line for line in result.stdout.splitlines())
    published = Published(tmp_path / "data" / "dcycle_warehouse.duckdb")
    assert kilograms(published, "emissions_by_organization_year") == {CHILD: 130, SISTER: 7}


@pytest.mark.exhaustive
@pytest.mark.parametrize("seed", range(3))
def test_no_mixture_of_lists_and_denials_counts_anything_twice(
    sandbox: Sandbox, world: Shared, tmp_path: Path, seed: int
) -> None:
    chance, settings = random.Random(seed), settings_for(sandbox, tmp_path / "data")
    sync(settings)
    for _ in range(4):
        world.also = {
            organization: [facility for facility in OWNER if OWNER[facility] != organization and chance.random() < 0.4]
            for organization in (ROOT, CHILD, SISTER)
        }
        world.veiled = chance.random() < 0.3
        denied = chance.choice([None, ROOT, CHILD, SISTER])
        sandbox.behaviour = Behaviour(denied={denied: 403} if denied else {})
        if chance.random() < 0.3:
            sandbox.behaviour = Behaviour(faults=(Fault("500", facility_id=chance.choice(list(OWNER))),))
        synced = sync(settings)
        whole = kilograms(synced, "tree_emissions_by_year", by="tree_organization_id")[ROOT]
        assert whole == sum(KILOGRAMS.values())
        assert len({*said_and_moved(synced)[0].items()} ^ {*said_and_moved(synced)[1].items()}) == 0
