"""From the environment, `.env` and the optional organisations file to one frozen Settings. Nothing else reads the environment.

Secrets are SecretStr, so no repr, log or error shows them. Who asks for the data folder alone does not load pydantic.
"""

from typing import TYPE_CHECKING, Any

from dcycle_pipeline.settings.sources import dagster_home, data_dir, log_format, turn_off_dagster_telemetry

if TYPE_CHECKING:
    from dcycle_pipeline.settings.loading import load, load_notification, load_offline, load_schedule, secrets_in_reach
    from dcycle_pipeline.settings.model import NotificationSettings, ScheduleSettings, Settings

__all__ = [
    "NotificationSettings",
    "ScheduleSettings",
    "Settings",
    "dagster_home",
    "data_dir",
    "load",
    "load_notification",
    "load_offline",
    "load_schedule",
    "log_format",
    "secrets_in_reach",
    "turn_off_dagster_telemetry",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from dcycle_pipeline.settings import loading, model  # noqa: PLC0415

        return getattr(model if name.endswith("Settings") else loading, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
