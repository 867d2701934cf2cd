"""Says what of the file is content, in the form in which it is hashed: the same content keeps its hash when its tables change form.

Hashing it belongs to `warehouse`, noting the hash to `record`.
"""

from dataclasses import replace

from dcycle_pipeline import summaries
from dcycle_pipeline.endpoints.organizations import ORGANIZATIONS
from dcycle_pipeline.publish.catalog import totals_tables, versioned_tables
from dcycle_pipeline.schema import Table, View
from dcycle_pipeline.summaries.bi import ORGANIZATION_NAMES
from dcycle_pipeline.summaries.declaration import Summary
from dcycle_pipeline.summaries.months import EMISSIONS_BY_ORGANIZATION_MONTH
from dcycle_pipeline.summaries.trees import TREE_EMISSIONS_BY_MONTH, TREE_EMISSIONS_BY_YEAR
from dcycle_pipeline.summaries.twice import LISTED_TWICE
from dcycle_pipeline.summaries.years import EMISSIONS_BY_COUNTRY_YEAR, EMISSIONS_BY_ORGANIZATION_YEAR

_REASON = "year_on_year_reason"
_CHANGE = "co2e_kg_year_on_year"
_COMPARED = ("co2e_kg", "covered_days", "due_days", "pending_record_count")
_BEFORE = ", ".join(f"before.{name}" for name in _COMPARED)


def content_tables() -> tuple[Table, ...]:
    """The tables that hold all content. Every other one is a view over them or says what the pipeline did."""
    trees = (
        _beside(EMISSIONS_BY_ORGANIZATION_MONTH, TREE_EMISSIONS_BY_MONTH),
        _beside(EMISSIONS_BY_ORGANIZATION_YEAR, TREE_EMISSIONS_BY_YEAR),
    )
    of_trees = {
        TREE_EMISSIONS_BY_MONTH.qualified,
        TREE_EMISSIONS_BY_YEAR.qualified,
        *(each.qualified for each in trees),
    }
    # These two follow from the rest; older publications had no such tables, and the same content keeps its hash.
    unhashed = of_trees | {
        LISTED_TWICE.qualified,
        ORGANIZATION_NAMES.qualified,
        *(each.qualified for each in summaries.SUMMARIES if not each.is_content),
    }
    stored = [table for table in summaries.STORED if not isinstance(table, View) and table.qualified not in unhashed]
    derived = [_as_if_whole(table) if table == EMISSIONS_BY_COUNTRY_YEAR else table for table in stored]
    return (ORGANIZATIONS, *totals_tables(), *versioned_tables(), *derived, *trees)


def _as_if_whole(summary: Table) -> View:
    """A summary as it would be if nothing were missing: how the sweeps went is no content, but a missing organisation takes the change away."""
    now = ", ".join(f"now.{name}" for name in _COMPARED)
    reason = f"no_change_reason(now.year, {now}, {_BEFORE})"
    change = f"CASE WHEN {reason} IS NULL THEN ratio(now.co2e_kg - before.co2e_kg, before.co2e_kg) END"
    said = {_REASON: f"{reason} AS {_REASON}", _CHANGE: f"{change} AS {_CHANGE}"}
    same = " AND ".join(f"before.{name} IS NOT DISTINCT FROM now.{name}" for name in summary.key if name != "year")
    query = f"""SELECT {", ".join(said.get(name, f"now.{name}") for name in summary.names(content_only=True))}
    FROM {summary.qualified} AS now LEFT JOIN {summary.qualified} AS before ON {same} AND before.year = now.year - 1"""
    return View(summary.schema, summary.name, summary.grain, summary.key, summary.content, query=query)


def _rows_of(summary: Summary) -> str:
    return f"({_as_if_whole(summary).query})" if _REASON in summary.names() else summary.qualified


def _beside(own: Summary, tree: Summary) -> View:
    """Own figures and those of the tree in one row, as older publications held and hashed them. Only hashing asks this view."""
    _, period = own.key
    of_tree = [column for column in tree.content if column.name not in tree.key]
    columns = [f"tree.tree_organization_id AS organization_id, tree.{period}"]
    columns += [_own_or_none(name, period) for name in own.names(content_only=True) if name not in own.key]
    columns += [f"tree.{column.name} AS with_subsidiaries_{column.name}" for column in of_tree]
    query = f"""SELECT {", ".join(columns)} FROM {_rows_of(tree)} AS tree
    LEFT JOIN {_rows_of(own)} AS own ON own.organization_id = tree.tree_organization_id AND own.{period} = tree.{period}"""
    if _REASON in own.names():
        query += f"""
    LEFT JOIN {own.qualified} AS before ON before.organization_id = tree.tree_organization_id AND before.year = tree.year - 1"""
    prefixed = tuple(replace(column, name=f"with_subsidiaries_{column.name}") for column in of_tree)
    return View(own.schema, own.name, own.grain, own.key, (*own.content, *prefixed), query=query)


def _own_or_none(name: str, period: str) -> str:
    """A figure of an organisation; as it was where only organisations below it have any."""
    if name == _REASON:
        reason = f"no_change_reason(tree.{period}, NULL, NULL, NULL, NULL, {_BEFORE})"
        return f"CASE WHEN own.organization_id IS NULL THEN {reason} ELSE own.{name} END AS {name}"
    return f"coalesce(own.{name}, 0) AS {name}" if name.endswith(("_count", "_days")) else f"own.{name}"
