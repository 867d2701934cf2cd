"""Totals are read exactly, informed by and never in the way: whatever is wrong with them, the lists are published as ever."""

import json
import shutil
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
import zstandard

from dcycle_pipeline.endpoints.total_impacts import ENDPOINT, PATH, kilograms_in
from dcycle_pipeline.sandbox import Behaviour, Fault, Sandbox, World
from dcycle_pipeline.settings import Settings
from dcycle_pipeline.sync.lists import sync_endpoint
from dcycle_pipeline.sync.organizations import refresh_organizations
from dcycle_pipeline.sync.replay import replay
from dcycle_pipeline.sync.result import result_of
from dcycle_pipeline.sync.run import Run
from dcycle_pipeline.sync.year_totals import MOST_YEARS, sync_totals
from tests.conftest import CHILD, ROOT, Published, Synced, settings_for, sync

TOTALS = "SELECT * FROM dcycle.total_impacts ORDER BY ALL"
SAID = "SELECT organization_id, year, theirs_co2e_kg, verdict, reasons FROM summaries.total_impacts_comparison ORDER BY ALL"
ASKED = [(ROOT, "2023"), (ROOT, "2024"), (CHILD, "2025")]


def tiny_world() -> World:
    """Records over the turn of 2023 in one organisation, in 2025 in the other, and one organisation without any."""
    world = World(ROOT, "Holding X")
    world.add_organization(CHILD, "Water North", ROOT)
    world.add_organization("empty", "Empty", ROOT)
    plant = world.add_facility(ROOT, id="f-a")
    world.add_record(plant, start_date="2023-12-22", end_date="2024-01-10", co2e="2000.000000001")
    world.add_record(plant, start_date="2024-02-01", co2e=None)
    world.add_record(plant, start_date="2019-02-01", status="error")
    world.add_records(world.add_facility(CHILD, id="f-b"), 3)
    return world


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(tiny_world()) as running:
        yield running


def served(sandbox: Sandbox, organization_id: str, year: str) -> dict[str, Any]:
    """What the API says, numbers as they stand in its text."""
    asked = {"start_date": f"{year}-01-01", "end_date": f"{year}-12-31", "group_by": "scope"}
    headers = {"x-api-key": sandbox.api_key, "x-organization-id": organization_id}
    text = httpx.get(sandbox.base_url + PATH, params=asked, headers=headers).text
    found: dict[str, Any] = json.loads(text, parse_float=Decimal)
    return found


def asked(sandbox: Sandbox) -> list[tuple[str | None, str]]:
    """Organisation and year of each request."""
    return sorted(
        (request.organization_id, dict(request.query)["start_date"][:4])
        for request in sandbox.requests
        if request.path == PATH
    )


def test_every_total_is_that_of_the_api_in_kilograms_exactly(sandbox: Sandbox, tmp_path: Path) -> None:
    synced = sync(settings_for(sandbox, tmp_path))
    assert asked(sandbox) == ASKED
    expected = []
    for organization, year in ASKED:
        answer = served(sandbox, organization, year)
        scopes = {item["scope"]: item["co2e"] * 1000 for item in answer["items"]}
        kilograms = (answer["total_co2e"] * 1000, scopes[1], scopes[2], scopes[3])
        expected.append((organization, int(year), *kilograms, "tCO2e", answer["total_co2e"]))
    assert synced.query(TOTALS) == expected
    outcomes = "SELECT organization_id, year, outcome FROM sync.lists WHERE endpoint = 'total_impacts' ORDER BY ALL"
    assert synced.query(outcomes) == [(organization, int(year), "answered") for organization, year in ASKED]
    (run,) = synced.query("SELECT rows_count, lists_proven_count, requests_count FROM sync.runs")
    assert run == (2 + 6, 3 + 2 + 1, len(sandbox.requests) - len(ASKED)), "totals are no lists"


@pytest.mark.exhaustive
def test_a_quiet_sync_leaves_everything_as_it_is(sandbox: Sandbox, tmp_path: Path) -> None:
    first = sync(settings_for(sandbox, tmp_path))
    again = sync(first.settings)
    assert (again.publication.content_changed, again.publication.content_hash) == (
        False,
        first.publication.content_hash,
    )
    assert (again.query(TOTALS), again.query(SAID)) == (first.query(TOTALS), first.query(SAID))


