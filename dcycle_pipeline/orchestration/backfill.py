"""The job `backfill`: one step plans, compares and, if its configuration says so, publishes. One run for any period."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from dcycle_pipeline.landing.lists import Backfill
from dcycle_pipeline.orchestration.deaths import ONCE_MORE
from dcycle_pipeline.orchestration.everything_read import REST_PUBLISHED, REST_READ, fail_if_left_out
from dcycle_pipeline.orchestration.markdown_tables import markdown_table
from dcycle_pipeline.orchestration.published_events import Event, published_events
from dcycle_pipeline.orchestration.step import OPEN_RUN, Environment, step
from dcycle_pipeline.sync.backfill import publish_draft, read_planned
from dcycle_pipeline.sync.draft import drafted
from dcycle_pipeline.sync.naming import facility_ids, known_names, organization_ids, with_names
from dcycle_pipeline.sync.organizations import verify_named
from dcycle_pipeline.sync.period import period_of
from dcycle_pipeline.sync.plan import Plan, make_plan
from dcycle_pipeline.sync.preview import Preview, Rows, preview, refuse_unknown_publication, since_when
from dcycle_pipeline.sync.publication import Publication
from dcycle_pipeline.sync.readings import Reading, working_readings
from dcycle_pipeline.sync.run import Run

JOB, STEP = "backfill", "read_again"  # Dagster wants two names
PLAN, PREVIEW, PUBLICATION = "plan", "preview", "publication"
CONFIGURATION = {
    "first_day": dg.Field(str, description="First day of the period, e.g. 2023-01-01."),
    "last_day": dg.Field(str, description="Last day of the period, inclusive."),
    "organization_ids": dg.Field(
        [str],
        default_value=[],
        description="Only these organisations, by name, id or the start of either; all if none is named.",
    ),
    "facility_ids": dg.Field(
        [str], default_value=[], description="Only these facilities, likewise; all if none is named."
    ),
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
    def backfill_step(context: dg.OpExecutionContext) -> Iterator[Event | dg.Output[None]]:
        asked = context.op_config
        environment.outcome_of(context.run.run_id).was_read = False
        with step(context, environment, lambda: _backfill(asked)) as run, drafted(run):
            done = _carried_out(run, _backfill(asked), asked)
            environment.outcome_of(run.run_id).published = done.publication is not None
        yield dg.Output(None, metadata=done.told)
        if done.publication:
            yield from published_events(context, environment, done.publication)
        rest = REST_PUBLISHED if done.publication else REST_READ
        fail_if_left_out(context, environment, done.readings, rest)

    @dg.job(
        name=JOB,
        description="Read the records of a period again, compare with what is published, publish if `up_to` is publication.",
        executor_def=dg.in_process_executor,
        tags=ONCE_MORE,
    )
    def job() -> None:
        backfill_step()

    return job


def _backfill(asked: dict[str, Any]) -> Backfill:
    days = period_of({name: asked[name] for name in ("first_day", "last_day")})
    return Backfill(*days, asked["reason"], asked["by"])


@dataclass(frozen=True)
class _Done:
    """How far a backfill went: what to tell of it, how much of each organisation was read, and the publication if there is one."""

    told: dict[str, Any]
    readings: Sequence[Reading]
    publication: Publication | None = None


def _carried_out(run: Run, backfill: Backfill, asked: dict[str, Any]) -> _Done:
    """Go as far as is asked for."""
    if asked["since_snapshot"]:
        refuse_unknown_publication(run, asked["since_snapshot"])
    organizations = organization_ids(run.settings, asked["organization_ids"])
    verify_named(run.settings, organizations)
    plan = make_plan(run, backfill, organizations, facility_ids(run.settings, asked["facility_ids"]))
    since = since_when(run, asked["since_snapshot"] or None)
    told = _of_plan(plan, known_names(run))
    if asked["up_to"] == PLAN:
        return _Done(told, _readings(run))
    read_planned(run, plan)
    told |= _of_preview(preview(run, backfill, since), known_names(run))
    if asked["up_to"] == PREVIEW:
        return _Done(told, _readings(run))
    publication = publish_draft(run)
    told |= {"outcome": publication.outcome, "content_changed": publication.content_changed}
    told["path"] = dg.MetadataValue.path(str(publication.file))
    return _Done(told, _readings(run), publication)


def _readings(run: Run) -> list[Reading]:
    with run.working_file() as connection:
        return working_readings(connection)


def _of_plan(plan: Plan, names: Mapping[str, str]) -> dict[str, Any]:
    rows = [
        {
            "facility_id": each.key.facility_id,
            "organization_id": each.key.organization_id,
            "endpoint": each.key.endpoint,
            "records": each.overlapping_count,
            "pages_at_the_last_read": each.pages_count,
            "landed_already": "yes" if each.is_landed else "",
        }
        for each in plan.lists
    ]
    counts = {"lists": len(plan.lists), "lists_landed_already": plan.landed_count, "lists_kept": plan.kept_count}
    numbers = {**counts, "requests_to_come": plan.requests_count}
    return {**numbers, "seconds_to_come": plan.seconds or 0.0, "plan": _table(rows, names)}


def _of_preview(found: Preview, names: Mapping[str, str]) -> dict[str, Any]:
    tables = {"changes": found.changes, "totals": found.totals, "months": found.months, "pending": found.pending}
    return {name: _table(rows, names) for name, rows in (tables | found.gaps).items()}


def _table(rows: Rows, names: Mapping[str, str]) -> dg.MarkdownMetadataValue:
    return dg.MetadataValue.md(markdown_table([with_names(row, names) for row in rows]))
