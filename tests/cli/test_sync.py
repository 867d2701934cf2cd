"""sync, status and doctor: exit codes, one JSON object on stdout, the last line about gaps, one organisation only."""

import json
from pathlib import Path

import duckdb
import pytest
import zstandard

from dcycle_pipeline.api import latecomers
from dcycle_pipeline.endpoints.total_impacts import PATH as TOTAL_IMPACTS_PATH
from dcycle_pipeline.sandbox import Behaviour, Fault, Sandbox
from dcycle_pipeline.settings.unknown import UnknownVariable, unknown_variables
from tests.cli.conftest import Account, Invoke, variables
from tests.conftest import CHILD, ROOT


def published(data: Path, query: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str((data / "dcycle_warehouse.duckdb").resolve()), read_only=True) as connection:
        return connection.execute(query).fetchall()


def test_a_complete_sync_exits_with_0_and_one_json_object(synced: Account) -> None:
    assert synced.first.exit_code == 0, synced.first.output
    (line,) = synced.first.stdout.splitlines()
    answer = json.loads(line)
    assert (answer["exit_code"], answer["outcome"]) == (0, "published")
    assert answer["unproven_lists"] == answer["quarantined"] == []
    assert Path(answer["file"]) == synced.data / "dcycle_warehouse.duckdb"
    assert answer["rows_count"] == 142
    assert published(synced.data, "SELECT run_id FROM sync.runs") == [(answer["run_id"],)]


def test_progress_is_a_line_for_each_organisation_and_endpoint(synced: Account) -> None:
    lines = synced.first.stderr.splitlines()
    for organization in (ROOT, CHILD):
        for endpoint in ("facilities", "waste_water_treatments", "total_impacts"):
            assert len([line for line in lines if organization in line and f"{endpoint}:" in line]) == 1
    assert len(lines) == 6


def test_gaps_exit_with_1_and_the_last_line_names_them(sandbox: Sandbox, invoke: Invoke, tmp_path: Path) -> None:
    sandbox.behaviour = Behaviour(denied={"f-large": 403})
    environment = variables(sandbox, tmp_path / "data")
    result = invoke("sync", **environment)
    assert result.exit_code == 1, result.output
    last = result.stdout.splitlines()[-1]
    assert "f-large" in last
    assert "waste_water_treatments" in last
    assert "forbidden" in last
    status = invoke("status", "--json", **environment)
    assert status.exit_code == json.loads(status.stdout)["exit_code"] == 1
    assert [scope["facility_id"] for scope in json.loads(status.stdout)["unproven_lists"]] == ["f-large"]


