"""Parquet files hold what the published file holds, to the last digit, and a reader finds one whole set at any moment."""

import json
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from dcycle_pipeline.errors import SettingsError
from dcycle_pipeline.publish import parquet
from dcycle_pipeline.publish.catalog import copied_tables, versioned_tables
from dcycle_pipeline.publish.delivery import Delivery
from dcycle_pipeline.sandbox import Sandbox
from dcycle_pipeline.settings import load
from dcycle_pipeline.warehouse.database import opened
from dcycle_pipeline.warehouse.run_tables import RUNS
from tests.conftest import CHILD, ROOT, Synced, settings_for, small_world, sync
from tests.publish.parquet_readers import READERS, TOTALS, check_whole, latest, manifest_of, publications

FEW_TABLES = [table for table in copied_tables() if table.schema == "dcycle"]
EVERY_READER = pytest.mark.parametrize("read", READERS.values(), ids=READERS.keys())
SUMS = ("co2e_kg", "co2e_biomass_kg", "water_in_m3", "water_out_m3", "sludge_kg", "record_count")
READER = """
import json, os, select, sys
import duckdb
root, seen = sys.argv[1], set()
print('ready', flush=True)
while True:
    by_link = os.path.realpath(f'{root}/latest')
    with open(f'{root}/latest.json') as manifest:
        named = json.load(manifest)
        by_name = f"{root}/{named['folder']}"
    for folder in (by_link, by_name):
        runs = duckdb.sql(f"SELECT DISTINCT decode(value) FROM parquet_kv_metadata('{folder}/*.parquet') WHERE key = 'run_id'").fetchall()
        with open(f'{folder}/manifest.json') as manifest:
            assert runs == [(json.load(manifest)['run_id'],)], runs
        records = duckdb.sql(f"SELECT count(*) FROM '{folder}/dcycle.waste_water_treatments.parquet'").fetchall()
        assert records == [(138,)], records
        seen |= set(runs)
    duckdb.sql(f"SELECT count(*) FROM '{root}/latest/dcycle.facilities.parquet'").fetchall()
    if select.select([sys.stdin], [], [], 0)[0]:
        break
print(len(seen), flush=True)
"""


@dataclass(frozen=True)
class Sent:
    """What one sync published, as a file and as Parquet."""

    synced: Synced
    root: Path

    @property
    def folder(self) -> Path:
        return (self.root / "latest").resolve()


@dataclass(frozen=True)
class Target(Sent):
    """An empty folder, to send one snapshot to as if it were many publications."""

    def send(self, number: int, **changes: Any) -> None:
        settings = self.synced.settings.model_copy(update={"parquet_dir": self.root, **changes})
        at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=number)
        with patch.object(parquet, "copied_tables", return_value=FEW_TABLES):
            parquet.send(Delivery(self.synced.publication.snapshot, settings, f"run-{number}", at, "hash"))


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory, few_summaries: None) -> Iterator[Sent]:
    """With a folder an organisation; tests that use it leave it as it is."""
    folder = tmp_path_factory.mktemp("sent")
    root = folder / "parquet"
    with Sandbox(small_world()) as sandbox:
        wanted: dict[str, Any] = {"destinations": "parquet", "parquet_dir": root, "parquet_by_organization": True}
        yield Sent(sync(settings_for(sandbox, folder / "data", **wanted)), root)


@EVERY_READER
def test_every_table_has_the_rows_of_the_file(sent: Sent, read: Any) -> None:
    for table in copied_tables():
        rows = read(sent.folder / f"{table.qualified}.parquet")
        assert rows == sent.synced.query(f"FROM {table.qualified} ORDER BY {', '.join(table.key)}"), table.qualified


@pytest.mark.parametrize("total", TOTALS.values(), ids=TOTALS.keys())
def test_totals_are_those_of_the_file(sent: Sent, total: Any) -> None:
    table = "summaries.emissions_by_facility_month"
    found = tuple(total(sent.folder / f"{table}.parquet", name) for name in SUMS)
    assert [found] == sent.synced.query(f"SELECT {', '.join(f'sum({name})' for name in SUMS)} FROM {table}")


