"""What Superset imports: the published file as a database that is only read, its tables as datasets, and the figures as metrics."""

import io
from collections.abc import Iterator
from pathlib import Path
from uuid import NAMESPACE_URL, UUID, uuid5
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from dcycle_pipeline.export.folder import Yaml, as_yaml, mark_of, path_for_tools
from dcycle_pipeline.export.metrics import OF_EMISSIONS, OF_YEAR_ON_YEAR, Metric, sums_of
from dcycle_pipeline.export.relations import EMISSIONS_WITH_NAMES, YEAR_ON_YEAR_WITH_NAMES, drawn_tables
from dcycle_pipeline.schema import Column, Table
from dcycle_pipeline.summaries.bi import BI_EMISSIONS

MARK = mark_of("superset")
ARCHIVE = "dcycle_superset.zip"
_VERSION = "1.0.0"  # of Superset's format
# Queries of ours, which Superset calls virtual datasets: it cannot join what is in two tables.
_QUERIES = (EMISSIONS_WITH_NAMES, YEAR_ON_YEAR_WITH_NAMES)
_METRICS = {
    BI_EMISSIONS.qualified: OF_EMISSIONS,
    EMISSIONS_WITH_NAMES.qualified: OF_EMISSIONS,
    YEAR_ON_YEAR_WITH_NAMES.qualified: OF_YEAR_ON_YEAR,
}
_FIGURES = ("DECIMAL", "BIGINT")  # an INTEGER is a name: a year, a line, a depth
_MOMENTS = ("DATE", "TIMESTAMP")
_FIRST_MOMENT = (1980, 1, 1, 0, 0, 0)  # the oldest that a ZIP file knows: the same content gives the same file


def superset_files(published: Path) -> dict[str, bytes]:
    """The files of the import by their path, and the same as one archive. Raises SettingsError if the path does not fit into a URL."""
    path = path_for_tools(published)
    database = uuid5(NAMESPACE_URL, f"duckdb:{path}")
    files = {
        "metadata.yaml": as_yaml({"version": _VERSION, "type": "SqlaTable"}, MARK),
        "databases/dcycle.yaml": as_yaml(_database(path, database), MARK),
    }
    for table in (*drawn_tables(), *_QUERIES):
        files[f"datasets/dcycle/{table.schema}_{table.name}.yaml"] = as_yaml(_dataset(table, database), MARK)
    return files | {ARCHIVE: _archive(files)}


def _archive(files: dict[str, bytes]) -> bytes:
    held = io.BytesIO()
    with ZipFile(held, "w", ZIP_DEFLATED) as archive:
        for name, content in files.items():
            # Superset takes what is in the one folder at the top.
            archive.writestr(ZipInfo(f"dcycle_superset/{name}", _FIRST_MOMENT), content, ZIP_DEFLATED)
    return held.getvalue()


def _database(path: str, identity: UUID) -> Yaml:
    return {
        # Superset takes two databases of one name for the same, so the folder is part of it.
        "database_name": f"Dcycle {Path(path).parent}",
        "sqlalchemy_uri": f"duckdb:///{path}?access_mode=read_only",
        "cache_timeout": None,
        "expose_in_sqllab": True,
        "allow_run_async": False,
        "allow_ctas": False,
        "allow_cvas": False,
        "allow_dml": False,
        "allow_csv_upload": False,
        "extra": {"allows_virtual_table_explore": True},
        "uuid": str(identity),
        "version": _VERSION,
    }


def _dataset(table: Table, database: UUID) -> Yaml:
    dated = [column.name for column in table.columns if column.name in table.key and column.type.startswith(_MOMENTS)]
    return {
        "table_name": table.name,
        "schema": table.schema,
        "sql": next((query.query for query in _QUERIES if query == table), None),
        "description": table.comment,
        "main_dttm_col": dated[0] if dated else None,
        "filter_select_enabled": True,
        "metrics": [*_sums(table), *_ruled(_METRICS.get(table.qualified, ())), *_single(table)],
        "columns": [_column(table, column) for column in table.columns],
        "uuid": str(uuid5(database, table.qualified)),
        "database_uuid": str(database),
        "version": _VERSION,
    }


def _column(table: Table, column: Column) -> Yaml:
    adds = column.additivity in (None, "sum")
    return {
        "column_name": column.name,
        "type": column.type,
        "is_dttm": column.type.startswith(_MOMENTS),
        "groupby": not column.type.startswith(_FIGURES),
        "filterable": True,
        "description": table.comment_of(column),
        "extra": {} if adds else {"warning_markdown": f"{table.adds_up(column)}."},
    }


def _sums(table: Table) -> Iterator[Yaml]:
    for measure in sums_of(table):
        yield _metric(measure.name, measure.sql, f"{measure.meaning}. Unit: {measure.unit}.")


def _ruled(metrics: tuple[Metric, ...]) -> Iterator[Yaml]:
    for metric in metrics:
        found = _metric(metric.name, metric.sql, f"{metric.meaning}. Unit: {metric.unit}.")
        yield found | {"d3format": ".1%"} if metric.is_share else found


def _single(table: Table) -> Iterator[Yaml]:
    """What never adds up can still be drawn: as the figure of one row, and as nothing where several rows stand behind it."""
    for column in table.columns:
        if column.additivity in ("none", "latest") and column.type.startswith(_FIGURES):
            value = f"CASE WHEN count(*) = 1 THEN max({column.name}) END"
            said = f"Of one row: null where several stand behind it. {table.comment_of(column)}"
            yield _metric(f"single_{column.name}", value, said)


def _metric(name: str, expression: str, description: str) -> Yaml:
    return {"metric_name": name, "expression": expression, "description": description}
