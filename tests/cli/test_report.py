"""`dcycle-pipeline report`: where the page goes, what is said, and how it ends."""

import json
import os
from pathlib import Path

import pytest

from dcycle_pipeline.sandbox import Behaviour, Sandbox
from tests.cli.conftest import Account, Invoke, variables


def test_the_page_is_written_into_the_data_folder(synced: Account, invoke: Invoke) -> None:
    page = synced.data / "report.html"
    page.unlink(missing_ok=True)
    result = invoke("report", DCYCLE_DATA_DIR=str(synced.data))
    assert result.exit_code == 0
    assert str(page) in result.stdout
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert page.stat().st_mode & 0o777 == 0o644
    assert not list(synced.data.glob("*.part")) + list(synced.data.glob(".*.part"))


def test_output_and_json_name_the_file(synced: Account, invoke: Invoke, tmp_path: Path) -> None:
    result = invoke("report", "--json", "--output", "board.html", DCYCLE_DATA_DIR=str(synced.data))
    said = json.loads(result.stdout)
    assert said["report"] == str(tmp_path / "board.html")
    assert said["report_bytes"] == (tmp_path / "board.html").stat().st_size
    assert (said["exit_code"], said["run_id"]) == (0, json.loads(synced.first.stdout)["run_id"])


@pytest.mark.exhaustive
def test_gaps_exit_with_1_and_the_last_line_names_them(sandbox: Sandbox, invoke: Invoke, tmp_path: Path) -> None:
    sandbox.behaviour = Behaviour(denied={"f-large": 403})
    data = tmp_path / "data"
    assert invoke("sync", **variables(sandbox, data)).exit_code == 1
    result = invoke("report", DCYCLE_DATA_DIR=str(data))
    assert result.exit_code == 1
    assert "Planta Álamo (f-large) forbidden" in result.stdout.splitlines()[-1]
    assert "Not complete" in (data / "report.html").read_text(encoding="utf-8")


def test_nothing_published_exits_with_3_and_leaves_no_page(invoke: Invoke, tmp_path: Path) -> None:
    result = invoke("report", DCYCLE_DATA_DIR=str(tmp_path / "none"))
    assert result.exit_code == 3
    assert "dcycle-pipeline sync" in result.stderr
    assert not (tmp_path / "none").exists()


@pytest.mark.quick(1)
@pytest.mark.parametrize("output", ["missing/board.html", "."])
def test_a_place_that_cannot_be_written_exits_with_2(
    synced: Account, invoke: Invoke, tmp_path: Path, output: str
) -> None:
    before = os.listdir(tmp_path)
    result = invoke("report", "--output", output, DCYCLE_DATA_DIR=str(synced.data))
    assert result.exit_code == 2
    assert output in result.stderr
    assert "cannot be written" in result.stderr
    assert os.listdir(tmp_path) == before


@pytest.mark.exhaustive
def test_a_sync_whose_report_fails_has_published_all_the_same(sandbox: Sandbox, invoke: Invoke, tmp_path: Path) -> None:
    data = tmp_path / "data"
    assert invoke("sync", **variables(sandbox, data)).exit_code == 0
    (data / "report.html").unlink()
    (data / "report.html").mkdir()
    result = invoke("sync", **variables(sandbox, data))
    assert result.exit_code == 1
    assert "Published, but the report was not written" in result.stderr
    assert (data / "dcycle_warehouse.duckdb").exists()
