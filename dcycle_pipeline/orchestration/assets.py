"""The assets that read the API: organisations, one asset an endpoint (partitioned by organisation), and the year totals."""

import time
from collections.abc import Iterator

import dagster as dg

from dcycle_pipeline.endpoints import YEAR_TOTALS, declared, waste_water_treatments
from dcycle_pipeline.endpoints.declaration import Endpoint, YearTotal
from dcycle_pipeline.endpoints.organizations import ORGANIZATIONS, flatten
from dcycle_pipeline.orchestration import partitions
from dcycle_pipeline.orchestration.checks import note_blocked, result_of, spec
from dcycle_pipeline.orchestration.columns import columns, described
from dcycle_pipeline.orchestration.everything_read import REST_READ, fail_if_left_out
from dcycle_pipeline.orchestration.materializations import materialize, was_read
from dcycle_pipeline.orchestration.previews import facts_by_organization, table_facts
from dcycle_pipeline.orchestration.references import made_in
from dcycle_pipeline.orchestration.step import OPEN_RUN, PUBLISHED_FILE, Environment, step
from dcycle_pipeline.publish import checks
from dcycle_pipeline.publish.checks import Finding
from dcycle_pipeline.sync.lists import SweepResult, sync_endpoint
from dcycle_pipeline.sync.organizations import refresh_organizations, refuse_unknown
from dcycle_pipeline.sync.readings import unread, working_readings
from dcycle_pipeline.sync.run import Run
from dcycle_pipeline.sync.year_totals import sync_totals

RECORDS = waste_water_treatments.ENDPOINT.name
OWNERS = ["team:sustainability-data"]


