"""Variables that look like ours and that nothing reads: most are mistyped, and a default is taken in their place without a word."""

from dataclasses import dataclass
from difflib import get_close_matches

from dcycle_pipeline.errors import SettingsError
from dcycle_pipeline.settings.declared import declared
from dcycle_pipeline.settings.organizations_file import read_organizations_file
from dcycle_pipeline.settings.sources import PREFIX, absolute, variables

_ALIKE = 0.8  # of difflib's ratio: one or two letters of a name
_NEARLY = 0.9  # of a name with the prefix, which alone makes any two alike


@dataclass(frozen=True)
class UnknownVariable:
    """A variable that nothing reads, and the setting that it may mean; empty if none is near."""

    name: str
    may_mean: str


def unknown_variables() -> list[UnknownVariable]:
    """Each variable of the environment or `.env` that begins like ours, or nearly so, and is none. Raises what `variables` does."""
    given = variables()
    settings = [each.variable for each in declared()]
    unknown = sorted(given.keys() - _own_keys(given) - {name for name in given if name.upper() in settings})
    found = [UnknownVariable(name, _near(name.upper(), settings)) for name in unknown]
    return [each for each in found if each.may_mean or each.name.upper().startswith(PREFIX)]


def _near(name: str, settings: list[str]) -> str:
    """The setting that a name may mean, by what makes it differ from the other settings."""
    own = {each.removeprefix(PREFIX): each for each in settings}
    found = get_close_matches(name.removeprefix(PREFIX), own, n=1, cutoff=_ALIKE) if name.startswith(PREFIX) else []
    return next((own[each] for each in found), "") or next(
        iter(get_close_matches(name, settings, n=1, cutoff=_NEARLY)), ""
    )


def _own_keys(given: dict[str, str]) -> set[str]:
    """The variables that the organisations file names for keys. What is wrong with the file belongs to `loading`."""
    file = given.get(f"{PREFIX}ORGANIZATIONS_FILE")
    try:
        return set(read_organizations_file(absolute(file) if file else None).key_variables.values())
    except SettingsError:
        return set()
