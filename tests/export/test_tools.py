"""What dbt and Superset get: every declared column, sums only of what adds up, figures whose rules hold, and no file of others touched."""

import re
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import duckdb
import pytest
import yaml

from dcycle_pipeline.errors import SettingsError
from dcycle_pipeline.export import dbt, metrics, relations, superset
from dcycle_pipeline.publish.catalog import all_tables
from dcycle_pipeline.schema import Column, Table
from tests.conftest import ROOT, disk_full_for
from tests.export.conftest import Account
from tests.properties.aftermath import said_as_json

TOOLS = ("dbt", "superset")
TABLES = {table.qualified: table for table in all_tables()}
EVERY_TABLE = TABLES | {
    query.qualified: query
    for query in (relations.YEAR_ON_YEAR, relations.EMISSIONS_WITH_NAMES, relations.YEAR_ON_YEAR_WITH_NAMES)
}
NAMES = {column.name for table in EVERY_TABLE.values() for column in table.columns}


LISTING = ".dcycle-export"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@dataclass(frozen=True)
class Exported:
    """What one tool got: its files, and those in YAML as values."""

    account: Account
    files: dict[str, bytes]

    @cached_property
    def values(self) -> dict[str, Any]:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        return {
            name: yaml.load(content, loader) for name, content in self.files.items() if name.endswith((".yml", ".yaml"))
        }

    @property
    def datasets(self) -> list[dict[str, Any]]:
        """Superset's."""
        return [content for path, content in self.values.items() if path.startswith("datasets/")]

    def draw(self, dataset: str, metric: str, by: str, where: str = "true") -> dict[Any, Any]:
        """What Superset shows of a metric by a column, or by several."""
        (found,) = [each for each in self.datasets if each["table_name"] == dataset]
        (expression,) = [each["expression"] for each in found["metrics"] if each["metric_name"] == metric]
        rows = f"({found['sql']})" if found["sql"] else f"{found['schema']}.{dataset}"
        with duckdb.connect(str(self.account.file), read_only=True) as connection:
            answer = connection.execute(f"SELECT {by}, {expression} FROM {rows} WHERE {where} GROUP BY {by}").fetchall()
        return {key[0] if len(key) == 1 else tuple(key): value for *key, value in answer}


