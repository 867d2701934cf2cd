"""Landed year totals become rows of `dcycle`; what cannot be understood is set aside. Nothing here deletes a row."""

from collections.abc import Iterator
from typing import Any

import duckdb
import msgspec

from dcycle_pipeline.endpoints.total_impacts import TOTAL_IMPACTS, TotalImpacts, kilograms, problem
from dcycle_pipeline.landing.fetch import Swept
from dcycle_pipeline.landing.files import lines
from dcycle_pipeline.landing.manifest import LandedSweep
from dcycle_pipeline.schema import quoted
from dcycle_pipeline.warehouse import run_log
from dcycle_pipeline.warehouse.arrow import exact
from dcycle_pipeline.warehouse.database import follow, transaction
from dcycle_pipeline.warehouse.decode import BadItem
from dcycle_pipeline.warehouse.run_log import ScopeRecord


class _Page(msgspec.Struct):
    items: list[msgspec.Raw]


def settle_totals(connection: duckdb.DuckDBPyConnection, sweep: LandedSweep, swept: list[Swept]) -> list[ScopeRecord]:
    """Bring the rows of the years that were read in step, and note what was not read or not understood, all or nothing.

    Raises UnavailableError where a landed file is not whole.
    """
    rows, bad = _read(swept)
    records = [ScopeRecord(one, quarantined_count=sum(item.swept is one for item in bad)) for one in swept]
    years = ", ".join(str(row[1]) for row in rows) or "NULL"
    within = f"organization_id = {quoted(sweep.organization_id)} AND year IN ({years})"
    with transaction(connection):
        with run_log.arrow_view(connection, "fresh_totals", TOTAL_IMPACTS, rows):
            follow(connection, TOTAL_IMPACTS, "SELECT * FROM fresh_totals", within)
        run_log.record_scopes(connection, sweep.run_id, records, sweep.settled_at)
        where = sweep.run_id, sweep.organization_id, sweep.endpoint
        run_log.record_quarantine(connection, where, bad, sweep.settled_at)
    return records


def _read(swept: list[Swept]) -> tuple[list[tuple[Any, ...]], list[BadItem]]:
    rows, bad = [], []
    for one, raw in _answers(swept):
        year = one.scope.scope_id or ""
        try:
            rows.append(_row(raw, one.scope.organization_id, year))
        except (msgspec.ValidationError, ValueError, ArithmeticError) as error:
            reason = str(error) or f"its numbers cannot be calculated with: {type(error).__name__}"
            bad.append(BadItem(one, year, 1, 0, reason, raw.decode()))
    return rows, bad


def _answers(swept: list[Swept]) -> Iterator[tuple[Swept, bytes]]:
    for one in swept:
        for line in lines(one.path) if one.path else ():
            for raw in msgspec.json.decode(line, type=_Page).items:
                yield one, bytes(raw)


def _row(raw: bytes, organization_id: str, year: str) -> tuple[Any, ...]:
    """The row of an answer. Raises ValidationError, ValueError or ArithmeticError with the reason where there is none."""
    item = msgspec.json.decode(raw, type=TotalImpacts)
    if reason := problem(item, organization_id, year):
        raise ValueError(reason)
    quantities = (exact(amount, "total_co2e or a part of it") for amount in kilograms(item))
    as_sent = exact(item.total_co2e, "total_co2e") if item.total_co2e is not None else None
    return (organization_id, int(year), *quantities, item.unit, as_sent)
