"""`dcycle-pipeline sync` with the destination `postgres`, through the command line."""

import json
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from dcycle_pipeline.sandbox import Sandbox
from tests.cli.conftest import Invoke, invoke, variables

__all__ = ["invoke"]

COUNT = "SELECT count(*) FROM bi.facilities"


def rows(url: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchall()


@pytest.mark.exhaustive
def test_a_sync_sends_what_it_publishes_and_names_a_database_that_is_away(
    sandbox: Sandbox, invoke: Invoke, tmp_path: Path, new_database: Callable[..., str]
) -> None:
    url = new_database()
    settings = variables(sandbox, tmp_path / "data", DCYCLE_DESTINATIONS="postgres", DCYCLE_POSTGRES_URL=url)
    done = invoke("sync", "--json", **settings)
    assert done.exit_code == 0, done.output
    assert [each["outcome"] for each in json.loads(done.stdout)["destinations"]] == ["delivered"]
    before = rows(url, COUNT)
    sandbox.world.add_facility(sandbox.world.root_id)
    away = settings | {"DCYCLE_POSTGRES_URL": "postgresql://dcycle:very-secret@127.0.0.1:9/dcycle"}
    failed = invoke("sync", **away)
    assert failed.exit_code == 1, failed.output
    assert "postgres" in failed.output
    assert "very-secret" not in failed.output
    assert rows(url, COUNT) == before
    assert invoke("sync", **settings).exit_code == 0
    assert rows(url, COUNT) == [(before[0][0] + 1,)]  # type: ignore[operator]
    assert invoke("status", **settings).exit_code == 0
    assert invoke("doctor", **settings).exit_code == 0
