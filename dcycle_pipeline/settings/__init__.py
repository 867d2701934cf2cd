"""From the environment, `.env` and the optional organisations file to one frozen Settings. Nothing else reads the environment.

Secrets are SecretStr, so no repr, log or error shows them. Who asks for the data folder alone does not load pydantic.
"""

from typing import TYPE_CHECKING, Any

from dcycle_pipeline.settings.look import LANGUAGES, LOGO_TYPES, Look
from dcycle_pipeline.settings.sources import (
    dagster_home,
    data_dir,
    log_format,
    open_telemetry,
    report_look,
    turn_off_dagster_telemetry,
)

if TYPE_CHECKING:
    from dcycle_pipeline.settings.dagsters_env_file import let_environment_win
    from dcycle_pipeline.settings.loading import load, load_notification, load_offline, load_schedule, secrets_in_reach
    from dcycle_pipeline.settings.model import NotificationSettings, ScheduleSettings, Settings

__all__ = [
    "LANGUAGES",
    "LOGO_TYPES",
    "Look",
    "NotificationSettings",
    "ScheduleSettings",
    "Settings",
    "dagster_home",
    "data_dir",
    "let_environment_win",
    "load",
    "load_notification",
    "load_offline",
    "load_schedule",
    "log_format",
    "open_telemetry",
    "report_look",
    "secrets_in_reach",
    "turn_off_dagster_telemetry",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from dcycle_pipeline.settings import dagsters_env_file, loading, model  # noqa: PLC0415

        return next(getattr(each, name) for each in (dagsters_env_file, loading, model) if hasattr(each, name))
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
