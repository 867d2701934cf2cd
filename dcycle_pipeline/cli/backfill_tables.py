"""The plan and the comparison of a backfill as lines and tables for people."""

from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

from dcycle_pipeline.cli import console, tables
from dcycle_pipeline.cli.names import named
from dcycle_pipeline.cli.results import tell_gaps
from dcycle_pipeline.sync.clock import in_words
from dcycle_pipeline.sync.naming import with_names
from dcycle_pipeline.sync.plan import Plan
from dcycle_pipeline.sync.preview import INSIDE, Preview
from dcycle_pipeline.text import counted

MOST_MONTHS = 40


def tell_plan(plan: Plan, names: Mapping[str, str]) -> None:
    """What will be asked for, of whom, with how many requests and how long by what the last runs took. `names` are those of ids."""
    holding = [each for each in plan.lists if each.overlapping_count]
    tables.table("Plan", [with_names(row, names) for row in _by_organization(plan)])
    for organization_id, reason in plan.unread:
        console.show(
            f"Not read: facilities of organisation {named(names, organization_id)}: {reason}. Lists of facilities that are not known yet are missing here."
        )
    known = f"{sum(each.overlapping_count for each in holding)}, in {counted(len(holding), 'list')}"
    console.show(
        f"Period {plan.backfill.first_day} to {plan.backfill.last_day}: {counted(len(plan.lists) - plan.landed_count, 'list')} to ask for. Known records "
        f"that overlap it: {known}; new or edited ones may lie in any other."
    )
    if plan.landed_count:
        console.show(
            f"{counted(plan.landed_count, 'list')} landed already, in a run that died, and {'is' if plan.landed_count == 1 else 'are'} taken over."
        )
    if plan.kept_count:
        console.show(
            f"Not asked for, as nobody named their facilities: {counted(plan.kept_count, 'list')}, as last read."
        )
    took = "how long is not known: nothing was read yet" if plan.seconds is None else f"about {_time(plan.seconds)}"
    console.show(f"Requests: {plan.asked_count} for this plan, about {plan.requests_count} to come, {took}.")


def _time(seconds: float) -> str:
    return in_words(timedelta(seconds=seconds))


def _by_organization(plan: Plan) -> list[dict[str, Any]]:
    lists, holding, records, pages = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    for each in plan.lists:
        where = each.key.organization_id
        lists[where] += 1
        holding[where] += bool(each.overlapping_count)
        records[where] += each.overlapping_count
        pages[where] += each.pages_count
    return [
        {
            "organization_id": where,
            "lists": lists[where],
            "hold records of the period": holding[where],
            "records": records[where],
            "pages at the last read": pages[where],
        }
        for where in plan.organization_ids
    ]


def tell_preview(compared: Preview, names: Mapping[str, str]) -> None:
    """What the publication would change, inside the period and outside it, and what it would lack."""
    if compared.since.run_id is None:
        console.show("Nothing was published before: all is new.")
    else:
        console.show(
            f"Compared with the publication of run {compared.since.run_id} at {compared.since.published_at:%Y-%m-%d %H:%M:%S} UTC."
        )
    if compared.changes:
        tables.table("Rows that change", [with_names(row, names) for row in compared.changes], spare=("id",))
    else:
        console.show("No row changes.")
    totals = [with_names(_short(row, "organization_id", "period"), names) for row in compared.totals]
    tables.table("kg CO2e of all months", totals)
    _tell_months(compared, names)
    if compared.pending:
        tables.table("Pending rows", [with_names(row, names) for row in compared.pending])
    tell_gaps(compared.gaps, names)


def _tell_months(compared: Preview, names: Mapping[str, str]) -> None:
    """The months that change, those of the period first, the largest differences of them first."""
    if not compared.months:
        console.show("No month changes.")
        return
    rows = sorted(compared.months, key=lambda row: (row["period"] != INSIDE, -abs(Decimal(row["co2e_kg_difference"]))))
    shown = [
        with_names(_short(row, "organization_id", "facility_id", "month", "period"), names)
        for row in rows[:MOST_MONTHS]
    ]
    tables.table("Months that change, kg CO2e", shown, spare=("id", "organisation"))
    if len(rows) > MOST_MONTHS:
        console.show(f"… and {counted(len(rows) - MOST_MONTHS, 'month')} more: --json has all.")


def _short(row: dict[str, Any], *key: str) -> dict[str, Any]:
    figures = {"before": "co2e_kg_before", "after": "co2e_kg_after", "difference": "co2e_kg_difference"}
    return {name: row[name] for name in key} | {name: row[column] for name, column in figures.items()}
