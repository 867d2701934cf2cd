"""Turns landed year totals into rows of `dcycle`. A total that cannot be understood is quarantined; no row is ever deleted here.

Which years are asked for belongs to `sync`.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
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
from dcycle_pipeline.warehouse.arrow_view import arrow_view
from dcycle_pipeline.warehouse.database import replace_changed_rows, transaction
from dcycle_pipeline.warehouse.decode import QuarantinedItem


def merge_year_totals(
    connection: duckdb.DuckDBPyConnection, sweeps: Sequence[SweepManifest], landing: Path
) -> list[list[ListResult]]:
    """Write the rows of the years that were answered, and note the results and what was not understood, all or nothing.

    The sweeps are of one run and endpoint; `landing` is the folder of landed pages. Returns the results of each sweep, with their
    counts of quarantined items. Raises UnavailableError if a landed file is not whole.
    """
    read = [_read(sweep.results, landing) for sweep in sweeps]
    rows = [row for found, _ in read for row in found]
    counts = Counter(item.result.key for _, quarantined in read for item in quarantined)
    results = [[replace(one, quarantined_count=counts[one.key]) for one in sweep.results] for sweep in sweeps]
    answered = ", ".join(f"({quoted(organization)}, {year})" for organization, year, *_ in rows)
    moments = [sweep.merged_at for sweep in sweeps]
    with transaction(connection):
        if rows:
            with arrow_view(connection, "fresh_totals", TOTAL_IMPACTS, rows):
                within = f"(organization_id, year) IN ({answered})"
                replace_changed_rows(connection, TOTAL_IMPACTS, "SELECT * FROM fresh_totals", within)
        run_log.record_lists(connection, sweeps[0].run_id, list(zip(moments, results, strict=True)))
        where = [(sweep.run_id, sweep.organization_id, sweep.endpoint) for sweep in sweeps]
        items = zip(moments, (quarantined for _, quarantined in read), strict=True)
        run_log.record_quarantine(connection, dict(zip(where, items, strict=True)))
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
