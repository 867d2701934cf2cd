"""Declares the tables of `history`, which hold every version of every row, and the views and macros that follow from them.

The current tables (`dcycle.*`) are views over the versions that are valid now. Writing versions belongs to `merge`.
"""

from dataclasses import replace

from dcycle_pipeline.endpoints.declaration import Endpoint, MultiValue
from dcycle_pipeline.schema import Column, Macro, Table, View, quoted
from dcycle_pipeline.warehouse import run_tables

OURS = "dcycle_pipeline"
CHANGES = ("new", "edited", "recalculated", "settled", "unlisted", "deleted", "restored")
VALID_NOW = "valid_to IS NULL"
FIRST_SEEN = Column("first_seen_at", "TIMESTAMPTZ", "When a sweep first saw the row", OURS, stamp="first_seen")
VALID_FROM = Column(
    "valid_from",
    "TIMESTAMPTZ",
    "Moment from which we knew this version: when the sweep that saw it was merged",
    OURS,
    stamp="valid_from",
)
VALID_TO = Column(
    "valid_to",
    "TIMESTAMPTZ",
    "Moment from which we knew better; null if the version is current. A deletion is valid at no moment: valid_to is valid_from",
    OURS,
    stamp="valid_to",
)
CHANGE = Column(
    "change",
    "VARCHAR",
    "What the version changed: new, edited (an activity field), recalculated (emission fields only), settled (pending to "
    "calculated), unlisted (the list no longer shows the row, but the API still has it by its id), deleted (confirmed by the API, "
    "moved to another organisation, or decided by a person; the last values) or restored",
    OURS,
)
RUN = Column("run_id", "VARCHAR", "Run whose landed pages hold the version", OURS, stamp="origin")
PAGE = Column(
    "page",
    "BIGINT",
    "Landed page of the list that holds it; null for a deletion",
    OURS,
    "1",
    stamp="origin",
    additivity="none",
)

DECIDED_BY = Column(
    "decided_by",
    "VARCHAR",
    "Person who decided a deletion that the API does not confirm; else null",
    OURS,
    stamp="origin",
)
DECISION_REASON = Column("decision_reason", "VARCHAR", "Why that person decided so", OURS, stamp="origin")


def of_versions(columns: tuple[Column, ...]) -> tuple[Column, ...]:
    """Columns of a table of versions. What adds up over rows is in several versions, and in each publication once more."""
    return tuple(replace(c, additivity="latest") if c.additivity == "sum" else c for c in columns)


def versions(endpoint: Endpoint) -> Table:
    """The table of an endpoint's versions: its content, lists as one column each, and when and how we came to know the version."""
    lists = tuple(multi_value.column for multi_value in endpoint.multi_values)
    return Table(
        "history",
        endpoint.table.name,
        f"One row per version of a row of {endpoint.table.qualified}, the current one included",
        (*endpoint.table.key, "valid_from"),
        (
            *of_versions(endpoint.table.content),
            *lists,
            FIRST_SEEN,
            VALID_FROM,
            VALID_TO,
            CHANGE,
            RUN,
            PAGE,
            DECIDED_BY,
            DECISION_REASON,
        ),
        endpoint.table.source,
    )


def current(endpoint: Endpoint) -> tuple[View, ...]:
    """The tables of `dcycle` that an endpoint fills, as views over the versions that are valid now."""
    stored = versions(endpoint).qualified
    columns = ", ".join(_current_column(endpoint, column) for column in endpoint.table.columns)
    main = _view(endpoint.table, f"SELECT {columns} FROM {stored} AS version WHERE {VALID_NOW}")
    return (main, *(_multi_value_view(stored, multi_value) for multi_value in endpoint.multi_values))


def _current_column(endpoint: Endpoint, column: Column) -> str:
    if column.stamp == "last_changed":
        return f"valid_from AS {column.name}"
    if column.stamp == "last_seen":
        last = f"SELECT max(finished_at) FROM sync.lists AS list WHERE list.endpoint = '{endpoint.name}' AND outcome = 'proven'"
        return f"({last} AND list.organization_id = version.organization_id) AS {column.name}"
    return column.name


def _multi_value_view(stored: str, multi_value: MultiValue) -> View:
    *key, element = multi_value.table.names()
    query = f"SELECT {', '.join(key)}, unnest({multi_value.column.name}) AS {element} FROM {stored} WHERE {VALID_NOW}"
    return _view(multi_value.table, query)


def current_of(table: Table, stored: Table) -> View:
    """A table as a view over those of its versions that are valid now. `stored` is the table of versions."""
    return _view(table, f"SELECT {', '.join(table.names())} FROM {stored.qualified} WHERE {VALID_NOW}")


def _view(table: Table, query: str) -> View:
    return View(table.schema, table.name, table.grain, table.key, table.columns, table.source, query)


def valid_at(moment: str, of: str = "") -> str:
    """An SQL condition: the version was valid at `moment`, an SQL expression. `of` is the relation's name with its dot, if needed."""
    return f"{of}valid_from <= {moment} AND ({of}valid_to IS NULL OR {moment} < {of}valid_to)"


def as_of(stored: Table, publishing_run_id: str | None = None) -> Macro:
    """A macro that gives what a table said at a moment: the versions that were valid then.

    DuckDB looks for the table in the database in `USE`. With the run that publishes the file, the macro fails anywhere else.
    """
    own = "true" if publishing_run_id is None else _is_own(stored, publishing_run_id)
    return Macro(
        stored.schema,
        f"{stored.name}_as_of",
        "moment",
        f"Rows of {stored.qualified} that were valid at a moment, e.g. FROM {stored.qualified}_as_of((SELECT min(published_at) FROM sync.runs))",
        f"SELECT * FROM {stored.qualified} WHERE {valid_at('moment')} AND {own}",
    )


def _is_own(stored: Table, run_id: str) -> str:
    """An SQL condition that fails unless the database in `USE` is the file that the run published."""
    advice = f"{stored.qualified}_as_of reads the database in USE, and that is not the one that holds it: say USE first"
    return f"""(SELECT CASE WHEN arg_max(run_id, published_at) IS NOT DISTINCT FROM {quoted(run_id)} THEN true
        ELSE error({quoted(advice)}) END FROM sync.runs)"""


def as_published(stored: Table) -> View:
    """A view that gives the same for every moment of publication, for tools that know tables only."""
    published = Column("published_at", "TIMESTAMPTZ", "Publication that said so", "sync.runs", stamp="origin")
    query = (
        f"SELECT run.published_at, version.* FROM {stored.qualified} AS version JOIN sync.runs AS run "
        f"ON {valid_at('run.published_at', 'version.')} WHERE run.outcome IN {run_tables.PUBLISHED}"
    )
    return View(
        stored.schema,
        f"{stored.name}_as_published",
        f"One row per publication and version of {stored.qualified} that was valid then: what the publication said. Filter on published_at",
        ("published_at", *stored.key[:-1]),
        (published, *stored.columns),
        stored.source,
        query,
    )
