"""Which files an installation starts from, and their texts. Writing them down belongs to `writing`."""

import json
import os
import pwd
import secrets
import sys
from importlib.metadata import distribution, distributions, version
from importlib.resources import files
from pathlib import Path
from urllib.parse import unquote

from jinja2 import Environment, PackageLoader, StrictUndefined

from dcycle_pipeline.errors import SettingsError
from dcycle_pipeline.settings.declared import declared

PACKAGE = "dcycle_pipeline"
# What only the owner may read: it holds the key and a password.
SECRET = ".env"  # noqa: S105 - the name of a file
# Each name with what the file is for, as the command says it at the end.
FILES = {
    SECRET: "every setting, and the password of Dagster's database: fill in the first two",
    "compose.yaml": "Dagster's webserver and daemon, the code server and PostgreSQL as containers",
    "Dockerfile": "the image of the first three",
    ".dockerignore": "what of this folder goes into the image: no secret",
    "constraints.txt": "the versions that the image installs, those of this machine",
    "dagster.yaml": "Dagster's storage, limits and retention",
    "workspace.yaml": "where Dagster finds the code server",
    "dcycle-sync.service": "a sync for systemd, without Dagster's services",
    "dcycle-sync.timer": "when systemd starts it",
    "helm-values.yaml": "values for Dagster's own chart on Kubernetes",
}


_FILE = "file://"
# systemd and a shell give these a meaning, each another one.
_NOT_IN_PATHS = "\"'\\$"


def texts(folder: Path) -> dict[str, str]:
    """Each file's text by its name. `folder` is where they will be. Raises SettingsError if systemd could not write its path down."""
    # Only we and the operator write what is filled in here, and none of it is HTML.
    environment = Environment(  # noqa: S701
        loader=PackageLoader(f"{PACKAGE}.deployment"),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
    )
    facts = {
        "dagster": version("dagster"),
        "folder": _for_systemd(Path(os.path.abspath(folder))),
        "password": secrets.token_urlsafe(24),
        "program": _for_systemd(program("dcycle-pipeline")),
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "settings": declared(),
        "user": pwd.getpwuid(os.geteuid()).pw_name,
        "version": version(PACKAGE),
        "versions": _versions(),
    }
    return {name: environment.get_template(f"{name.lstrip('.')}.j2").render(facts) for name in FILES}


def chapter() -> Path:
    """The chapter on deployment, which the package brings along."""
    return Path(str(files(PACKAGE).joinpath("docs", "deployment.md"))).absolute()


def program(name: str) -> Path:
    """A program of the environment that this one runs in."""
    return Path(sys.executable).with_name(name)


def source() -> str:
    """Where pip gets this package from: the folder or address that it was installed from, else its name and version."""
    said = distribution(PACKAGE).read_text("direct_url.json")
    if said is None:
        return f"{PACKAGE}=={version(PACKAGE)}"
    url: str = json.loads(said)["url"]
    return unquote(url.removeprefix(_FILE)) if url.startswith(_FILE) else url


def _for_systemd(path: Path) -> str:
    if found := [each for each in str(path) if each in _NOT_IN_PATHS or not each.isprintable()]:
        raise SettingsError(
            f"systemd cannot take the path {str(path)!a}: it holds {found[0]!a}. Name another folder. Nothing was written."
        )
    return str(path).replace("%", "%%")


def _versions() -> list[str]:
    """What is installed here, as pip's constraints."""
    found = {each.name.lower(): each.version for each in distributions()}
    return [f"{name}=={found[name]}" for name in sorted(found) if name.replace("-", "_") != PACKAGE]
