"""A dbt project over the published file: sources with tests, models that MetricFlow draws from, and the figures as metrics.

dbt attaches the published file read-only and writes its views into a database of its own in the project's folder.
"""

import re
from pathlib import Path

from dcycle_pipeline.export.dbt_semantics import semantic_models
from dcycle_pipeline.export.folder import Yaml, as_sql, as_yaml, mark_of, path_for_tools
from dcycle_pipeline.export.relations import BI_TABLES, CATALOG, YEAR_ON_YEAR, drawn_tables
from dcycle_pipeline.publish.catalog import all_tables, copied_tables
from dcycle_pipeline.schema import Column, Table

MARK = mark_of("dbt")
_VIEWS = "views.duckdb"
# What dbt leaves in its project.
LEFT_BY_DBT = ("target", "logs", "dbt_packages", "package-lock.yml", ".user.yml", _VIEWS, f"{_VIEWS}.wal")
_SCHEMAS = {
    "bi": "Figures for tools: a star whose numbers all add up",
    "dcycle": "What Dcycle says now",
    "history": "Every version of every row",
    "summaries": "What follows from the rows: emissions, coverage, restatements, data quality",
    "sync": "What the pipeline itself did",
}
_TIME_SPINE = "time_spine"
_DAYS = """SELECT unnest(generate_series(min(month), max(last_day), INTERVAL 1 DAY))::DATE AS day
FROM {{ source('bi', 'dates') }}"""
_UNIQUE = """{% test unique_rows(model, columns) %}
SELECT {{ columns | join(', ') }} FROM {{ model }} GROUP BY ALL HAVING count(*) > 1
{% endtest %}"""


def dbt_files(published: Path) -> dict[str, bytes]:
    """The files of the project by their path. Raises SettingsError if dbt cannot take the path of the published file."""
    files = {
        "dbt_project.yml": as_yaml(_PROJECT, MARK),
        "profiles.yml": as_yaml(_profiles(path_for_tools(published)), MARK),
        "tests/generic/unique_rows.sql": as_sql(_UNIQUE, MARK),
        "models/models.yml": as_yaml({"version": 2, "models": _models(), "exposures": [_exposure()]}, MARK),
        "models/semantic_models.yml": as_yaml(semantic_models(), MARK),
        f"models/{YEAR_ON_YEAR.name}.sql": as_sql(re.sub(r"\bbi\.(\w+)", _source, YEAR_ON_YEAR.query), MARK),
    }
    files[f"models/{_TIME_SPINE}.sql"] = as_sql(_DAYS, MARK)
    for table in BI_TABLES.values():
        files[f"models/{table.name}.sql"] = as_sql(
            f"SELECT * FROM {{{{ source('{table.schema}', '{table.name}') }}}}", MARK
        )
    for schema in _SCHEMAS:
        files[f"models/sources/{schema}.yml"] = as_yaml({"version": 2, "sources": [_schema(schema)]}, MARK)
    return files


def _source(found: re.Match[str]) -> str:
    return f"{{{{ source('bi', '{found[1]}') }}}}"


_PROJECT: Yaml = {
    "name": "dcycle",
    "version": "1.0.0",
    "profile": "dcycle",
    "require-dbt-version": ">=1.10.5",
    "flags": {"require_generic_test_arguments_property": True, "send_anonymous_usage_stats": False},
    "models": {"dcycle": {"+materialized": "view"}},
}


def _profiles(path: str) -> Yaml:
    attached = {"path": path, "alias": CATALOG, "read_only": True}
    output = {"type": "duckdb", "path": _VIEWS, "threads": 1, "attach": [attached]}
    return {"dcycle": {"target": "published", "outputs": {"published": output}}}


def _schema(schema: str) -> Yaml:
    return {
        "name": schema,
        "database": CATALOG,
        "schema": schema,
        "description": f"{_SCHEMAS[schema]}.",
        "tables": [_table(table) for table in all_tables() if table.schema == schema],
    }


def _table(table: Table) -> Yaml:
    found: Yaml = {
        "name": table.name,
        "description": table.comment,
        "config": {"meta": {"key": list(table.key)}},
        "columns": [_column(table, column) for column in table.columns],
    }
    # The views by publication say each version again for each publication: to test them takes long and says nothing new.
    if len(table.key) > 1 and table in copied_tables():
        found["data_tests"] = [{"unique_rows": {"arguments": {"columns": list(table.key)}}}]
    return found


def _column(table: Table, column: Column) -> Yaml:
    meta = {"unit": column.unit, "additivity": column.additivity, "adds_up": table.adds_up(column) or None}
    found: Yaml = {"name": column.name, "description": table.comment_of(column), "data_type": column.type}
    if said := {name: value for name, value in meta.items() if value}:
        found["config"] = {"meta": said}
    if table in copied_tables() and (tests := _tests(table, column)):
        found["data_tests"] = tests
    return found


def _tests(table: Table, column: Column) -> list[object]:
    tests: list[object] = []
    # A part of a longer key may be null: its meaning says for what.
    if column.references or table.key == (column.name,):
        tests.append("not_null")
    if table.key == (column.name,):
        tests.append("unique")
    if column.references:
        schema, name, field = column.references.split(".")
        tests.append({"relationships": {"arguments": {"to": f"source('{schema}', '{name}')", "field": field}}})
    return tests


def _models() -> list[Yaml]:
    days: Yaml = {
        "name": _TIME_SPINE,
        "description": "One row per day of the months in bi.dates: MetricFlow wants it, also where nothing is by day",
        "time_spine": {"standard_granularity_column": "day"},
        "columns": [{"name": "day", "granularity": "day"}],
    }
    drawn = (*BI_TABLES.values(), YEAR_ON_YEAR)
    models: list[Yaml] = [{"name": table.name, "description": table.comment} for table in drawn]
    return [*models, days]


def _exposure() -> Yaml:
    drawn = [f"source('{table.schema}', '{table.name}')" for table in drawn_tables()]
    return {
        "name": "superset",
        "label": "Superset",
        "type": "dashboard",
        "description": "The datasets that `dcycle-pipeline export superset` writes.",
        "owner": {"name": "dcycle_pipeline"},
        "depends_on": drawn,
    }
