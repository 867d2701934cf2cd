"""The job `backfill`: one step plans, compares and, if its configuration says so, publishes. One run for any period."""

from collections.abc import Iterable
from typing import Any

import dagster as dg

from dcycle_pipeline.landing.lists import Backfill
from dcycle_pipeline.orchestration.step import OPEN_RUN, Environment, step
from dcycle_pipeline.sync.backfill import publish_draft, read_planned
from dcycle_pipeline.sync.draft import drafted
from dcycle_pipeline.sync.organizations import organizations_to_sync
from dcycle_pipeline.sync.period import period_of
from dcycle_pipeline.sync.plan import Plan, make_plan
from dcycle_pipeline.sync.preview import Preview, Rows, preview, since_when
from dcycle_pipeline.sync.run import Run
from dcycle_pipeline.text import markdown

JOB, STEP = "backfill", "read_again"  # Dagster wants two names
PLAN, PREVIEW, PUBLICATION = "plan", "preview", "publication"
MOST_ROWS = 200  # of one table in the UI
CONFIGURATION = {
    "first_day": dg.Field(str, description="First day of the period, e.g. 2023-01-01."),
    "last_day": dg.Field(str, description="Last day of the period, inclusive."),
    "organization_ids": dg.Field(
        [str], default_value=[], description="Only these organisations; all if none is named."
    ),
    "facility_ids": dg.Field([str], default_value=[], description="Only these facilities; all if none is named."),
    "up_to": dg.Field(
        dg.Enum("UpTo", [dg.EnumValue(PLAN), dg.EnumValue(PREVIEW), dg.EnumValue(PUBLICATION)]),
        default_value=PREVIEW,
        description="plan, preview (nothing is published) or publication.",
    ),
    "since_snapshot": dg.Field(
        str, default_value="", description="Compare with the publication whose snapshot, run or time begins so."
    ),
    "reason": dg.Field(str, default_value="", description="Why; noted in sync.runs."),
    "by": dg.Field(str, default_value="", description="Who asks for it; noted in sync.runs."),
}


def backfill_job(environment: Environment) -> dg.JobDefinition:
    """The job, whose configuration says what the options of the verb `backfill` say."""

    @dg.op(
        name=STEP,
        description="Plan, compare and publish a period again. The metadata of its output has the plan and what changes.",
        config_schema=CONFIGURATION,
        required_resource_keys={OPEN_RUN},
        retry_policy=environment.retry,
        out=dg.Out(dg.Nothing),
    )
    def backfill_step(context: dg.OpExecutionContext) -> None:
        asked = context.op_config
        with step(context, environment, lambda: _backfill(asked)) as run:
            organizations_to_sync(run.settings, asked["organization_ids"])
            with drafted(run):
                context.add_output_metadata(_carry_out(run, _backfill(asked), asked))
                environment.outcome_of(run.run_id).published = not run.is_draft

    @dg.job(
        name=JOB,
        description="Read the records of a period again, compare with what is published, publish if `up_to` is publication.",
        executor_def=dg.in_process_executor,
    )
    def job() -> None:
        backfill_step()

    return job


def _backfill(asked: dict[str, Any]) -> Backfill:
    days = period_of({name: asked[name] for name in ("first_day", "last_day")})
    return Backfill(*days, asked["reason"], asked["by"])


def _carry_out(run: Run, backfill: Backfill, asked: dict[str, Any]) -> dict[str, Any]:
    """Go as far as is asked for. What came of it, as metadata."""
    plan = make_plan(run, backfill, asked["organization_ids"], asked["facility_ids"])
    since = since_when(run, asked["since_snapshot"] or None)
    told = _of_plan(plan)
    if asked["up_to"] == PLAN:
        return told
    read_planned(run, plan)
    told |= _of_preview(preview(run, backfill, since))
    if asked["up_to"] == PUBLICATION:
        publication = publish_draft(run)
        told |= {"outcome": publication.outcome, "content_changed": publication.content_changed}
        told["path"] = dg.MetadataValue.path(str(publication.file))
    return told


def _of_plan(plan: Plan) -> dict[str, Any]:
    rows = [
        {"list": str(each.key), "records": each.overlapping_count, "pages at the last read": each.pages_count}
        for each in plan.lists
    ]
    numbers = {"lists": len(plan.lists), "lists_kept": plan.kept_count, "requests_to_come": plan.requests_count}
    return {**numbers, "seconds_to_come": plan.seconds or 0.0, "plan": _table(rows)}


def _of_preview(found: Preview) -> dict[str, Any]:
    tables = {"changes": found.changes, "totals": found.totals, "months": found.months, "pending": found.pending}
    return {name: _table(rows) for name, rows in (tables | found.gaps).items()}


def _table(rows: Rows) -> dg.MarkdownMetadataValue:
    if not rows:
        return dg.MetadataValue.md("none")
    lines = [_line(rows[0].keys()), "|---" * len(rows[0]) + "|"]
    lines += [_line(row.values()) for row in rows[:MOST_ROWS]]
    more = f"\n\n{len(rows) - MOST_ROWS} more rows." if len(rows) > MOST_ROWS else ""
    return dg.MetadataValue.md("\n".join(lines) + more)


def _line(cells: Iterable[Any]) -> str:
    return f"| {' | '.join(markdown('' if each is None else str(each)) for each in cells)} |"
