"""What `init` wrote, up and running over a sandbox: Dagster's services on PostgreSQL, and a way to drive them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dcycle_pipeline.cli import app
from dcycle_pipeline.sandbox import Behaviour, Sandbox
from tests.cli.conftest import variables
from tests.conftest import small_world
from tests.deployment.services import Services, services
from tests.properties.dev import UNSCHEDULED, Dev, with_hook
from tests.properties.places import Place
from tests.publish.postgres.cluster import Cluster

# A run that has the folder, and has published nothing yet.
UNDER_WAY = Place("sync/organizations.py", "manifest.write_tree(")


@dataclass(frozen=True)
class Installation:
    """The services, a way to launch runs through their GraphQL, and the folder that they publish to."""

    services: Services
    dev: Dev
    sandbox: Sandbox
    data: Path

    def sync_by_command(self) -> str:
        """The id of the run of `dcycle-pipeline sync` beside the code server. Nobody meets its process."""
        found = self.services
        without_hook = {name: value for name, value in found.for_code.items() if name.startswith("DCYCLE_")}
        found.for_code, kept = without_hook, found.for_code
        done = found.run("dcycle-pipeline", "sync", "--json", within="code")
        found.for_code = kept
        assert done.returncode == 0, done.stderr
        return str(json.loads(done.stdout)["run_id"])


@contextmanager
def installed(
    postgres: Cluster,
    folder: Path,
    kind: type[Services] = Services,
    behaviour: Behaviour | None = None,
    **settings: str,
) -> Iterator[Installation]:
    """What `init` writes, up and running over the small world, until the block ends. The API behaves so from the start."""
    written, home, data, room = (folder / name for name in ("written", "home", "data", "room"))
    assert CliRunner().invoke(app, ["init", str(written)]).exit_code == 0
    with (
        Sandbox(small_world(), behaviour or Behaviour()) as sandbox,
        services(
            written, home, postgres, variables(sandbox, data, **UNSCHEDULED | settings) | with_hook(room), kind
        ) as running,
        pytest.MonkeyPatch.context() as patch,
    ):
        for name, value in running.environment.items():
            patch.setenv(name, value)
        yield Installation(running, Dev(running.url, home, room, "dcycle_pipeline"), sandbox, data)
