"""From the environment, `.env` and the optional organisations file to one frozen Settings. Nothing else reads the environment.

Secrets are SecretStr, so no repr, log or error shows them.
"""

from dcycle_pipeline.settings.loading import load, load_offline, load_schedule, secrets_in_reach
from dcycle_pipeline.settings.model import ScheduleSettings, Settings
from dcycle_pipeline.settings.sources import dagster_home, data_dir, turn_off_dagster_telemetry

__all__ = [
    "ScheduleSettings",
    "Settings",
    "dagster_home",
    "data_dir",
    "load",
    "load_offline",
    "load_schedule",
    "secrets_in_reach",
    "turn_off_dagster_telemetry",
]
