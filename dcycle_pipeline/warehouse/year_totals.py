"""Turns landed year totals into rows of `dcycle`. A total that cannot be understood is quarantined; no row is ever deleted here.

Which years are asked for belongs to `sync`.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import msgspec

from dcycle_pipeline.endpoints.total_impacts import TOTAL_IMPACTS, TotalImpacts, kilograms, problem
from dcycle_pipeline.landing.landed_file import page_items
from dcycle_pipeline.landing.lists import ListResult
from dcycle_pipeline.landing.manifest import SweepManifest
from dcycle_pipeline.schema import quoted
from dcycle_pipeline.warehouse import run_log
from dcycle_pipeline.warehouse.arrow import exact
from dcycle_pipeline.warehouse.database import replace_changed_rows, transaction
from dcycle_pipeline.warehouse.decode import QuarantinedItem


def merge_year_totals(connection: duckdb.DuckDBPyConnection, sweep: SweepManifest, landing: Path) -> list[ListResult]:
    """Write the rows of the years that were answered, and note the results and what was not understood, all or nothing.

    `landing` is the folder of landed pages. Returns the results, with their counts of quarantined items. Raises UnavailableError
    if a landed file is not whole.
    """
    rows, quarantined = _read(sweep.results, landing)
    counts = Counter(item.result.key for item in quarantined)
    results = [replace(result, quarantined_count=counts[result.key]) for result in sweep.results]
    years = ", ".join(str(row[1]) for row in rows) or "NULL"
    within = f"organization_id = {quoted(sweep.organization_id)} AND year IN ({years})"
    with transaction(connection):
        with run_log.arrow_view(connection, "fresh_totals", TOTAL_IMPACTS, rows):
            replace_changed_rows(connection, TOTAL_IMPACTS, "SELECT * FROM fresh_totals", within)
        run_log.record_lists(connection, sweep.run_id, results, sweep.merged_at)
        where = sweep.run_id, sweep.organization_id, sweep.endpoint
        run_log.record_quarantine(connection, where, quarantined, sweep.merged_at)
    return results


def _read(results: list[ListResult], landing: Path) -> tuple[list[tuple[Any, ...]], list[QuarantinedItem]]:
    rows, quarantined = [], []
    for result, raw in _answers(results, landing):
        year = str(result.key.year)
        try:
            rows.append(_row(raw, result.key.organization_id, year))
        except (msgspec.ValidationError, ValueError, ArithmeticError) as error:
            reason = str(error) or f"its numbers cannot be calculated with: {type(error).__name__}"
            quarantined.append(QuarantinedItem(result, year, 1, 0, reason, raw.decode()))
    return rows, quarantined


def _answers(results: list[ListResult], landing: Path) -> Iterator[tuple[ListResult, bytes]]:
    for result in results:
        if result.landed_file:
            for _, raw in page_items(landing / result.landed_file):
                yield result, raw


def _row(raw: bytes, organization_id: str, year: str) -> tuple[Any, ...]:
    """The row of an answer. Raises ValidationError, ValueError or ArithmeticError with the reason if it cannot be understood."""
    item = msgspec.json.decode(raw, type=TotalImpacts)
    if reason := problem(item, organization_id, year):
        raise ValueError(reason)
    quantities = (exact(amount, "total_co2e or a part of it") for amount in kilograms(item))
    as_sent = exact(item.total_co2e, "total_co2e") if item.total_co2e is not None else None
    return (organization_id, int(year), *quantities, item.unit, as_sent)
