"""What the settings are, for whoever writes them down: from the declarations, so that there is no second list of them."""

from dataclasses import dataclass

from dcycle_pipeline.settings.model import Settings
from dcycle_pipeline.settings.sources import DATA_DIR, PREFIX

# Without these two no account can be read. All others have a default, or go with one of these.
_TO_FILL_IN = ("api_key", "organization_id")


@dataclass(frozen=True)
class Declared:
    """One setting: its variable, its default as that variable would say it, its meaning, and whether somebody must fill it in."""

    variable: str
    default: str
    meaning: str
    to_fill_in: bool


def declared() -> list[Declared]:
    """Every setting, in the order of the declarations; those that somebody must fill in come first."""
    fields = Settings.model_fields
    ordered = [*_TO_FILL_IN, *(name for name in fields if name not in _TO_FILL_IN)]
    return [
        Declared(f"{PREFIX}{name.upper()}", _default(name), fields[name].description or "", name in _TO_FILL_IN)
        for name in ordered
    ]


def _default(name: str) -> str:
    field = Settings.model_fields[name]
    if field.is_required() or field.default is None:
        return ""
    if field.default == DATA_DIR:
        return f"./{DATA_DIR}"
    return str(field.default).lower() if isinstance(field.default, bool) else str(field.default)