@pytest.mark.exhaustive
def test_a_total_that_moves_is_followed_and_is_a_change(sandbox: Sandbox, tmp_path: Path) -> None:
    first = sync(settings_for(sandbox, tmp_path))
    sandbox.world.add_facility(CHILD, id="f-new")
    sandbox.behaviour = Behaviour(malformed={ROOT: "wrong_unit"})
    again = sync(first.settings)
    assert again.publication.content_changed
    before, after = first.query(TOTALS), again.query(TOTALS)
    assert before[:2] == after[:2], "what is not understood keeps its last row"
    assert after[2][2] > before[2][2]


@pytest.mark.exhaustive
def test_years_are_bounded_also_where_a_date_is_wrong(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.world.add_record("f-b", start_date="1950-01-01", end_date="2049-12-31", co2e="1")
    synced = sync(settings_for(sandbox, tmp_path))
    years = [year for organization, year in asked(sandbox) if organization == CHILD]
    assert len(years) == MOST_YEARS
    assert "2025" in years, "the years of most records come first"
    assert synced.outcome == "published"


FAULTS = {
    **{kind: Behaviour(faults=(Fault(kind, path=PATH),)) for kind in ("401", "403", "404", "500")},
    **{kind: Behaviour(faults=(Fault(kind, path=PATH),)) for kind in ("reset", "not_json")},
    **{
        how: Behaviour(malformed={ROOT: how, CHILD: how})
        for how in ("wrong_unit", "number_garbage", "nan_text", "huge_number", "not_an_object")
    },
    "foreign": Behaviour(malformed={ROOT: "foreign_facility_id", CHILD: "foreign_facility_id"}),
    "other_year": Behaviour(malformed={ROOT: "end_before_start", CHILD: "end_before_start"}),
}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("totals") / "data"
    with Sandbox(tiny_world()) as sandbox:
        sync(settings_for(sandbox, folder))
    return folder


@pytest.mark.exhaustive
@pytest.mark.parametrize("behaviour", FAULTS.values(), ids=FAULTS.keys())
def test_a_fault_is_told_and_changes_neither_outcome_nor_rows(
    sandbox: Sandbox, template: Path, tmp_path: Path, behaviour: Behaviour
) -> None:
    before = Published(template / "dcycle_warehouse.duckdb")
    shutil.copytree(template, tmp_path / "data", symlinks=True)
    sandbox.behaviour = behaviour
    synced = sync(settings_for(sandbox, tmp_path / "data"))
    assert (synced.outcome, synced.publication.content_changed) == ("published", False)
    result = result_of(synced.file, synced.run_id, [])
    assert (result["exit_code"], result["unproven_lists"], result["quarantined"]) == (0, [], [])
    assert synced.query(TOTALS) == before.query(TOTALS)
    earlier = {row[:2]: row for row in before.query(SAID)}
    for row in synced.query(SAID):
        assert row[:4] == earlier[row[:2]][:4]
        assert row[4].startswith("their total is that of an earlier sweep: ")
        assert row[4].endswith(earlier[row[:2]][4])


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (
            Behaviour(faults=(Fault("403", path=PATH),)),
            "their total is not known: it could not be read: GET /v1/total-impacts",
        ),
        (
            Behaviour(malformed={ROOT: "wrong_unit", CHILD: "wrong_unit"}),
            "their total is not known: the answer was not understood: unit is 'MWh', expected tCO2e or kgCO2e",
        ),
    ],
)
def test_what_was_never_read_is_not_known_and_says_why(
    sandbox: Sandbox, tmp_path: Path, behaviour: Behaviour, reason: str
) -> None:
    sandbox.behaviour = behaviour
    synced = sync(settings_for(sandbox, tmp_path))
    assert (synced.outcome, synced.query(TOTALS)) == ("published", [])
    assert len(synced.query(SAID)) == len(ASKED)
    for _, _, theirs, verdict, reasons in synced.query(SAID):
        assert (theirs, verdict) == (None, "total_not_known")
        assert reasons.startswith(reason)
    rejected = "SELECT item_id, reason FROM sync.quarantine WHERE endpoint = 'total_impacts' ORDER BY ALL"
    understood = "wrong_unit" not in behaviour.malformed.values()
    assert [row[0] for row in synced.query(rejected)] == ([] if understood else ["2023", "2024", "2025"])


