"""Partitions before anything has run: Dagster can launch nothing for an account that has none. Later, runs keep them in step."""

from collections.abc import Collection

import dagster as dg

from dcycle_pipeline.orchestration import partitions
from dcycle_pipeline.orchestration.failures import or_skipped
from dcycle_pipeline.orchestration.step import Environment
from dcycle_pipeline.settings import Settings
from dcycle_pipeline.sync.organizations import wanted_organizations
from dcycle_pipeline.text import counted

LOOK_SECONDS = 60
# Dagster gives a look 60 seconds, and the next one comes soon.
_IMPATIENT = {"retry_attempts": 1, "request_seconds": 20.0}


def first_partitions_sensor(environment: Environment) -> dg.SensorDefinition:
    """Asks the API for organisations as long as the account has no partition, and never again."""

    @dg.sensor(
        name="first_partitions",
        minimum_interval_seconds=LOOK_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Give a new account its partitions, so that its first run can be launched. Runs keep them in step later.",
    )
    def look(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        if known := partitions.known(context.instance, environment.account):
            return dg.SkipReason(f"{_have_one(known)}; runs keep them in step.")
        called = or_skipped(lambda: _organizations(environment.settings()))
        if isinstance(called, dg.SkipReason):
            return called
        partitions.add(context.instance, called, environment.account, called)
        return dg.SkipReason(f"{_have_one(called)} now: `sync` can be launched.")

    return look


def _have_one(there: Collection[str]) -> str:
    return counted(len(there), "organisation has a partition", "organisations have a partition")


def _organizations(settings: Settings) -> dict[str, str]:
    """The names of the organisations that are synced, by id, root first."""
    wanted = wanted_organizations(settings.model_copy(update=_IMPATIENT))
    return {each.organization_id: each.name for each in wanted}
