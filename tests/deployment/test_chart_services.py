"""Dagster's services as its chart would set them up with our values, as processes: two folders, and a password for each.

What the chart makes of the values, `helm_chart` says. Only addresses and ports are other ones.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from tests.conftest import Published, records_of
from tests.deployment.helm_chart import instance
from tests.deployment.installation import Installation, installed
from tests.deployment.services import Services
from tests.publish.postgres.cluster import Cluster

pytestmark = [pytest.mark.exhaustive, pytest.mark.timeout(600)]


class Pods(Services):
    """Webserver and daemon have the chart's folder and settings; the code server has those of its image."""

    @property
    def chart(self) -> Path:
        return self.home.parent / "chart"

    @property
    def values(self) -> dict[str, Any]:
        found: dict[str, Any] = yaml.safe_load((self.written / "helm-values.yaml").read_text())
        return found

    def fill_home(self) -> None:
        super().fill_home()
        self.chart.mkdir()
        made, _ = instance(self.values)
        made["storage"]["postgres"]["postgres_db"] |= {
            "hostname": self.environment["DAGSTER_POSTGRES_HOST"],
            "port": int(self.environment["DAGSTER_POSTGRES_PORT"]),
            "username": self.environment["DAGSTER_POSTGRES_USER"],
            "db_name": self.environment["DAGSTER_POSTGRES_DB"],
        }
        (self.chart / "dagster.yaml").write_text(yaml.safe_dump(made))
        (code,) = self.values["dagster-user-deployments"]["deployments"]
        server = {"host": "127.0.0.1", "port": int(self.ports["4000"]), "location_name": code["name"]}
        (self.home / "workspace.yaml").write_text(yaml.safe_dump({"load_from": [{"grpc_server": server}]}))

    def environment_of(self, name: str) -> dict[str, str]:
        given = super().environment_of(name) | {"DAGSTER_PG_PASSWORD": self.environment["DAGSTER_POSTGRES_PASSWORD"]}
        if name == "code":
            return given
        theirs = {each: value for each, value in given.items() if not each.startswith("DAGSTER_POSTGRES_")}
        return theirs | {"DAGSTER_HOME": str(self.chart)}


@pytest.fixture(scope="module")
def installation(postgres: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installed(postgres, tmp_path_factory.mktemp("chart"), Pods) as found:
        yield replace(found, dev=replace(found.dev, location="dcycle-pipeline"))


def test_a_sync_launched_in_the_ui_publishes_the_file(installation: Installation) -> None:
    run = installation.dev.run()
    assert installation.dev.status(run) == dg.DagsterRunStatus.SUCCESS, installation.services.log()
    published = Published(installation.data / "dcycle_warehouse.duckdb")
    assert published.records() == records_of(installation.sandbox.world)


def test_a_sync_by_command_in_the_pod_shows_in_the_ui(installation: Installation) -> None:
    run = installation.sync_by_command()
    assert installation.dev.status(run) == dg.DagsterRunStatus.SUCCESS