def organizations_asset(environment: Environment) -> dg.AssetsDefinition:
    """The tree of organisations; it also keeps the partitions in step."""

    @dg.asset(
        name=ORGANIZATIONS.name,
        description=described(ORGANIZATIONS),
        group_name="dcycle",
        kinds={"python", "duckdb"},
        owners=OWNERS,
        required_resource_keys={OPEN_RUN},
        retry_policy=environment.api_retry,
        metadata=columns(ORGANIZATIONS) | made_in(flatten),
    )
    def organizations(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster reads this annotation
        with step(context, environment) as run:
            called = {each.organization_id: each.name for each in refresh_organizations(run)}
            known = partitions.known(context.instance, environment.account)
            # One that the tree no longer shows keeps its partition, like its rows, until it is excluded.
            stay = [each for each in known if run.settings.organizations.wants(each)]
            there = list(dict.fromkeys([*stay, *called]))
            partitions.keep_in_step(context.instance, there, environment.account, called, context.run)
            partitions.take_all(context.instance, context.run, environment.account)
            refuse_unknown(run.accepted_drops, list(called))
            with run.working_file() as connection:
                return dg.MaterializeResult(metadata=table_facts(connection, ORGANIZATIONS))

    return organizations


def endpoint_asset(environment: Environment, endpoint: Endpoint) -> dg.AssetsDefinition:
    """One endpoint of the API as an asset."""
    names = (checks.EVERY_LIST_PROVEN, checks.COUNTERS_AGREE, checks.KEYS_UNIQUE)

    @dg.asset(
        name=endpoint.name,
        description=described(endpoint.table, endpoint.title),
        group_name="dcycle",
        kinds={"python", "duckdb"},
        owners=OWNERS,
        required_resource_keys={OPEN_RUN},
        retry_policy=environment.retry,
        metadata=columns(endpoint.table) | made_in(endpoint.item),
        partitions_def=partitions.definition(environment.account),
        backfill_policy=dg.BackfillPolicy.single_run(),
        deps=[endpoint.parent or ORGANIZATIONS.name],
        check_specs=[spec(name, endpoint.name) for name in names],
    )
    def sync(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult]:  # type: ignore[type-arg]  # Dagster reads this annotation
        started = time.monotonic()
        with step(context, environment) as run:
            # The settings of the run say which API the endpoint is read from; the asset is the same.
            read = next(each for each in run.endpoints if each.name == endpoint.name)
            asked = partitions.asked_for(context, run)
            run.outages.is_hurried = _publication_follows(context, run)
            swept = sync_endpoint(run, read, asked)
            with run.working_file() as connection:
                findings = run.findings[endpoint.name] = checks.endpoint_findings(connection, endpoint)
                facts = facts_by_organization(connection, endpoint.table, asked)
            if note_blocked(environment.outcome_of(run.run_id), findings) or not run.publishes:
                run.end()
        read_by, seconds = {each: was_read(swept.lists[each]) for each in asked}, round(time.monotonic() - started, 3)
        said = materialize(
            context, endpoint, swept, read_by, facts, step_requests=swept.requests_count, step_duration_s=seconds
        )
        yield dg.MaterializeResult(metadata=said, check_results=[result_of(finding) for finding in findings])
        _fail_if_silent(context, environment, run, endpoint.name)

    return sync


def _publication_follows(context: dg.AssetExecutionContext, run: Run) -> bool:
    """Whether the step that publishes follows. It asks once more who gave no answer before, so nobody has to be waited for."""
    steps = context.run.step_keys_to_execute  # none if all are; a re-execution may be of a few
    return run.publishes and (not steps or PUBLISHED_FILE in steps)


def _fail_if_silent(context: dg.AssetExecutionContext, environment: Environment, run: Run, endpoint: str) -> None:
    """Let a run that reads and does not publish, so has no check of the file, fail at its last step if it left an organisation out."""
    names = [each.name for each in (*declared(), *YEAR_TOTALS)]
    later = {dg.AssetKey(name) for name in names[names.index(endpoint) + 1 :]}
    if not run.publishes and not later & (context.run.asset_selection or set()):
        with run.working_file() as connection:
            found = working_readings(connection)
        fail_if_left_out(context, environment, found, REST_READ)


def totals_asset(environment: Environment, endpoint: YearTotal) -> dg.AssetsDefinition:
    """One endpoint of year totals as an asset, asked once the records say which years there are."""

    @dg.asset(
        name=endpoint.name,
        description=described(endpoint.table, endpoint.title),
        group_name="dcycle",
        kinds={"python", "duckdb"},
        owners=OWNERS,
        required_resource_keys={OPEN_RUN},
        retry_policy=environment.retry,
        metadata=columns(endpoint.table) | made_in(endpoint.item),
        partitions_def=partitions.definition(environment.account),
        backfill_policy=dg.BackfillPolicy.single_run(),
        deps=[RECORDS],
        check_specs=[spec(checks.EVERY_TOTAL_READ, endpoint.name, blocking=False)],
    )
    def ask(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult]:  # type: ignore[type-arg]  # Dagster reads this annotation
        with step(context, environment) as run:
            asked = partitions.asked_for(context, run)
            swept = sync_totals(run, endpoint, asked)
            read_by, findings = _judged(run, endpoint, swept, asked)
            with run.working_file() as connection:
                facts = facts_by_organization(connection, endpoint.table, asked)
            if not run.publishes:
                run.end()
        said = materialize(context, endpoint, swept, read_by, facts)
        yield dg.MaterializeResult(metadata=said, check_results=[result_of(finding) for finding in findings])
        _fail_if_silent(context, environment, run, endpoint.name)

    return ask


def _judged(
    run: Run, endpoint: YearTotal, swept: SweepResult, asked: list[str]
) -> tuple[dict[str, bool], list[Finding]]:
    """Whether the totals of each organisation were read, and what became of all. Nothing is asked where no record names a year."""
    if swept.failure:
        return dict.fromkeys(asked, False), [
            Finding(endpoint.name, checks.EVERY_TOTAL_READ, False, False, swept.failure)
        ]
    with run.working_file() as connection:
        without_records = {organization for organization, name in unread(connection) if name == RECORDS}
        findings = checks.total_findings(connection, endpoint)
    read = {each: was_read(swept.lists[each]) if each in swept.lists else each not in without_records for each in asked}
    return read, findings
