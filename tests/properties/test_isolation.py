"""Nothing of one organisation is found with another: landed files, tables, Parquet folders, log lines, notifications, Dagster's partitions.

Each id of an organisation says whose it is, so any text can be searched for the others'. Several are in trouble.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest
import zstandard

from dcycle_pipeline.orchestration import partitions
from dcycle_pipeline.orchestration.jobs import JOB, build
from dcycle_pipeline.orchestration.step import Environment
from dcycle_pipeline.sandbox import Behaviour, Fault, Sandbox, World
from dcycle_pipeline.settings import ScheduleSettings
from tests.cli.conftest import spawn, variables
from tests.conftest import settings_for
from tests.notify.receivers import Webhook

pytestmark = pytest.mark.exhaustive
ROOT = "id-of-root-0000"
NAMES = (
    "sound",
    "garbage",
    "throttled",
    "unauthorised",
    "silent",
    "broken",
    "malformed",
    "denied",
    "foreign",
    "gone",
    "mixed",
)
TROUBLE: dict[str, dict[str, Any]] = {
    "garbage": {"kind": "not_json"},
    "throttled": {"kind": "429", "retry_after": "seconds", "retry_after_seconds": 30},
    "unauthorised": {"kind": "401"},
    "silent": {"kind": "slow", "seconds": 600.0},
    "broken": {"kind": "503", "path": "/v1/waste-water-treatments"},
    "foreign": {"kind": "foreign", "path": "/v1/waste-water-treatments"},
}
TABLES = """SELECT schema_name || '.' || table_name FROM duckdb_columns()
    WHERE column_name = 'organization_id' AND NOT internal AND schema_name IN ('dcycle', 'history', 'summaries', 'sync', 'bi')"""
# A tree says which organisations there are, and these name several on purpose.
OF_SEVERAL = (
    "organization_tree",
    "organization_names",
    "tree_emissions_by_month",
    "tree_emissions_by_year",
    "missing_members",
)


def marker(name: str) -> str:
    return f"id-of-{name}-"


def of_others(name: str, text: str) -> list[str]:
    """Whose ids a text has that is about one organisation only. One gets a row of another from the API itself, and that must be said."""
    sent_so = ("mixed", "sound") if "r00" in text or "quarantined" in text else ()
    return [each for each in NAMES if each != name and marker(each) in text and (name, each) != sent_so]


def group() -> World:
    world = World(ROOT, "Holding X")
    for name in NAMES:
        world.add_organization(f"{marker(name)}0000", f"Water {len(name)}", ROOT)
        for number in range(2):
            facility = world.add_facility(f"{marker(name)}0000", id=f"{marker(name)}f{number}")
            for row in range(3):
                world.add_record(facility, id=f"{marker(name)}r{number}{row}", co2e=row)
    return world


def behaviour() -> Behaviour:
    faults = tuple(Fault(organization_id=f"{marker(name)}0000", **how) for name, how in TROUBLE.items())
    malformed = {f"{marker('malformed')}r{number}{row}": "number_garbage" for number in range(2) for row in range(2)}
    theirs = {f"{marker('mixed')}r00": lambda item: {**item, "facility_id": f"{marker('sound')}f0"}}
    return Behaviour(faults=faults, malformed={**malformed, **theirs}, denied={f"{marker('denied')}f0": 403})


@dataclass(frozen=True)
class Synced:
    """What two syncs left and said: one of a sound group, and one with trouble."""

    data: Path
    parquet: Path
    said: list[str]
    notified: list[str]


@pytest.fixture(scope="module")
def synced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Synced]:
    folder = tmp_path_factory.mktemp("isolation")
    with Sandbox(group()) as sandbox, Webhook() as webhook:
        environment = variables(
            sandbox,
            folder / "data",
            DCYCLE_LOG="json",
            DCYCLE_NOTIFY=webhook.url,
            DCYCLE_LATE_SECONDS="1",
            DCYCLE_DESTINATIONS="parquet",
            DCYCLE_PARQUET_DIR=str(folder / "parquet"),
            DCYCLE_PARQUET_BY_ORGANIZATION="true",
        )
        said = []
        for number, how in enumerate((Behaviour(), behaviour())):
            sandbox.behaviour = how
            if number:
                sandbox.world.delete_record(f"{marker('gone')}r00")
                sandbox.world.recalculate_record(f"{marker('sound')}r01", 7)
            ended = spawn("sync", cwd=folder, home=folder / "home", **environment)
            assert ended.returncode == number, ended.stderr
            said += [*ended.stderr.splitlines(), *ended.stdout.splitlines()]
        notified = [line for posted in webhook.posted for line in posted["text"].splitlines()]
        yield Synced(folder / "data", folder / "parquet", said, notified)


def landed(synced: Synced) -> Iterator[tuple[str, str]]:
    """Whose folder it is, and the text of each file in it."""
    for path in (synced.data / "landing").rglob("*"):
        owner = next((name for name in NAMES if marker(name) in str(path.relative_to(synced.data))), "")
        if path.is_file() and owner:
            raw = path.read_bytes()
            if path.suffix == ".zst":
                with zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True) as stream:
                    raw = stream.read()
            yield owner, f"{path.name} {raw.decode()}"


def test_landed_files_hold_their_own_organisation_alone(synced: Synced) -> None:
    files = list(landed(synced))
    assert {owner for owner, text in files if marker(owner) in text} == set(NAMES), "each has landed something"
    assert [(owner, others) for owner, text in files if (others := of_others(owner, text))] == []


def test_rows_and_messages_are_of_their_own_organisation_alone(synced: Synced) -> None:
    mixed, seen = [], set()
    with duckdb.connect(str(synced.data / "dcycle_warehouse.duckdb"), read_only=True) as connection:
        for (table,) in connection.execute(TABLES).fetchall():
            if table.partition(".")[2].endswith(OF_SEVERAL):
                continue
            for owner, row in connection.execute(
                f"SELECT organization_id, to_json(t)::VARCHAR FROM {table} AS t"
            ).fetchall():
                name = next((each for each in NAMES if owner and owner.startswith(marker(each))), "")
                seen.add((table, name))
                mixed += [(table, name, row)] if name and of_others(name, row) else []
    assert mixed == []
    assert {("sync.lists", name) for name in NAMES} <= seen
    assert {("dcycle.waste_water_treatments", name) for name in NAMES} <= seen, "all were read once"
    assert {("sync.quarantine", "malformed"), ("sync.quarantine", "mixed")} <= seen


def test_a_row_that_names_the_facility_of_another_reaches_neither(synced: Synced) -> None:
    with duckdb.connect(str(synced.data / "dcycle_warehouse.duckdb"), read_only=True) as connection:
        rows = "SELECT organization_id, facility_id, co2e_kg FROM dcycle.waste_water_treatments WHERE waste_water_treatment_id = ?"
        owner = f"{marker('mixed')}0000"
        assert connection.execute(rows, [f"{marker('mixed')}r00"]).fetchall() == [(owner, f"{marker('mixed')}f0", 0)]
        rejected = connection.execute(
            "SELECT organization_id FROM sync.quarantine WHERE item_id = ?", [f"{marker('mixed')}r00"]
        )
        assert rejected.fetchall() == [(owner,)]


def test_parquet_folders_hold_their_own_organisation_alone(synced: Synced) -> None:
    organizations = synced.parquet / "latest" / "organizations"
    folders = [path for path in organizations.iterdir() if any(marker(name) in path.name for name in NAMES)]
    assert len(folders) == len(NAMES)
    for folder in folders:
        name = next(each for each in NAMES if marker(each) in folder.name)
        for file in folder.rglob("*.parquet"):
            if not file.stem.endswith(OF_SEVERAL):
                rows = duckdb.sql(f"SELECT to_json(t)::VARCHAR FROM '{file}' AS t").fetchall()
                assert not any(of_others(name, row) for (row,) in rows), file


def test_lines_are_about_their_own_organisation_alone(synced: Synced) -> None:
    lines = [json.loads(line) for line in synced.said if line.startswith("{")]
    about = [(line["organization_id"], line["message"]) for line in lines if "organization_id" in line]
    named = {name for name in NAMES for owner, _ in about if owner.startswith(marker(name))}
    assert named == set(NAMES)
    for owner, message in about:
        name = next((each for each in NAMES if owner.startswith(marker(each))), "root")
        assert of_others(name, message) == [], message
    single = about_one(synced.said)
    assert {name for name, _ in single} == set(NAMES)
    assert [(name, line) for name, line in single if of_others(name, line)] == []


def about_one(lines: Iterable[str]) -> list[tuple[str, str]]:
    """The lines that name one organisation, and which."""
    named = [([name for name in NAMES if f"{marker(name)}0000" in line], line) for line in lines]
    return [(names[0], line) for names, line in named if len(names) == 1]


def test_a_line_of_a_notification_is_about_one_organisation_alone(synced: Synced) -> None:
    lines = [line for line in synced.notified if any(marker(name) in line for name in NAMES)]
    single = about_one(lines)
    assert len(single) == len(lines)
    assert len({name for name, _ in single}) > 3, "it names the first ones"
    assert [(name, line) for name, line in single if of_others(name, line)] == []


def test_partitions_in_dagster_tell_of_their_own_organisation_alone(tmp_path: Path) -> None:
    told: dict[str, str] = dict.fromkeys(NAMES, "")
    lines = []
    with Sandbox(group()) as sandbox, dg.DagsterInstance.ephemeral(str(tmp_path / "dagster")) as instance:
        settings = settings_for(sandbox, tmp_path / "data", late_seconds=1)
        job = build(Environment(lambda: settings, retry=None, api_retry=None), ScheduleSettings()).resolve_job_def(JOB)
        for how in (Behaviour(), behaviour()):
            sandbox.behaviour = how
            result = job.execute_in_process(instance=instance, raise_on_error=False)
            assert result.success is (how == Behaviour())
            lines += [entry.user_message for entry in instance.all_logs(result.run_id) if not entry.is_dagster_event]
            for event in result.all_events:
                said = event.event_specific_data
                about = getattr(said, "materialization", None) or getattr(said, "asset_observation", None)
                if about and about.partition:
                    name = _of(partitions.organization_of(about.partition))
                    told[name] = told.get(name, "") + f"{about.partition} {about.description} {dict(about.metadata)}"
    assert [name for name in NAMES if not told[name]] == []
    assert {name: others for name in NAMES if (others := of_others(name, told[name]))} == {}
    single = about_one(lines)
    assert {name for name, _ in single} == set(NAMES)
    assert [(name, line) for name, line in single if of_others(name, line)] == []


def _of(organization_id: str) -> str:
    return next((each for each in NAMES if organization_id.startswith(marker(each))), "root")
