"""What Dagster shows of a publication, whoever made it: of a summary, of the published file, and of the report.

Where it is, its figures, numbers that plot, and what is missing by name.
"""

from typing import Any

import dagster as dg
import duckdb

from dcycle_pipeline.orchestration.previews import rows_of, shown, table_facts
from dcycle_pipeline.orchestration.step import PUBLISHED_FILE
from dcycle_pipeline.publish.checks import DESTINATIONS_REACHED, Finding
from dcycle_pipeline.report.writing import Report
from dcycle_pipeline.summaries.declaration import Summary
from dcycle_pipeline.sync.publication import Publication, earlier_lists
from dcycle_pipeline.sync.readings import LEFT_OUT, working_readings
from dcycle_pipeline.text import plain
from dcycle_pipeline.warehouse import run_log
from dcycle_pipeline.warehouse.deliveries import DELIVERED
from dcycle_pipeline.warehouse.last_sweeps import UNPROVEN_LISTS

EMISSIONS_REPORT = "emissions_report"
NONE = "none"
COUNTS = ("requests_count", "rows_count", "lists_proven_count", "lists_unproven_count", "quarantined_count")
LAST_RUNS = f"""SELECT published_at, outcome,
    {", ".join(COUNTS)}
FROM sync.runs WHERE published_at IS NOT NULL ORDER BY published_at DESC LIMIT 7"""
BY_YEAR = """SELECT o.name AS organization, y.year, round(y.co2e_kg / 1000, 3) AS co2e_t, y.pending_record_count AS pending,
    y.covered_days, y.due_days
FROM summaries.emissions_by_organization_year AS y JOIN dcycle.organizations AS o USING (organization_id)
ORDER BY y.year DESC, y.co2e_kg DESC NULLS LAST LIMIT 20"""
_TOTALS = """SELECT sum(co2e_kg)::DOUBLE AS co2e_kg, sum(co2e_biomass_kg)::DOUBLE AS co2e_biomass_kg,
    sum(water_in_m3)::DOUBLE AS water_in_m3, (SELECT sum(pending_record_count) FROM summaries.data_quality) AS pending_record_count
FROM summaries.emissions_by_organization_year"""
_MISSING = f"""SELECT coalesce(o.name, 'unknown') AS organization, endpoint, outcome, count(*) AS lists,
    array_to_string(list(coalesce(f.name, found.facility_id) ORDER BY f.name)[:3], '; ') AS facilities, found.organization_id
FROM ({UNPROVEN_LISTS}) AS found LEFT JOIN dcycle.organizations AS o USING (organization_id)
LEFT JOIN dcycle.facilities AS f USING (organization_id, facility_id)
GROUP BY ALL ORDER BY ALL LIMIT 20"""


def summary_facts(connection: duckdb.DuckDBPyConnection, summary: Summary, rows_changed: int) -> dict[str, Any]:
    """Metadata of a summary: its totals, its rows, and how many rows changed in all summaries."""
    totals = _totals(connection, summary)
    return {**totals, "rows_changed_in_all_summaries": rows_changed, **table_facts(connection, summary)}


def _totals(connection: duckdb.DuckDBPyConnection, summary: Summary) -> dict[str, Any]:
    never = [column.name for column in summary.columns if column.additivity == "none"]
    quantities = [name for conserved in summary.conserves for name in conserved.columns if name not in never]
    if not quantities:
        return {}
    sums = ", ".join(f"coalesce(sum({name}), 0)::DOUBLE" for name in quantities)
    values = connection.execute(f"SELECT {sums} FROM {summary.qualified}").fetchall()[0]
    return dict(zip(quantities, values, strict=True))


def published_facts(connection: duckdb.DuckDBPyConnection, run_id: str, publication: Publication) -> dict[str, Any]:
    """Metadata of the published file. Numbers of the same name are those of `sync.runs`; kg and m3 are sums over all years."""
    facts = run_log.run_facts(connection, run_id)
    completed = facts["completes_run_id"]
    first = run_log.run_facts(connection, completed) if completed else facts  # what that one read is not older
    sent = [f"{each.destination} {each.outcome}" for each in publication.sendings]
    (totals,) = rows_of(connection, _TOTALS)
    left_out = [each for each in working_readings(connection) if each.how_much == LEFT_OUT]
    return {
        "left_out": plain("; ".join(f"{each.organization}: {each.what}" for each in left_out)) or "nobody",
        "read_earlier": str(earlier_lists(connection, first["started_at"]) or NONE),
        "report": dg.MetadataValue.asset(dg.AssetKey(EMISSIONS_REPORT)),
        "outcome": publication.outcome,
        **{name: value for name, value in totals.items() if value is not None},
        **{name: facts[name] for name in COUNTS},
        "run_duration_s": (facts["published_at"] - facts["started_at"]).total_seconds(),
        "size_bytes": publication.snapshot.stat().st_size,
        "content_changed": publication.content_changed,
        "content_hash": publication.content_hash,
        "destinations": ", ".join(sent) or NONE,
        "path": dg.MetadataValue.path(str(publication.file)),
        "unproven_lists": shown(missing) if (missing := rows_of(connection, _MISSING)) else NONE,
        "emissions": shown(rows_of(connection, BY_YEAR)),
    }


def report_facts(written: Report) -> dict[str, Any]:
    """Metadata of the report, with its monthly lines as a picture."""
    return {
        "path": dg.MetadataValue.path(str(written.file)),
        "size_bytes": written.size_bytes,
        "published_by_run": written.run_id,
        "content_hash": written.content_hash,
        "monthly_emissions": dg.MetadataValue.md(written.picture or "No month has a record."),
    }


def reached(publication: Publication) -> Finding:
    """Whether each destination that is set got the publication."""
    missed = [f"{each.destination}: {each.reason}" for each in publication.sendings if each.outcome != DELIVERED]
    delivered = ", ".join(each.destination for each in publication.sendings)
    said = "; ".join(missed) or (f"delivered to {delivered}" if delivered else "no destination is set")
    return Finding(PUBLISHED_FILE, DESTINATIONS_REACHED, not missed, False, said)