def test_kilograms_are_taken_as_kilograms(sandbox: Sandbox, tmp_path: Path) -> None:
    def in_kilograms(answer: dict[str, Any]) -> dict[str, Any]:
        return {**answer, "unit": "kgCO2e", "total_co2e": Decimal("12.5"), "items": [{"scope": "scope_1", "co2e": 3}]}

    sandbox.behaviour = Behaviour(malformed={CHILD: in_kilograms})
    synced = sync(settings_for(sandbox, tmp_path))
    row = (CHILD, 2025, Decimal("12.5"), Decimal(3), Decimal(0), Decimal(0), "kgCO2e", Decimal("12.5"))
    assert synced.query(TOTALS)[2] == row


@pytest.mark.parametrize(
    ("unit", "kilograms"),
    [("tCO2e", 1000), ("t CO₂e", 1000), ("tonnes CO2eq", 1000), ("T", 1000), ("kgCO2e", 1), ("kg_co2e", 1)]
    + [(unit, None) for unit in ("", None, "lb", "CO2e", "ktCO2e", "MtCO2e", "gCO2e", "tC", "MWh", "tons")],
)
def test_no_unit_is_guessed_at(unit: str | None, kilograms: int | None) -> None:
    assert kilograms_in(unit) == kilograms


def break_totals(settings: Settings) -> None:
    run = Run(str(uuid4()), settings)
    with run.working_file() as connection:
        connection.execute("UPDATE dcycle.total_impacts SET co2e_kg = 0")
    run.end()


@pytest.mark.exhaustive
def test_a_replay_brings_the_totals_back_without_the_api(tmp_path: Path) -> None:
    with Sandbox(tiny_world()) as sandbox:
        first = sync(settings_for(sandbox, tmp_path))
    break_totals(first.settings)
    publication = replay(Run(str(uuid4()), first.settings))
    assert publication.content_hash == first.publication.content_hash
    assert Published(publication.snapshot).query(SAID) == first.query(SAID)


@pytest.mark.exhaustive
@pytest.mark.parametrize("lost", [["working/warehouse.duckdb"], ["working/warehouse.duckdb", "snapshots"]])
def test_a_lost_working_file_is_made_again_with_the_totals(tmp_path: Path, lost: list[str]) -> None:
    with Sandbox(tiny_world()) as sandbox:
        first = sync(settings_for(sandbox, tmp_path))
        totals, said = first.query(TOTALS), first.query(SAID)
        for name in lost:
            path = tmp_path / name
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        sandbox.behaviour = Behaviour(faults=(Fault("404", path=PATH),))
        again = sync(first.settings)
    assert again.query(TOTALS) == totals
    assert [row[:4] for row in again.query(SAID)] == [row[:4] for row in said]


def read_everything(settings: Settings) -> None:
    """A run that dies before it publishes."""
    run = Run(str(uuid4()), settings)
    organizations = [organization.organization_id for organization in refresh_organizations(run)]
    for endpoint in run.endpoints:
        sync_endpoint(run, endpoint, organizations)
    sync_totals(run, ENDPOINT, organizations)


@pytest.mark.exhaustive
def test_what_a_run_that_died_had_landed_is_not_asked_again(sandbox: Sandbox, tmp_path: Path) -> None:
    settings = settings_for(sandbox, tmp_path)
    read_everything(settings)
    sandbox.clear_requests()
    sandbox.world.add_record("f-b", start_date="2026-01-01")
    synced = sync(settings)
    assert asked(sandbox) == []
    assert len(synced.query(TOTALS)) == len(ASKED)


def landed_text(folder: Path) -> bytes:
    files = [path for path in folder.rglob("*") if path.is_file()]
    plain = [path.read_bytes() for path in files if path.suffix != ".zst"]
    opened = [
        zstandard.ZstdDecompressor().stream_reader(path.read_bytes()).read() for path in files if path.suffix == ".zst"
    ]
    return b"\n".join([*plain, *opened])


@pytest.mark.exhaustive
def test_no_person_is_landed_and_new_fields_are_told(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.behaviour = Behaviour(extra_fields=True, numbers_as_text=True)
    synced: Synced = sync(settings_for(sandbox, tmp_path))
    kept = landed_text(tmp_path / "landing")
    assert b"total_co2e" in kept
    assert not [text for text in sandbox.personal_strings() if text.encode() in kept]
    (drift,) = synced.query("SELECT drift FROM sync.runs")[0]
    assert {"total_impacts.approved_by", "total_impacts.methodology_version"} <= set(drift)
    assert len(synced.query(TOTALS)) == len(ASKED)
