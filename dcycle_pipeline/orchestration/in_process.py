"""Running the Dagster job inside this process, for the command line with a DAGSTER_HOME: its runs and checks show in the UI."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from uuid import uuid4

import dagster as dg

from dcycle_pipeline.data_folder import DataFolder
from dcycle_pipeline.data_folder.lives import living
from dcycle_pipeline.errors import SettingsError
from dcycle_pipeline.orchestration import partitions
from dcycle_pipeline.orchestration.endings import canceled_at_signals
from dcycle_pipeline.orchestration.jobs import JOB, build
from dcycle_pipeline.orchestration.step import ACCEPTED_DROPS, OPEN_RUN, Environment
from dcycle_pipeline.settings import dagster_home, load_schedule, turn_off_dagster_telemetry
from dcycle_pipeline.sync.organizations import verify_named
from dcycle_pipeline.sync.outcome import NOTHING_PUBLISHED, UNKNOWN, Outcome

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def run_job(
    environment: Environment, organization_ids: list[str], accepted_drops: Iterable[str] = ()
) -> dict[str, Outcome]:
    """Sync every organisation in one run, or only the named ones in a run each; how each run ended, by its id.

    `accepted_drops` are organisations whose rows may vanish in any number.

    Raises SettingsError for wrong settings or an unknown organisation, UnavailableError if the API cannot be read.
    """
    settings = environment.settings()
    if not settings.telemetry:
        turn_off_dagster_telemetry()
    accepted = sorted(accepted_drops)
    verify_named(settings, [*organization_ids, *accepted])
    account = settings.organization_id
    job = build(replace(environment, retry=None, api_retry=None, account=account), load_schedule()).resolve_job_def(JOB)
    with _instance() as instance:
        partitions.add(instance, organization_ids, account)
        named = [partitions.only(partitions.key_of(instance, each, account)) for each in organization_ids]
        for tags in named or [partitions.whole(instance, account)]:
            _run(job, instance, environment, DataFolder(settings.data_dir), tags=tags, accepted_drops=accepted)
    return environment.outcomes


def _run(
    job: dg.JobDefinition,
    instance: dg.DagsterInstance,
    environment: Environment,
    folder: DataFolder,
    *,
    tags: Mapping[str, str],
    accepted_drops: list[str],
) -> None:
    run_id = str(uuid4())
    # From its first moment on, so that no kill can leave a run that seems to be under way for ever.
    with living(folder.working, run_id), canceled_at_signals(instance, run_id):
        result = job.execute_in_process(
            run_id=run_id,
            instance=instance,
            tags=dict(tags),
            raise_on_error=False,
            run_config={**QUIET, "resources": {OPEN_RUN: {"config": {ACCEPTED_DROPS: accepted_drops}}}},
        )
    outcome = environment.outcome_of(run_id)
    if not (result.success or outcome.failure or outcome.left_out):
        outcome.failure, outcome.exit_code = UNKNOWN, NOTHING_PUBLISHED


def _instance() -> dg.DagsterInstance:
    """The instance of DAGSTER_HOME, so that the UI shows the run."""
    try:
        return dg.DagsterInstance.get()
    except Exception as error:  # Dagster raises errors of private classes too for a home that it cannot use
        raise SettingsError(f"DAGSTER_HOME {dagster_home()} cannot be used: {str(error).splitlines()[0]}") from None
