"""The last word on a run: which organisations it left out. Such a run fails, after it has published the rest."""

from collections.abc import Collection, Iterator, Sequence

import dagster as dg

from dcycle_pipeline.errors import few
from dcycle_pipeline.orchestration.failures import DO_NEXT_TAG, Context
from dcycle_pipeline.orchestration.previews import shown
from dcycle_pipeline.orchestration.step import OPEN_RUN, PUBLISHED_FILE, Environment, step
from dcycle_pipeline.publish.checks import EVERYTHING_READ, MEANINGS
from dcycle_pipeline.sync.readings import (
    IN_PART,
    LEFT_OUT,
    MOST_NAMED,
    Reading,
    left_out_of,
    names_of,
    published_readings,
    second_runs,
    told,
)
from dcycle_pipeline.text import counted, markdown, plain

# The list of runs shows these beside a run, and little more than 30 letters of each.
LEFT_OUT_TAG, READ_TAG = "left_out", "read"
REST_PUBLISHED, REST_READ = "Everything else is published.", "Everything else was read."
_MOST_OF_A_TAG = 200
# Dagster's own: another run would only ask the same file again.
_NOT_AGAIN = {"dagster/retry_on_asset_or_op_failure": "false"}


def everything_read_check(environment: Environment) -> dg.AssetChecksDefinition:
    """A step of its own, because what fails must come after what publishes, and must not stop the report."""

    @dg.multi_asset_check(
        name=EVERYTHING_READ,
        specs=[dg.AssetCheckSpec(EVERYTHING_READ, asset=PUBLISHED_FILE, description=MEANINGS[EVERYTHING_READ])],
        required_resource_keys={OPEN_RUN},
        retry_policy=environment.retry,
    )
    def everything_read(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        with step(context, environment) as run:
            found = published_readings(run.folder.published)
            second = second_runs(run.folder.published, _run_ids(context))
        yield check_result(found)
        fail_if_left_out(context, environment, found, REST_PUBLISHED, second)

    return everything_read


def _run_ids(context: Context) -> set[str]:
    """A step that is repeated has to say what the first run said."""
    run = context.run
    return {each for each in (run.run_id, run.parent_run_id, run.root_run_id) if each}


def fail_if_left_out(
    context: Context,
    environment: Environment,
    found: Sequence[Reading],
    rest: str,
    second: Collection[str] = (),
) -> None:
    """Fail a run that asked for an organisation in vain. The list of runs says whom, and nobody tries again what a retry cannot mend.

    `second` are the runs that completed it.
    """
    run = context.run
    left_out = left_out_of(found, {*_run_ids(context), *second})
    if left_out:
        read = f"{len(found) - len(left_out):,} of {counted(len(found), 'organisation')}"
        names = plain(names_of(left_out))[:_MOST_OF_A_TAG]
        tags = {LEFT_OUT_TAG: names, READ_TAG: read, DO_NEXT_TAG: left_out[0].do}
        context.instance.add_run_tags(run.run_id, {**tags, **_NOT_AGAIN})
        said = environment.outcome_of(run.run_id).left_out = plain(told(left_out, rest))
        raise dg.Failure(said, allow_retries=False)


def check_result(found: Sequence[Reading]) -> dg.AssetCheckResult:
    """The table by organisation, and numbers that Dagster plots over time."""
    left_out, in_part = ([each for each in found if each.how_much == how_much] for how_much in (LEFT_OUT, IN_PART))
    partly = f"Read in part: {few([str(each) for each in in_part], MOST_NAMED)}." if in_part else ""
    said = (
        told(left_out, REST_PUBLISHED)
        or partly
        or f"Everything of {'all ' if found[1:] else ''}{counted(len(found), 'organisation')} was read."
    )
    return dg.AssetCheckResult(
        check_name=EVERYTHING_READ,
        asset_key=PUBLISHED_FILE,
        passed=not (left_out or in_part),
        severity=dg.AssetCheckSeverity.ERROR if left_out else dg.AssetCheckSeverity.WARN,
        description=markdown(said),
        metadata={
            "by_organization": shown([_row(each) for each in found]),
            "organizations": len(found),
            "organizations_left_out": len(left_out),
            "organizations_read_in_part": len(in_part),
            "lists": sum(each.lists_count for each in found),
            "lists_unproven": sum(each.unproven_count for each in found),
            "items_quarantined": sum(each.quarantined_count for each in found),
            "rows_in_doubt": sum(each.doubtful_count for each in found),
        },
    )


def _row(each: Reading) -> dict[str, str]:
    return {
        "organisation": each.organization,
        "read": each.how_much,
        "what happened": each.what,
        "what to do": each.do or "nothing",
        "unproven": f"{each.unproven_count:,} of {counted(each.lists_count, 'list')}" if each.unproven_count else "",
        "id": each.organization_id,
    }
