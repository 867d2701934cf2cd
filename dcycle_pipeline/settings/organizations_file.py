"""DCYCLE_ORGANIZATIONS_FILE: which organisations to read, and which have a key of their own. The keys themselves belong to `settings`."""

import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from dcycle_pipeline.errors import SettingsError


class OrganizationEntry(BaseModel):
    """An organisation with a key of its own, and the name of the variable that holds the key."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    id: str
    api_key_variable: str


class OrganizationsFile(BaseModel):
    """What the file (TOML) says; one that says nothing takes every organisation of the tree."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    include: frozenset[str] | None = None
    exclude: frozenset[str] = frozenset()
    organization: tuple[OrganizationEntry, ...] = ()

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
