"""Reads the settings: one frozen Settings, or one error that names every variable to change."""

import os
import re
from typing import Any, Literal, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from dcycle_pipeline.errors import SettingsError
from dcycle_pipeline.settings.model import NotificationSettings, ScheduleSettings, Settings
from dcycle_pipeline.settings.notification import notify_secrets_of
from dcycle_pipeline.settings.postgres import secrets_of
from dcycle_pipeline.settings.sources import PREFIX, env_file, variables

_KINDS = {int: "a whole number", float: "a number", bool: "true or false"}
_BOUNDS = {"ge": "of at least", "gt": "above", "le": "at most"}


def load(**overrides: Any) -> Settings:
    """Settings from the environment, `.env` and `overrides` (by field name), which win. Raises SettingsError if one is wrong."""
    env_file()
    try:
        settings = Settings(**overrides)
    except ValidationError as error:
        raise SettingsError(_problems(error)) from None
    settings.secrets  # noqa: B018 - reads the organisations file, so that a wrong one is reported at once
    return settings


def load_offline() -> Settings:
    """Settings for commands that ask no API: they work without credentials. Raises SettingsError if another setting is wrong."""
    given = variables()
    unused = {"api_key": "unused", "organization_id": "unused", "user_id": "unused"}
    return load(**{name: value for name, value in unused.items() if f"{PREFIX}{name.upper()}" not in given})


def load_schedule() -> ScheduleSettings:
    """The settings of the schedule; they need no credential."""
    return ScheduleSettings()


def load_notification() -> NotificationSettings:
    """Whom to notify if the other settings are wrong. Raises SettingsError if nobody can tell."""
    env_file()
    try:
        return NotificationSettings()
    except ValidationError as error:
        raise SettingsError(_problems(error)) from None


def secrets_in_reach() -> list[str]:
    """Every secret that the environment or `.env` may hold, also if the settings are wrong: to mask it in a trace."""
    named = [
        value
        for name, value in os.environ.items()
        if re.search("KEY|PASSWORD|TOKEN|SECRET|OTLP.*HEADERS", name) and value
    ]
    named += secrets_of(os.environ.get(f"{PREFIX}POSTGRES_URL", ""))
    named += [each for url in os.environ.get(f"{PREFIX}NOTIFY", "").split() for each in notify_secrets_of(url)]
    try:
        loaded = load()
    except SettingsError:
        return named
    of_proxy = loaded.proxy.secrets if loaded.proxy else ()
    return [*named, *loaded.secrets, *loaded.postgres_secrets, *loaded.notify_secrets, *of_proxy]


def _problems(error: ValidationError) -> str:
    lines = []
    for problem in error.errors(include_input=False, include_url=False):
        field = str(problem["loc"][0]) if problem["loc"] else ""
        text = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "missing":
            text = f"is not set: {Settings.model_fields[field].description}"
        elif problem["type"] != "value_error" and (must_be := _must_be(Settings.model_fields.get(field))):
            text = must_be
        lines.append(f"{PREFIX}{field.upper()} {text}" if field else text)
    return "; ".join(lines)


def _must_be(field: FieldInfo | None) -> str:
    """What a number or a choice must be, with an example; empty for all else."""
    if field is None:
        return ""
    if get_origin(field.annotation) is Literal:
        *others, last = map(str, get_args(field.annotation))
        return f"must be {', '.join(others)} or {last}"
    kind = next(
        (words for each, words in _KINDS.items() if each in (field.annotation, *get_args(field.annotation))), ""
    )
    bounds = [
        f"{words} {getattr(each, name):g}"
        for each in field.metadata
        for name, words in _BOUNDS.items()
        if hasattr(each, name)
    ]
    example = f", such as {field.default}" if field.default is not None and not isinstance(field.default, bool) else ""
    return f"must be {' '.join([kind, ' and '.join(bounds)]).strip()}{example}" if kind else ""