def test_decimals_dates_and_times_keep_their_types(sent: Sent) -> None:
    types = {"DATE": "date32[day]", "TIMESTAMPTZ": "timestamp[us, tz=UTC]", "BIGINT": "int64", "INTEGER": "int32"}
    types |= {"VARCHAR": "string", "BOOLEAN": "bool", "VARCHAR[]": "list<element: string>"}
    for table in copied_tables():
        schema = pyarrow.parquet.read_schema(sent.folder / f"{table.qualified}.parquet")
        expected = [types.get(each.type, each.type.lower().replace("decimal", "decimal128")) for each in table.columns]
        assert [str(each.type).replace(", ", ",") for each in schema] == [each.replace(", ", ",") for each in expected]


def test_the_manifest_says_what_is_there(sent: Sent) -> None:
    assert latest(sent.root) == (sent.synced.run_id, sent.synced.run_id)
    manifest = manifest_of(sent.folder)
    assert manifest["content_hash"] == sent.synced.publication.content_hash
    assert manifest["tables"].keys() == {table.qualified for table in copied_tables()}
    for table in copied_tables():
        told = manifest["tables"][table.qualified]
        assert [(each["name"], each["type"], each["comment"]) for each in told["columns"]] == [
            (each.name, each.type, table.comment_of(each)) for each in table.columns
        ]
        assert told["key"] == list(table.key)


def test_each_organisation_has_a_folder_with_its_rows_only(sent: Sent) -> None:
    own = [table for table in copied_tables() if "organization_id" in table.names()]
    folders = {organization: sent.folder / "organizations" / organization for organization in (ROOT, CHILD)}
    assert sorted(path.name for path in (sent.folder / "organizations").iterdir()) == sorted(folders)
    for organization, folder in folders.items():
        check_whole(folder)
        assert manifest_of(folder)["tables"].keys() == {table.qualified for table in own}
        for table in (each for each in own if each.schema == "dcycle"):
            expected = f"FROM {table.qualified} WHERE organization_id = ? ORDER BY {', '.join(table.key)}"
            rows = READERS["duckdb"](folder / f"{table.qualified}.parquet")
            assert rows == sent.synced.query(expected, organization), table.qualified


def test_others_may_read_but_not_write(sent: Sent) -> None:
    paths = [sent.root, *sent.root.rglob("*")]
    modes = {path.is_dir(): stat.S_IMODE(path.stat().st_mode) for path in paths if path.suffix != ".json"}
    assert modes == {True: 0o755, False: 0o444}


@pytest.fixture
def target(sent: Sent, tmp_path: Path) -> Target:
    settings = sent.synced.settings.model_copy(update={"keep_snapshots": 1, "parquet_by_organization": False})
    return Target(replace(sent.synced, settings=settings), tmp_path / "target")


