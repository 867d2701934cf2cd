"""The plan and the comparison of a backfill as lines and tables for people."""

from collections import Counter
from datetime import timedelta
from decimal import Decimal
from typing import Any

from dcycle_pipeline.cli import console, screen
from dcycle_pipeline.cli.results import tell_gaps
from dcycle_pipeline.sync.clock import in_words
from dcycle_pipeline.sync.plan import Plan
from dcycle_pipeline.sync.preview import INSIDE, Preview

MOST_MONTHS = 40


def tell_plan(plan: Plan) -> None:
    """What will be asked for, of whom, with how many requests and how long by what the last runs took."""
    holding = [each for each in plan.lists if each.overlapping_count]
    screen.table("Plan", _by_organization(plan))
    for organization_id, reason in plan.unread:
        console.show(
            f"Not read: facilities of organisation {organization_id}: {reason}. Lists of facilities that are not known yet are missing here."
        )
    console.show(
        f"Period {plan.backfill.first_day} to {plan.backfill.last_day}: {len(plan.lists)} lists to ask for. {len(holding)} hold "
        f"{sum(each.overlapping_count for each in holding)} known records that overlap it; new or edited ones may lie in any other."
    )
    if plan.kept_count:
        console.show(f"{plan.kept_count} lists of other facilities stay as they were last read.")
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


def tell_preview(compared: Preview) -> None:
    """What the publication would change, inside the period and outside it, and what it would lack."""
    if compared.since.run_id is None:
        console.show("Nothing was published before: all is new.")
    else:
        console.show(
            f"Compared with the publication of run {compared.since.run_id} at {compared.since.published_at:%Y-%m-%d %H:%M:%S} UTC."
        )
    if compared.changes:
        screen.table("Rows that change", compared.changes)
    else:
        console.show("No row changes.")
    screen.table("kg CO2e of all months", [_short(row, "organization_id", "period") for row in compared.totals])
    _tell_months(compared)
    if compared.pending:
        screen.table("Pending rows", compared.pending)
    tell_gaps(compared.gaps)


def _tell_months(compared: Preview) -> None:
    """The months that change, those of the period first, the largest differences of them first."""
    if not compared.months:
        console.show("No month changes.")
        return
    rows = sorted(compared.months, key=lambda row: (row["period"] != INSIDE, -abs(Decimal(row["co2e_kg_difference"]))))
    shown = [_short(row, "organization_id", "facility_id", "month", "period") for row in rows[:MOST_MONTHS]]
    screen.table("Months that change, kg CO2e", shown)
    if len(rows) > MOST_MONTHS:
        console.show(f"{len(rows) - MOST_MONTHS} more months change: --json has all.")


def _short(row: dict[str, Any], *key: str) -> dict[str, Any]:
    figures = {"before": "co2e_kg_before", "after": "co2e_kg_after", "difference": "co2e_kg_difference"}
    return {name: row[name] for name in key} | {name: row[column] for name, column in figures.items()}
