"""With a DAGSTER_HOME the command runs the Dagster job, without it the same steps: both leave the same behind."""

from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from dcycle_pipeline.errors import UnavailableError
from dcycle_pipeline.sandbox import Behaviour, Sandbox
from dcycle_pipeline.sync import year_totals
from tests.cli.conftest import Invoke, variables
from tests.conftest import Published
from tests.properties.aftermath import contents, said_as_json

OURS = {"run_id", "started_at", "published_at", "summarised_at", "file", "report", "duration_seconds", "requests_count"}


def outcome(
    invoke: Invoke, sandbox: Sandbox, data: Path, *words: str, **environment: str
) -> tuple[int, dict[str, Any]]:
    result = invoke("sync", "--json", *words, **variables(sandbox, data, **environment))
    said = said_as_json(result.stdout)
    for row in said["unproven_lists"]:
        del row["unproven_since"]
    return result.exit_code, {name: value for name, value in said.items() if name not in OURS}


@pytest.mark.exhaustive
@pytest.mark.parametrize("words", [(), ("--organization", "22222222-2222-4222-8222-222222222222")], ids=["all", "one"])
def test_both_ways_publish_the_same(sandbox: Sandbox, invoke: Invoke, tmp_path: Path, words: tuple[str, ...]) -> None:
    sandbox.behaviour = Behaviour(denied={"f-old": 403})
    (tmp_path / "home").mkdir()
    home = {"DAGSTER_HOME": str(tmp_path / "home")}
    here = outcome(invoke, sandbox, tmp_path / "here", *words)
    with_dagster = outcome(invoke, sandbox, tmp_path / "there", *words, **home)
    assert here == with_dagster
    assert contents(tmp_path / "here" / "dcycle_warehouse.duckdb") == contents(
        tmp_path / "there" / "dcycle_warehouse.duckdb"
    )
    lists = "SELECT organization_id, endpoint, facility_id, year, outcome FROM sync.lists ORDER BY ALL"
    said = [Published(tmp_path / name / "dcycle_warehouse.duckdb").query(lists) for name in ("here", "there")]
    assert said[0] == said[1]
    assert (tmp_path / "here" / "report.html").exists()
    assert (tmp_path / "there" / "report.html").exists()


@pytest.mark.exhaustive
@pytest.mark.parametrize("with_dagster", [False, True])
def test_totals_that_fail_hold_up_neither_way(
    sandbox: Sandbox, invoke: Invoke, tmp_path: Path, with_dagster: bool
) -> None:
    (tmp_path / "home").mkdir()
    home = {"DAGSTER_HOME": str(tmp_path / "home")} if with_dagster else {}
    with patch.object(year_totals, "merge_year_totals", side_effect=UnavailableError("no room for totals")):
        code, said = outcome(invoke, sandbox, tmp_path / "data", **home)
    assert (code, said["outcome"]) == (0, "published")
    assert Published(tmp_path / "data" / "dcycle_warehouse.duckdb").query(
        "SELECT count(*) FROM dcycle.total_impacts"
    ) == [(0,)]