def test_a_total_that_takes_longer_than_all_else_is_waited_for(
    sandbox: Sandbox, invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is asked for it once more in that run, so it would be missing every night."""
    monkeypatch.setattr(latecomers, "HURRIED_SECONDS", 0.05)
    slow = Fault("slow", organization_id=CHILD, path=TOTAL_IMPACTS_PATH, seconds=0.6, times=1)
    sandbox.behaviour = Behaviour(faults=(slow,))
    assert invoke("sync", **variables(sandbox, tmp_path / "data")).exit_code == 0
    totals = "SELECT DISTINCT organization_id, outcome FROM sync.lists WHERE endpoint = 'total_impacts' ORDER BY ALL"
    assert published(tmp_path / "data", totals) == [(ROOT, "answered"), (CHILD, "answered")]


def test_quarantined_items_exit_with_1_and_are_named(sandbox: Sandbox, invoke: Invoke, tmp_path: Path) -> None:
    bad = sandbox.world.facility_records("f-north")[0]["id"]
    sandbox.behaviour = Behaviour(malformed={bad: lambda item: item | {"quantity": "much"}})
    result = invoke("sync", **variables(sandbox, tmp_path / "data"))
    assert result.exit_code == 1, result.output
    assert bad in result.stdout
    assert "quantity" in result.stdout
    assert "1 item quarantined" in result.stdout.splitlines()[-1]


@pytest.mark.exhaustive
def test_one_organisation_can_be_synced_alone(synced: Account, invoke: Invoke, tmp_path: Path) -> None:
    """Into a folder of its own, so that the shared one stays as it is."""
    result = invoke("sync", "--json", "--organization", "water north", **variables(synced.sandbox, tmp_path / "data"))
    answer = json.loads(result.stdout)
    assert published(tmp_path / "data", "SELECT DISTINCT organization_id FROM dcycle.facilities") == [(CHILD,)]
    assert (result.exit_code, answer["outcome"]) == (1, "published_with_gaps")
    never_read = [(ROOT, "facilities", "not_read"), (ROOT, "waste_water_treatments", "not_read")]
    assert [(row["organization_id"], row["endpoint"], row["outcome"]) for row in answer["unproven_lists"]] == never_read
    assert all(ROOT in row["reason"] for row in answer["unproven_lists"])
    quality = "SELECT organization_id, unproven_list_count FROM summaries.data_quality ORDER BY ALL"
    assert dict(published(tmp_path / "data", quality)) == {ROOT: 2, CHILD: 0}
    status = invoke("status", "--json", **variables(synced.sandbox, tmp_path / "data"))
    assert json.loads(status.stdout)["exit_code"] == status.exit_code == 1
    rest = invoke("sync", "--json", "--organization", f"{ROOT[:8]}…", **variables(synced.sandbox, tmp_path / "data"))
    assert (rest.exit_code, json.loads(rest.stdout)["outcome"]) == (0, "published")


def test_status_shows_what_is_published(synced: Account, invoke: Invoke) -> None:
    shown = invoke("status", DCYCLE_DATA_DIR=str(synced.data))
    assert shown.exit_code == 0
    assert all(
        words in shown.stdout for words in (ROOT, CHILD, "Water North", str(synced.data / "dcycle_warehouse.duckdb"))
    )
    answer = json.loads(invoke("status", "--json", DCYCLE_DATA_DIR=str(synced.data)).stdout)
    assert {row["organization_id"]: (row["facilities"], row["wwt_records"]) for row in answer["organizations"]} == {
        ROOT: (3, 134),
        CHILD: (1, 4),
    }


def test_status_of_nothing_says_what_to_do(invoke: Invoke, tmp_path: Path) -> None:
    result = invoke("status", DCYCLE_DATA_DIR=str(tmp_path / "none"))
    assert result.exit_code == 3
    assert "dcycle-pipeline sync" in result.stderr
    assert not (tmp_path / "none").exists()


def test_doctor_finds_nothing_wrong_after_a_sync(synced: Account, invoke: Invoke) -> None:
    result = invoke("doctor", "--json", **synced.environment)
    answer = json.loads(result.stdout)
    assert result.exit_code == answer["exit_code"] == 0, result.output
    subjects = {finding["subject"] for finding in answer["findings"]}
    assert subjects >= {"versions", "settings", "data folder", "disk", "published file", "API", "credential", "clock"}
    assert {finding["level"] for finding in answer["findings"]} == {"ok"}


@pytest.mark.parametrize(
    ("name", "may_mean"),
    [
        ("DCYCLE_MAX_CONECTIONS", "DCYCLE_MAX_CONNECTIONS"),
        ("DCYLE_DATA_DIR", "DCYCLE_DATA_DIR"),
        ("DCYCLE_ZEBRA", ""),
        ("dcycle_api_key", None),  # read as it is
        ("CYCLES", None),
    ],
)
def test_doctor_notices_a_variable_that_nothing_reads(
    monkeypatch: pytest.MonkeyPatch, name: str, may_mean: str | None
) -> None:
    monkeypatch.setenv(name, "4")
    assert unknown_variables() == ([] if may_mean is None else [UnknownVariable(name, may_mean)])


def test_the_keys_of_organisations_are_known_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "organizations.toml"
    file.write_text('[[organization]]\nid = "a"\napi_key_variable = "DCYCLE_KEY_NORTH"\n')
    monkeypatch.setenv("DCYCLE_KEY_NORTH", "sk_live_north_1")
    assert unknown_variables() == [UnknownVariable("DCYCLE_KEY_NORTH", "")]
    monkeypatch.setenv("DCYCLE_ORGANIZATIONS_FILE", str(file))
    assert unknown_variables() == []


def test_doctor_says_which_variable_is_meant(synced: Account, invoke: Invoke) -> None:
    result = invoke("doctor", **synced.environment, DCYCLE_MAX_CONECTIONS="4")
    assert result.exit_code == 1
    warned, verdict = [line for line in result.stdout.splitlines() if not line.startswith("ok ")]
    assert warned == "warn  DCYCLE_MAX_CONECTIONS: nothing reads this variable → did you mean DCYCLE_MAX_CONNECTIONS?"
    assert verdict == "Verdict: a sync can run. Look at this, too: DCYCLE_MAX_CONECTIONS."


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        pytest.param({"DCYCLE_API_KEY": ""}, 2, "DCYCLE_API_KEY", id="no-key"),
        pytest.param({"DCYCLE_API_KEY": "sk_wrong_01234"}, 2, "401", id="wrong-key"),
        pytest.param({"DCYCLE_BASE_URL": "http://127.0.0.1:9"}, 3, "DCYCLE_BASE_URL", id="nobody-there"),
    ],
)
def test_doctor_tells_what_is_wrong(
    synced: Account, invoke: Invoke, change: dict[str, str], code: int, words: str
) -> None:
    result = invoke("doctor", **synced.environment | change)
    assert result.exit_code == code, result.output
    line, verdict = [line for line in result.stdout.splitlines() if not line.startswith("ok ")]
    assert words in line
    assert verdict.startswith(
        "Verdict: a sync cannot start" if code == 2 else "Verdict: not everything is in reach: API."
    )
    assert "sk_wrong_01234" not in result.output


def test_doctor_warns_of_an_organisation_that_may_not_be_read(synced: Account, invoke: Invoke) -> None:
    synced.sandbox.behaviour = Behaviour(denied={CHILD: 403})
    try:
        result = invoke("doctor", **synced.environment)
    finally:
        synced.sandbox.behaviour = Behaviour()
    assert result.exit_code == 1, result.output
    line, verdict = [line for line in result.stdout.splitlines() if not line.startswith("ok ")]
    assert verdict == "Verdict: a sync can run. Look at this, too: credential."
    assert "Water North" in line
    assert CHILD in line
    assert "403" in line


def test_no_secret_and_no_person_is_in_any_output_or_file(synced: Account, invoke: Invoke) -> None:
    outputs = [synced.first.output, *(invoke(verb, **synced.environment).output for verb in ("status", "doctor"))]
    bodies = [output.encode() for output in outputs]
    for path in (path for path in synced.data.rglob("*") if path.is_file()):
        body = path.read_bytes()
        if body.startswith(b"\x28\xb5\x2f\xfd"):
            body = zstandard.ZstdDecompressor().stream_reader(body, read_across_frames=True).read()
        bodies.append(body)
    hidden = {synced.sandbox.api_key, *synced.sandbox.personal_strings()}
    assert len(hidden) > 5
    forms = {form for text in hidden for form in (text.encode(), json.dumps(text)[1:-1].encode())}
    assert not [form for form in forms for body in bodies if form in body]
    assert any(b"f-large" in body for body in bodies), "the search looks inside the landed pages"


@pytest.mark.exhaustive
def test_an_endless_list_exits_with_1_and_names_the_budget_to_raise(
    sandbox: Sandbox, invoke: Invoke, tmp_path: Path
) -> None:
    sandbox.behaviour = Behaviour(endless={"f-old": "rows"})
    result = invoke("sync", **variables(sandbox, tmp_path / "data"), DCYCLE_LIST_PAGES="9")
    assert result.exit_code == 1, result.output
    assert "raise DCYCLE_LIST_PAGES" in result.stdout
    assert "waste_water_treatments of Ancienne Station (f-old) unproven" in result.stdout.splitlines()[-1]
    assert published(tmp_path / "data", "SELECT count(*) FROM dcycle.waste_water_treatments") == [(134,)]


@pytest.mark.exhaustive
def test_a_row_of_a_status_that_nobody_asks_for_exits_with_1_and_is_named(
    sandbox: Sandbox, invoke: Invoke, tmp_path: Path
) -> None:
    hidden = sandbox.world.add_record("f-old", status="review")
    result = invoke("sync", **variables(sandbox, tmp_path / "data"))
    assert result.exit_code == 1, result.output
    assert f"item {hidden}: status is 'review'" in result.stdout
    assert "1 item quarantined" in result.stdout.splitlines()[-1]


def test_lines_of_progress_count_in_words_and_say_nothing_of_what_was_refused(
    sandbox: Sandbox, invoke: Invoke, tmp_path: Path
) -> None:
    sandbox.behaviour = Behaviour(denied={CHILD: 403, "f-old": 403})
    said = invoke("sync", **variables(sandbox, tmp_path / "data")).stderr.splitlines()
    north = [line for line in said if line.startswith("Water North")]
    assert [line.partition(": ")[2].partition(":")[0] for line in north] == ["forbidden"]
    read = [line.partition(": ")[2].partition(" (")[0] for line in said if "(" in line and line.endswith(" s)")]
    assert read[:2] == ["3 rows in 1 list", "130 rows in 3 lists, 1 of them may lack rows"]
    assert not [line for line in said if " 1 lists" in line or " 0 rows" in line]