@pytest.mark.quick(1)
@pytest.mark.parametrize("count", [5, 200])
def test_a_reader_in_mid_publication_sees_one_set(target: Target, count: int) -> None:
    target.send(0)
    reader = subprocess.Popen(
        [sys.executable, "-c", READER, str(target.root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert reader.stdout
    assert reader.stdout.readline() == "ready\n"
    for number in range(1, count):
        target.send(number, keep_snapshots=count)
    output, _ = reader.communicate("\n")
    assert reader.returncode == 0
    assert int(output) >= 1


def test_old_publications_go_but_the_one_before_stays(target: Target) -> None:
    target.send(1)
    first = publications(target.root)
    target.send(2)
    assert publications(target.root)[:1] == first
    target.send(3)
    assert len(publications(target.root)) == 2
    target.send(4, keep_snapshots=4)
    target.send(5, keep_snapshots=4)
    assert len(publications(target.root)) == 4
    assert latest(target.root) == ("run-5", "run-5")


def test_a_publication_that_is_sent_again_is_the_same(target: Target) -> None:
    target.send(1)
    before = {path: path.stat().st_ino for path in target.folder.iterdir()}
    target.send(1)
    assert {path: path.stat().st_ino for path in target.folder.iterdir()} == before
    assert latest(target.root) == ("run-1", "run-1")


def test_what_strangers_put_into_the_folder_stays(target: Target, tmp_path: Path) -> None:
    target.send(0)
    outside, old = tmp_path / "outside", target.folder
    outside.mkdir()
    (outside / "mine.parquet").write_bytes(b"mine")
    (old / "notes.txt").write_bytes(b"mine")
    for link in (
        old / "linked",
        old / "linked.parquet",
        target.root / "publications" / "20200101T000000.000000Z-aaaaaaaa",
        target.root / "publications" / ".20200101T000000.000000Z-aaaaaaaa.part",
    ):
        link.symlink_to(outside)
    (target.root / "publications" / "mine").mkdir()
    (target.root / "notes.txt").write_bytes(b"mine")
    for number in range(1, 4):
        target.send(number)
    assert sorted(path.name for path in old.iterdir()) == ["linked", "linked.parquet", "notes.txt"]
    assert (outside / "mine.parquet").read_bytes() == b"mine"
    assert (target.root / "publications" / "mine").is_dir()
    assert (target.root / "notes.txt").exists()


def test_a_publication_ahead_of_the_clock_goes_first(target: Target) -> None:
    target.send(0)
    ahead = target.root / "publications" / "29990101T000000.000000Z-aaaaaaaa"
    target.folder.rename(ahead)
    target.send(1)
    target.send(2)
    assert not ahead.exists()
    assert latest(target.root) == ("run-2", "run-2")


def test_a_folder_that_is_not_ours_is_refused_untouched(target: Target) -> None:
    target.root.mkdir()
    (target.root / "notes.txt").write_bytes(b"mine")
    with pytest.raises(SettingsError, match=r"holds what is not ours: notes\.txt"):
        target.send(1)
    assert [path.name for path in target.root.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("name", ["publications", "latest"])
def test_what_is_in_the_place_of_ours_is_refused(target: Target, tmp_path: Path, name: str) -> None:
    target.send(0)
    (tmp_path / "outside").mkdir()
    (target.root / name).rename(tmp_path / "moved")
    if name == "latest":
        (target.root / name).mkdir()
    else:
        (target.root / name).symlink_to(tmp_path / "outside")
    with pytest.raises(SettingsError, match=f"/{name} is not what we put there"):
        target.send(1)
    assert list((tmp_path / "outside").iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "said"), [({"root_organization_id": "other"}, "organisation other"), ({"layout_version": 2}, "newer")]
)
def test_the_folder_of_another_account_or_a_newer_version_is_refused(
    target: Target, changes: dict[str, Any], said: str
) -> None:
    target.send(0)
    mark = {"layout_version": 1, "root_organization_id": ROOT} | changes
    (target.root / "dcycle_parquet.json").write_text(json.dumps(mark), encoding="utf-8")
    with pytest.raises(SettingsError, match=said):
        target.send(1)
    assert latest(target.root) == ("run-0", "run-0")


def random_rows() -> st.SearchStrategy[list[tuple[Any, ...]]]:
    quantities = st.decimals(min_value=Decimal(-(10**19)) + 1, max_value=Decimal(10**19) - 1, places=9)
    times = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
    days = st.dates(date(1900, 1, 1), date(2200, 1, 1))
    return st.lists(st.tuples(st.none() | quantities, st.none() | days, times, st.none() | st.text()), max_size=4)


@pytest.mark.exhaustive
@given(found=random_rows())
@hypothesis_settings(max_examples=40)
def test_whatever_a_table_holds_comes_back_by_every_reader(
    found: list[tuple[Any, ...]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("random")
    table = next(each for each in versioned_tables() if each.name == "waste_water_treatments")
    with opened(folder / "file.duckdb", folder, (RUNS, table), 256) as connection:
        names = "organization_id, waste_water_treatment_id, co2e_kg, start_date, valid_from, record_label"
        for number, row in enumerate(found):
            values = ["o", str(number), *row]
            values[5] = row[3] and row[3].replace("\0", "")
            connection.execute(f"INSERT INTO {table.qualified} ({names}) VALUES (?, ?, ?, ?, ?, ?)", values)
        expected = connection.execute(f"SELECT {names} FROM {table.qualified} ORDER BY ALL").fetchall()
        connection.execute("CHECKPOINT warehouse")
    settings = load(api_key="x" * 9, organization_id="x", data_dir=folder / "data", parquet_dir=folder / "parquet")
    delivery = Delivery(folder / "file.duckdb", settings, "a-run", datetime(2026, 1, 1, tzinfo=UTC), "hash")
    with patch.object(parquet, "copied_tables", return_value=[table]):
        parquet.send(delivery)
    file = folder / "parquet" / "latest" / f"{table.qualified}.parquet"
    for read in READERS.values():
        whole = [dict(zip(table.names(), row, strict=True)) for row in read(file)]
        assert sorted(tuple(row[name] for name in names.split(", ")) for row in whole) == expected
