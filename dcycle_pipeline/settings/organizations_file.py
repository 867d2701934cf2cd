"""DCYCLE_ORGANIZATIONS_FILE: which organisations to read, and which have a key or a time of their own. The keys themselves belong to
`settings`.
"""

import tomllib
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from dcycle_pipeline.errors import SettingsError


class OrganizationEntry(BaseModel):
    """An organisation with something of its own: the name of the variable that holds its key, the minutes that a run may ask it."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    id: str
    api_key_variable: str | None = None
    minutes: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.api_key_variable is None and self.minutes is None:
            raise ValueError(f"organisation {self.id} has neither api_key_variable nor minutes: add one, or remove it")
        return self


class OrganizationsFile(BaseModel):
    """What the file (TOML) says; one that says nothing takes every organisation of the tree."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    include: frozenset[str] | None = None
    exclude: frozenset[str] = frozenset()
    organization: tuple[OrganizationEntry, ...] = ()

    @property
    def key_variables(self) -> dict[str, str]:
        """The variables that hold keys, by organisation."""
        return {entry.id: entry.api_key_variable for entry in self.organization if entry.api_key_variable is not None}

    def minutes_of(self, organization_id: str) -> float | None:
        """How long a run may ask an organisation; None if that is not said of it."""
        own = (entry.minutes for entry in self.organization if entry.id == organization_id)
        return next((minutes for minutes in own if minutes is not None), None)

    def wants(self, organization_id: str) -> bool:
        """Whether an organisation of the tree is synced."""
        return organization_id not in self.exclude and (self.include is None or organization_id in self.include)


def read_organizations_file(path: Path | None) -> OrganizationsFile:
    """What the file says, if there is one. Raises SettingsError if it is wrong."""
    if path is None:
        return OrganizationsFile()
    try:
        return OrganizationsFile.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(
            f"DCYCLE_ORGANIZATIONS_FILE {path} cannot be read: {error}. Correct it or unset the variable."
        ) from None
    except ValidationError as error:
        problems = error.errors(include_input=False, include_url=False)
        said = "; ".join(f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in problems)
        raise SettingsError(f"DCYCLE_ORGANIZATIONS_FILE {path}: {said}.") from None
