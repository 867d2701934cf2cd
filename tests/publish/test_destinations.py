"""Destinations beside the file: each has its own outcome, and one that fails is named and holds nothing up."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import pytest

from dcycle_pipeline.errors import UnavailableError
from dcycle_pipeline.publish.delivery import Delivery
from dcycle_pipeline.publish.destinations import DESTINATIONS, Destination
from dcycle_pipeline.sandbox import API_KEY, Sandbox
from dcycle_pipeline.settings import Settings
from tests.cli.conftest import Invoke, files_in, invoke, variables
from tests.conftest import Published
from tests.properties.aftermath import said_as_json
from tests.publish.parquet_readers import latest

__all__ = ["invoke"]


def environment(sandbox: Sandbox, folder: Path, **changes: str) -> dict[str, str]:
    usual = {"DCYCLE_DESTINATIONS": "parquet", "DCYCLE_PARQUET_DIR": str(folder / "parquet")}
    return variables(sandbox, folder / "data", **usual | changes)


@contextmanager
def registered(name: str, reason: str = "", kind: type[Exception] = UnavailableError) -> Iterator[list[str]]:
    """One destination more, by one line of the registry; it fails for a reason, or keeps the runs that it was sent."""
    runs: list[str] = []

    def send(delivery: Delivery) -> None:
        if reason:
            raise kind(reason)
        runs.append(delivery.run_id)

    def attempt(settings: Settings) -> str:
        if reason:
            raise UnavailableError(reason)
        return "it answers"

    with patch.dict(DESTINATIONS, {name: Destination(send, (), attempt)}):
        yield runs


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"DCYCLE_DESTINATIONS": "parquet, fax"}, "DCYCLE_DESTINATIONS names 'fax'"),
        ({"DCYCLE_PARQUET_DIR": ""}, "needs DCYCLE_PARQUET_DIR: set it"),
        ({"DCYCLE_PARQUET_DIR": "s3://bucket"}, "DCYCLE_PARQUET_DIR is an address"),
        ({"DCYCLE_PARQUET_DIR": "a*b"}, "DCYCLE_PARQUET_DIR holds *"),
        ({"DCYCLE_PARQUET_DIR": "data/parquet"}, "DCYCLE_PARQUET_DIR lies in DCYCLE_DATA_DIR"),
    ],
)
def test_what_is_set_wrongly_is_said_before_anything_is_read(
    sandbox: Sandbox, invoke: Invoke, tmp_path: Path, changes: dict[str, str], said: str
) -> None:
    wrong = environment(sandbox, tmp_path, **changes)
    result = invoke("sync", **wrong)
    assert result.exit_code == 2, result.output
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert sandbox.requests == []
    assert not (tmp_path / "data").exists()
    assert invoke("doctor", **wrong).exit_code == 2


@pytest.mark.exhaustive
def test_a_destination_that_fails_is_named_and_sent_again_by_the_next_sync(
    sandbox: Sandbox, invoke: Invoke, tmp_path: Path, few_summaries: None
) -> None:
    (tmp_path / "parquet").write_text("in the way", encoding="utf-8")
    wanted = environment(sandbox, tmp_path, DCYCLE_DESTINATIONS="parquet,paper,other")
    with registered("paper", f"no paper for {API_KEY}\n\x1b[31m") as nothing, registered("other") as runs:
        first = invoke("sync", "--json", **wanted)
        told = invoke("status", **wanted)
        checked = invoke("doctor", **wanted)
    found = said_as_json(first.stdout)
    assert (first.exit_code, found["exit_code"], found["outcome"]) == (1, 1, "published")
    outcomes = {one["destination"]: (one["outcome"], one["run_id"]) for one in found["destinations"]}
    run_id = found["run_id"]
    assert outcomes == {"parquet": ("failed", run_id), "paper": ("failed", run_id), "other": ("delivered", run_id)}
    assert (nothing, runs) == ([], [run_id])
    assert Published(Path(found["file"])).query("SELECT count(*) FROM dcycle.waste_water_treatments") == [(138,)]
    assert told.exit_code == 1
    (last,) = [line for line in told.stdout.splitlines() if line.startswith("Not delivered")]
    assert "Not delivered: parquet (failed: DCYCLE_PARQUET_DIR" in last
    assert "paper (failed: no paper for [secret] \\x1b[31m)" in last
    assert API_KEY not in first.output + told.output
    assert "destination paper: no paper" in checked.stdout
    assert checked.exit_code == 2

    (tmp_path / "parquet").unlink()
    with registered("paper") as runs, registered("other"):
        again = invoke("sync", "--json", **wanted)
    found = said_as_json(again.stdout)
    assert again.exit_code == 0, again.output
    assert not found["content_changed"]
    assert runs == [found["run_id"]]
    assert latest(tmp_path / "parquet") == (found["run_id"], found["run_id"])
    rows = Published(Path(found["file"])).query("SELECT destination, outcome FROM sync.destinations ORDER BY ALL")
    assert rows == [("other", "delivered"), ("paper", "failed"), ("parquet", "failed")]
    assert "Delivered to parquet" in invoke("status", **wanted).stdout


@pytest.mark.exhaustive
def test_what_is_no_longer_set_is_no_longer_named(
    sandbox: Sandbox, invoke: Invoke, tmp_path: Path, few_summaries: None
) -> None:
    with registered("paper", "no paper"):
        assert invoke("sync", **environment(sandbox, tmp_path, DCYCLE_DESTINATIONS="paper")).exit_code == 1
    off = variables(sandbox, tmp_path / "data")
    assert invoke("sync", **off).exit_code == 0
    assert invoke("status", **off).exit_code == 0
    assert not (tmp_path / "data" / "working" / "destinations.json").exists()


@pytest.mark.exhaustive
def test_a_destination_that_lags_behind_is_named(
    sandbox: Sandbox, invoke: Invoke, tmp_path: Path, few_summaries: None
) -> None:
    wanted = environment(sandbox, tmp_path)
    assert invoke("sync", **wanted).exit_code == 0
    noted = tmp_path / "data" / "working" / "destinations.json"
    before = noted.read_bytes()
    assert invoke("sync", **wanted).exit_code == 0
    noted.write_bytes(before)  # as if the second sync had died once its file was in place
    told = invoke("status", **wanted)
    assert told.exit_code == 1
    assert "Not delivered: parquet (unfinished: what was sent last was published at" in told.stdout


@pytest.mark.exhaustive
def test_not_even_a_defect_of_one_takes_the_others_with_it(
    sandbox: Sandbox, invoke: Invoke, tmp_path: Path, few_summaries: None
) -> None:
    wanted = environment(sandbox, tmp_path, DCYCLE_DESTINATIONS="paper,parquet")
    with registered("paper", "no such key", KeyError):
        result = invoke("sync", **wanted)
    assert result.exit_code == 1
    assert "Not delivered: paper (failed: a defect of dcycle_pipeline (KeyError" in result.stdout.splitlines()[-1]
    assert (tmp_path / "parquet" / "latest.json").exists()


@pytest.mark.exhaustive
@pytest.mark.parametrize("damage", [b"", b"[1]", b'{"a": 1}', b'[{"destination": "parquet"}]'])
def test_a_damaged_note_stops_nothing(
    sandbox: Sandbox, invoke: Invoke, tmp_path: Path, damage: bytes, few_summaries: None
) -> None:
    wanted = environment(sandbox, tmp_path)
    assert invoke("sync", **wanted).exit_code == 0
    noted = tmp_path / "data" / "working" / "destinations.json"
    noted.write_bytes(damage)
    assert invoke("status", **wanted).exit_code == 0
    assert invoke("sync", **wanted).exit_code == 0
    assert b'"delivered"' in noted.read_bytes()


@pytest.mark.exhaustive
def test_with_dagster_the_command_says_the_same(sandbox: Sandbox, invoke: Invoke, tmp_path: Path) -> None:
    (tmp_path / "parquet").write_text("in the way", encoding="utf-8")
    (tmp_path / "home").mkdir()
    said = []
    for home, name in [("", "here"), (str(tmp_path / "home"), "there")]:
        wanted = environment(sandbox, tmp_path, DCYCLE_DATA_DIR=str(tmp_path / name), DAGSTER_HOME=home)
        result = invoke("sync", "--json", **wanted)
        (sending,) = said_as_json(result.stdout)["destinations"]
        said.append((result.exit_code, sending["destination"], sending["outcome"], sending["reason"]))
    assert said[0] == said[1]
    assert said[0][:3] == (1, "parquet", "failed")


def test_doctor_tries_the_folder_and_leaves_nothing(sandbox: Sandbox, invoke: Invoke, tmp_path: Path) -> None:
    wanted = environment(sandbox, tmp_path)
    told = invoke("doctor", **wanted)
    assert f"ok    destination parquet: {tmp_path / 'parquet'} can be made" in told.stdout
    assert not (tmp_path / "parquet").exists()
    (tmp_path / "parquet").mkdir()
    assert f"{tmp_path / 'parquet'} can be written" in invoke("doctor", **wanted).stdout
    (tmp_path / "parquet" / "notes.txt").write_text("mine", encoding="utf-8")
    told = invoke("doctor", **wanted)
    assert (told.exit_code, files_in(tmp_path / "parquet").keys()) == (2, {str(tmp_path / "parquet" / "notes.txt")})
    assert "error destination parquet: DCYCLE_PARQUET_DIR" in told.stdout