@pytest.fixture(scope="module")
def project(account: Account, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    folder = tmp_path_factory.mktemp("dbt")
    assert "(16 files). Go there and run `dbt build`." in account.invoke("export", "dbt", str(folder))
    return Exported(account, {name: content for name, content in contents(folder).items() if name != LISTING})


@pytest.fixture(scope="module")
def bundle(account: Account, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    folder = tmp_path_factory.mktemp("superset")
    said = said_as_json(account.invoke("export", "superset", str(folder), "--json"))
    assert (said["exit_code"], said["folder"]) == (0, str(folder))
    assert said["files"] == sorted(contents(folder).keys() - {LISTING})
    return Exported(account, {name: content for name, content in contents(folder).items() if name != LISTING})


def test_dbt_knows_every_column_with_its_meaning_and_additivity(project: Exported) -> None:
    found = {
        (source["schema"], table["name"]): table
        for path, content in project.values.items()
        if path.startswith("models/sources/")
        for source in content["sources"]
        for table in source["tables"]
    }
    assert len(found) == len(TABLES)
    for table in TABLES.values():
        told = found[table.schema, table.name]
        assert told["description"] == table.comment
        for column, each in zip(table.columns, told["columns"], strict=True):
            assert (each["name"], each["description"]) == (column.name, table.comment_of(column))
            assert each.get("config", {}).get("meta", {}).get("additivity") == column.additivity
        tests = {name for each in told["columns"] for name in map(str, each.get("data_tests", []))}
        assert ("unique" in tests) == (len(table.key) == 1)


def test_dbt_attaches_the_link_to_read_only(account: Account, project: Exported) -> None:
    output = project.values["profiles.yml"]["dcycle"]["outputs"]["published"]
    assert output["attach"] == [{"path": str(account.file), "alias": "dcycle_warehouse", "read_only": True}]
    assert output["path"] == "views.duckdb"


def test_superset_only_reads_the_link(account: Account, bundle: Exported) -> None:
    database = bundle.values["databases/dcycle.yaml"]
    assert database["sqlalchemy_uri"] == f"duckdb:///{account.file}?access_mode=read_only"
    assert {name for name, value in database.items() if value is True} == {"expose_in_sqllab"}
    assert {dataset["database_uuid"] for dataset in bundle.datasets} == {database["uuid"]}
    with ZipFile(BytesIO(bundle.files[superset.ARCHIVE])) as archive:
        held = {name.removeprefix("dcycle_superset/"): archive.read(name) for name in archive.namelist()}
    assert held == {name: content for name, content in bundle.files.items() if name != superset.ARCHIVE}


def summed(expression: str) -> set[str]:
    """The columns in the sums of an SQL expression. Those that only say which rows count are not among them."""
    values = [re.sub(r"CASE WHEN \w+( = \w+)? THEN", "", each) for each in re.findall(r"sum\(([^()]*)\)", expression)]
    return {name for value in values for name in re.findall(r"[a-z]\w+", value)} & NAMES


def test_nothing_is_summed_that_does_not_add_up_and_all_else_is(bundle: Exported, project: Exported) -> None:
    for dataset in bundle.datasets:
        table = EVERY_TABLE[f"{dataset['schema']}.{dataset['table_name']}"]
        adding = {column.name for column in table.columns if column.additivity == "sum"}
        assert {name for metric in dataset["metrics"] for name in summed(metric["expression"])} == adding
        assert {f"sum_{name}" for name in adding} <= {metric["metric_name"] for metric in dataset["metrics"]}
        warned = {each["column_name"] for each in dataset["columns"] if each["extra"]}
        assert warned == {column.name for column in table.columns if column.additivity in ("none", "latest")}
    for model in project.values["models/semantic_models.yml"]["semantic_models"]:
        table = EVERY_TABLE[f"bi.{model['name']}"]
        adding = {column.name for column in table.columns if column.additivity == "sum"}
        for measure in model.get("measures", []):
            assert summed(f"{measure['agg']}({measure['expr']})") <= adding
            assert measure["agg"] == "sum" or measure["expr"] == "year"


def test_every_dataset_and_metric_runs_on_the_file(account: Account, bundle: Exported) -> None:
    with duckdb.connect(str(account.file), read_only=True) as connection:
        for dataset in bundle.datasets:
            source = f"({dataset['sql']})" if dataset["sql"] else f"{dataset['schema']}.{dataset['table_name']}"
            given = [(name, type_) for name, type_, *_ in connection.execute(f"DESCRIBE FROM {source}").fetchall()]
            types = [each["type"].replace("TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE") for each in dataset["columns"]]
            assert given == list(zip([each["column_name"] for each in dataset["columns"]], types, strict=True))
            if dataset["metrics"]:
                selected = ", ".join(metric["expression"] for metric in dataset["metrics"])
                assert len(connection.execute(f"SELECT {selected} FROM {source}").fetchall()) == 1


def test_year_on_year_is_only_between_complete_years(bundle: Exported) -> None:
    def change(by: str, where: str = "true") -> dict[Any, Any]:
        return bundle.draw("emissions_year_on_year", "co2e_kg_year_on_year", by, where)

    south, north = Decimal("0.010000000"), Decimal("0.020000000")
    assert change("organization, year") == {
        ("Holding X", 2023): None,
        ("Holding X", 2024): south,
        ("Holding X", 2025): Decimal("0.009900990"),
        ("Water North", 2023): None,
        ("Water North", 2024): north,
        ("Water North", 2025): None,  # a month of it is pending
    }
    # What holds for the whole holds for a part, and the other way round: never a change of a part that somebody takes for the whole.
    assert change("year") == {2023: None, 2024: Decimal("0.013333333"), 2025: None}
    assert change("country_code", "year = 2024") == {"ES": south, "DE": north}
    assert change("organization") == {"Holding X": None, "Water North": None}
    by_month = change("facility, month", "year = 2025 AND month(month) = 1")
    assert sorted((facility, value) for (facility, _), value in by_month.items()) == [
        ("f-north", None),
        ("f-south", Decimal("0.009900990")),
    ]


def test_intensity_is_only_of_months_in_which_nothing_is_pending(bundle: Exported) -> None:
    intensity = bundle.draw("emissions_with_names", "co2e_kg_per_m3_in", "organization", "year = 2025")
    assert intensity == {"Holding X": Decimal("1.020000000"), "Water North": Decimal("0.520000000")}


def test_what_never_adds_up_is_shown_for_one_row_alone(bundle: Exported) -> None:
    drawn = ("emissions_by_facility_month", "single_record_count")
    where = "month = '2024-02-01'"
    assert bundle.draw(*drawn, "facility_id", where) == {"f-south": 1, "f-north": 1}
    assert set(bundle.draw(*drawn, "month", where).values()) == {None}


def test_both_tools_get_the_same_figures(bundle: Exported, project: Exported) -> None:
    declared = {metric.name: metric for metric in (*metrics.OF_EMISSIONS, *metrics.OF_YEAR_ON_YEAR)}
    for found in project.values["models/semantic_models.yml"]["metrics"]:
        if found["type"] == "derived":
            told = found["type_params"]
            assert told["expr"] == re.sub(r"[{}]", "", declared[found["name"]].formula)
            assert told["metrics"] == [measure.name for measure in declared[found["name"]].measures]
    shown = {metric["metric_name"] for dataset in bundle.datasets for metric in dataset["metrics"]}
    assert declared.keys() <= shown


@pytest.mark.quick(1)
@pytest.mark.parametrize("tool", TOOLS)
def test_the_next_export_replaces_what_is_ours_and_leaves_what_the_tool_wrote(
    account: Account, tmp_path: Path, tool: str
) -> None:
    folder = tmp_path / "out"
    account.invoke("export", tool, str(folder))
    first = contents(folder)
    assert account.api_key.encode() not in b"".join(first.values())
    assert ROOT.encode() not in b"".join(first.values())
    some = next(path for path in folder.rglob("*.y*ml"))
    older = folder / "older.yml"  # of an earlier version
    older.write_bytes(some.read_bytes())
    with (folder / LISTING).open("a") as listing:
        listing.write("older.yml\n")
    some.write_bytes(some.read_bytes() + b"# changed\n")
    (folder / ".metadata.yaml.0123abcd.part").touch()  # an export was killed
    left = {".git/HEAD": b"x", ".DS_Store": b"x"}
    left |= {"target/manifest.json": b"{}", "views.duckdb": b"x"} if tool == "dbt" else {}
    for name, content in left.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
    account.invoke("export", tool, str(folder))
    assert contents(folder) == first | left


@pytest.mark.quick(2)
@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("foreign", ["dbt_project.yml", "models/mine.sql", "metadata.yaml", "link", "mine.zip"])
def test_a_folder_of_others_stays_as_it_is(account: Account, tmp_path: Path, tool: str, foreign: str) -> None:
    path = tmp_path / "out" / foreign
    path.parent.mkdir(parents=True)
    if foreign == "link":
        (tmp_path / "elsewhere").write_text("theirs")
        path.symlink_to(tmp_path / "elsewhere")
    else:
        path.write_text("name: theirs\n")
    before = contents(tmp_path)
    account.invoke("export", tool, str(tmp_path / "out"), code=2)
    assert contents(tmp_path) == before


@pytest.mark.exhaustive
def test_a_persons_copy_of_a_file_of_ours_stays(account: Account, tmp_path: Path) -> None:
    account.invoke("export", "dbt", str(tmp_path))
    (tmp_path / "models" / "mine.sql").write_bytes((tmp_path / "models" / "emissions.sql").read_bytes())
    before = contents(tmp_path)
    account.invoke("export", "dbt", str(tmp_path), code=2)
    assert contents(tmp_path) == before


@pytest.mark.exhaustive
def test_what_is_written_in_part_is_said_and_written_whole_the_next_time(account: Account, tmp_path: Path) -> None:
    with disk_full_for("semantic_models.yml"):
        assert account.invoke("export", "dbt", str(tmp_path), code=3) == ""
    account.invoke("export", "dbt", str(tmp_path))
    account.invoke("export", "dbt", str(tmp_path / "new"))
    whole = contents(tmp_path / "new")
    assert {name: content for name, content in contents(tmp_path).items() if not name.startswith("new/")} == whole


@pytest.mark.exhaustive
def test_the_folder_of_another_tool_is_not_ours(account: Account, tmp_path: Path) -> None:
    account.invoke("export", "dbt", str(tmp_path / "out"))
    before = contents(tmp_path)
    account.invoke("export", "superset", str(tmp_path / "out"), code=2)
    assert contents(tmp_path) == before


@pytest.mark.quick(2)
@pytest.mark.parametrize(
    "words",
    [("dbt",), ("superset",), ("report.xlsx", "out"), ("tableau", "out"), ("dbt", "file"), ("superset", "file/below")],
)
def test_what_cannot_be_written_is_said_in_one_line(account: Account, tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "file").write_text("theirs")
    account.invoke("export", *words, code=2)
    assert contents(tmp_path) == {"file": b"theirs"}


def test_the_path_is_absolute_and_fits_everywhere() -> None:
    told = dbt.dbt_files(Path("data/../data/dcycle_warehouse.duckdb"))["profiles.yml"]
    assert f"path: {Path.cwd()}/data/dcycle_warehouse.duckdb".encode() in told
    for files_of in (dbt.dbt_files, superset.superset_files):
        for name in ("what?", "it's", "{{ now() }}", "100%", "two\nlines"):
            with pytest.raises(SettingsError, match="Move the data folder"):
                files_of(Path(name) / "dcycle_warehouse.duckdb")


@pytest.mark.exhaustive
def test_two_data_folders_are_two_databases(account: Account) -> None:
    one, other = (
        Exported(account, superset.superset_files(Path(f"/{name}/dcycle_warehouse.duckdb"))).values
        for name in ("one", "other")
    )
    for path in one.keys() - {"metadata.yaml"}:
        assert one[path]["uuid"] != other[path]["uuid"]
    assert one["databases/dcycle.yaml"]["database_name"] != other["databases/dcycle.yaml"]["database_name"]


@pytest.mark.quick(1)
@pytest.mark.parametrize("tool", TOOLS)
def test_without_a_publication_it_says_what_to_do(account: Account, tmp_path: Path, tool: str) -> None:
    nothing = Account(account.world, account.environment | {"DCYCLE_DATA_DIR": str(tmp_path / "none")}, account.api_key)
    nothing.invoke("export", tool, str(tmp_path / "out"), code=3)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("query", [relations.EMISSIONS_WITH_NAMES, relations.YEAR_ON_YEAR_WITH_NAMES])
def test_numbers_of_our_queries_say_what_their_sum_is(query: Table) -> None:
    def said(column: Column) -> bool:
        return column.is_number == (column.additivity is not None)

    assert all(map(said, query.columns))
