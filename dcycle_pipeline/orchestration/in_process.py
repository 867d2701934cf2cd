"""Running the Dagster job inside this process, for the command line: the same assets and checks as in the UI."""

import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._check import CheckError

from dcycle_pipeline.data_folder import DataFolder
from dcycle_pipeline.errors import SettingsError
from dcycle_pipeline.orchestration import partitions
from dcycle_pipeline.orchestration.context import (
    ACCEPTED_DROPS_TAG,
    EXIT_CODE,
    NOTHING_PUBLISHED,
    PUBLISHED_FILE,
    WRONG_SETTINGS,
    Environment,
)
from dcycle_pipeline.orchestration.jobs import JOB, build
from dcycle_pipeline.settings import dagster_home, load_schedule, turn_off_dagster_telemetry
from dcycle_pipeline.sync.organizations import wanted_organizations


@dataclass(frozen=True)
class JobResult:
    """How one run ended: its id, and where it failed the message and the exit code that belongs to it.

    `published` is whether the file was put in place before that: then only what comes after it has failed.
    """

    run_id: str
    failure: str = ""
    exit_code: int = 0
    published: bool = False


def run_job(
    environment: Environment, organization_ids: list[str], accepted_drops: Iterable[str] = ()
) -> list[JobResult]:
    """Sync every organisation in one run, or only the named ones in a run each.

    `accepted_drops` are organisations whose rows may vanish in any number.

    Raises SettingsError for wrong settings or an unknown organisation, UnavailableError where the API cannot be read.
    """
    settings = environment.settings()
    if not settings.telemetry:
        turn_off_dagster_telemetry()
    found = wanted_organizations(settings)
    accepted = sorted(accepted_drops)
    if unknown := [identifier for identifier in (*organization_ids, *accepted) if identifier not in found]:
        raise SettingsError(
            f"Organisation {', '.join(unknown)} is not among those that are synced: {', '.join(found)}."
        )
    if not found:
        raise SettingsError("No organisation is left to sync: see include and exclude in DCYCLE_ORGANIZATIONS_FILE.")
    job = build(replace(environment, retry=None), load_schedule()).resolve_job_def(JOB)
    with _instance(DataFolder(settings.data_dir).scratch) as instance:
        partitions.keep_in_step(instance, found)
        runs = [partitions.only(identifier) for identifier in organization_ids] or [partitions.all_of_them(instance)]
        return [_run(job, instance, {**tags, ACCEPTED_DROPS_TAG: " ".join(accepted)}) for tags in runs]


@contextmanager
def _instance(scratch: Path) -> Iterator[dg.DagsterInstance]:
    """The instance of DAGSTER_HOME, so that the UI shows the run; without it one in memory that leaves nothing behind."""
    if home := dagster_home():
        try:
            found = dg.DagsterInstance.get()
        except (dg.DagsterError, CheckError, OSError, ValueError) as error:
            raise SettingsError(f"DAGSTER_HOME {home} cannot be used: {str(error).splitlines()[0]}") from None
        with found as instance:
            yield instance
        return
    # In the data folder, where the next run finds what a killed one left.
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    try:
        with dg.DagsterInstance.ephemeral(str(scratch)) as instance:
            yield instance
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _run(job: dg.JobDefinition, instance: dg.DagsterInstance, tags: Any) -> JobResult:
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    result = job.execute_in_process(instance=instance, tags=dict(tags), raise_on_error=False, run_config=quiet)
    if result.success:
        return JobResult(result.run_id)
    published = any(
        event.asset_key == dg.AssetKey(PUBLISHED_FILE) for event in result.all_events if event.is_step_materialization
    )
    return JobResult(result.run_id, *_failure(result), published)


def _failure(result: dg.ExecuteInProcessResult) -> tuple[str, int]:
    """What the first failed step said; failed blocking checks say what is wrong with the data."""
    for event in result.all_events:
        if event.is_step_failure:
            data = event.step_failure_data
            said = data.user_failure_data
            if said is not None:
                code = said.metadata.get(EXIT_CODE)
                return (
                    said.description or "",
                    WRONG_SETTINGS if code and code.value == WRONG_SETTINGS else NOTHING_PUBLISHED,
                )
            cause = data.error.cause if data.error and data.error.cause else data.error
            return (cause.message.strip() if cause else "The run failed."), NOTHING_PUBLISHED
    checked = [check for event in result.all_events if (check := _check(event)) is not None and not check.passed]
    named = [f"{check.asset_key.to_user_string()}: {check.check_name}: {check.description}" for check in checked]
    return "Not published, a check failed: " + "; ".join(named), NOTHING_PUBLISHED


def _check(event: dg.DagsterEvent) -> dg.AssetCheckEvaluation | None:
    data = event.event_specific_data
    return data if isinstance(data, dg.AssetCheckEvaluation) else None
