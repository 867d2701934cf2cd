"""Whether what is published is fresh, by proven data time: a check of the published file, and a sensor that asks when nothing runs.

Dagster's own freshness policies and checks look at when an asset was last made: a run that proves nothing would be fresh to them.
"""

from datetime import UTC, datetime, timedelta

import dagster as dg

from dcycle_pipeline.data_folder import DataFolder
from dcycle_pipeline.notify.endings import note_age
from dcycle_pipeline.orchestration.failures import or_skipped
from dcycle_pipeline.orchestration.step import PUBLISHED_FILE, Environment
from dcycle_pipeline.publish.checks import DATA_IS_FRESH
from dcycle_pipeline.readers.published_file import Published
from dcycle_pipeline.settings import Settings
from dcycle_pipeline.sync.clock import in_words
from dcycle_pipeline.sync.freshness import freshness
from dcycle_pipeline.text import markdown

LOOK_SECONDS = 1800


def freshness_result(settings: Settings) -> dg.AssetCheckResult:
    """Whether everything published was proven within DCYCLE_MAX_AGE_HOURS. It fails as an error, and blocks nothing."""
    max_age = _max_age(settings)
    with Published(DataFolder(settings.data_dir).readable) as published:
        judged = freshness(published, datetime.now(UTC))
    return dg.AssetCheckResult(
        check_name=DATA_IS_FRESH,
        asset_key=PUBLISHED_FILE,
        passed=judged.is_within(max_age),
        severity=dg.AssetCheckSeverity.ERROR,
        description=markdown(f"{judged}; it may be {in_words(max_age)} old"),
        metadata={"age_hours": round(judged.age.total_seconds() / 3600, 3)} if judged.age is not None else {},
    )


def freshness_sensor(environment: Environment) -> dg.SensorDefinition:
    """The same check twice an hour without a run; DCYCLE_NOTIFY is told once if it fails, and once if it passes again."""

    @dg.sensor(
        name="freshness",
        minimum_interval_seconds=LOOK_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Check how old the oldest proof of the published file is, also if no run starts.",
    )
    def look() -> dg.SensorResult | dg.SkipReason:
        found = or_skipped(lambda: _noted_result(environment.settings()))
        if isinstance(found, dg.SkipReason):  # nothing is published yet
            return found
        evaluation = dg.AssetCheckEvaluation(  # the only form that a sensor may give
            asset_key=dg.AssetKey(PUBLISHED_FILE),
            check_name=DATA_IS_FRESH,
            passed=found.passed,
            metadata=found.metadata,
            severity=found.severity,
            description=found.description,
        )
        return dg.SensorResult(asset_events=[evaluation], skip_reason=found.description)

    return look


def _noted_result(settings: Settings) -> dg.AssetCheckResult:
    found = freshness_result(settings)
    note_age(settings, _max_age(settings))
    return found


def _max_age(settings: Settings) -> timedelta:
    return timedelta(hours=settings.max_age_hours)
