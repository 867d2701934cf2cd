"""The door of every command, as processes: streams that fail, signals, and errors that nobody thought of."""

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from dcycle_pipeline.sandbox import Behaviour, Fault, Sandbox
from tests.cli.conftest import variables
from tests.conftest import without_heartbeat

COMMAND = [sys.executable, "-m", "dcycle_pipeline"]


def environment(sandbox: Sandbox, folder: Path, **more: str) -> dict[str, str]:
    return dict(os.environ) | variables(sandbox, folder / "data") | {"TMPDIR": str(folder)} | more


@pytest.mark.exhaustive
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_full_disk_behind_a_stream_stops_no_publication(sandbox: Sandbox, tmp_path: Path, stream: str) -> None:
    with Path("/dev/full").open("wb") as full:
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | {stream: full}
        ended = subprocess.run([*COMMAND, "sync"], env=environment(sandbox, tmp_path), check=False, **streams)  # type: ignore[call-overload]
    assert ended.returncode == 0
    assert (tmp_path / "data" / "dcycle_warehouse.duckdb").exists()


@pytest.mark.exhaustive
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_reader_that_leaves_stops_no_publication(sandbox: Sandbox, tmp_path: Path, stream: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as left:
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | {stream: left}
        ended = subprocess.run([*COMMAND, "sync"], env=environment(sandbox, tmp_path), check=False, **streams)  # type: ignore[call-overload]
    assert ended.returncode == 0
    assert (tmp_path / "data" / "dcycle_warehouse.duckdb").exists()


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("setting", "shown"),
    [
        ({"PYTHONIOENCODING": "ascii"}, b"\\xd1and\\xfa \\u20ac"),
        ({"PYTHONIOENCODING": "iso8859-1"}, "Ñandú \\u20ac".encode("latin-1")),
        ({"PYTHONIOENCODING": "cp1252"}, "Ñandú €".encode("cp1252")),
        ({"PYTHONWARNINGS": "error"}, "Ñandú €".encode()),
    ],
)
def test_no_encoding_and_no_warning_ends_a_command(
    sandbox: Sandbox, tmp_path: Path, setting: dict[str, str], shown: bytes
) -> None:
    sandbox.world.add_organization("named", "Ñandú €", sandbox.world.root_id)
    for words in (["sync", "--json"], ["status", "--json"], ["status"], ["doctor"]):
        there = environment(sandbox, tmp_path, **setting)
        ended = subprocess.run([*COMMAND, *words], env=there, check=False, capture_output=True)
        assert ended.returncode == 0, ended.stderr
        assert shown in ended.stdout or words != ["status"]
    assert setting.get("PYTHONIOENCODING", "utf-8").encode() in ended.stdout


@pytest.mark.exhaustive
def test_what_is_far_too_long_or_too_large_is_no_defect(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.world.add_record(sandbox.world.add_facility(sandbox.world.root_id, id="x" * 70_000), co2e="1")
    ended = subprocess.run([*COMMAND, "sync"], env=environment(sandbox, tmp_path), check=False, capture_output=True)
    assert ended.returncode in (0, 1), ended.stderr
    there = environment(sandbox, tmp_path, DCYCLE_RESUME_HOURS="1e9")
    ended = subprocess.run([*COMMAND, "sync"], env=there, check=False, capture_output=True)
    assert (ended.returncode, len(ended.stderr.splitlines())) == (2, 1), ended.stderr
    assert b"DCYCLE_RESUME_HOURS" in ended.stderr


@pytest.mark.quick(1)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_sync_with_one_line(sandbox: Sandbox, tmp_path: Path, number: signal.Signals) -> None:
    sandbox.behaviour = Behaviour(faults=(Fault("500", path="/v1/waste-water"),))
    patient = environment(sandbox, tmp_path, DCYCLE_RETRY_ATTEMPTS="1000", DCYCLE_RETRY_FIRST_WAIT_SECONDS="30")
    with subprocess.Popen([*COMMAND, "sync"], env=patient, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        first = next(without_heartbeat(process.stderr))
        assert "facilities" in first
        process.send_signal(number)
        meanwhile = ("facilities:", "Trying again")
        lines = [each for each in without_heartbeat(process.stderr) if not any(words in each for words in meanwhile)]
    assert (process.returncode, len(lines)) == (128 + number, 1), lines


def test_what_nobody_thought_of_ends_with_70_and_names_its_trace(sandbox: Sandbox, tmp_path: Path) -> None:
    broken = """
import sys
from dcycle_pipeline.cli import syncing
syncing.sync_and_tell = lambda *a, **k: 1 / 0
from dcycle_pipeline.__main__ import main
sys.argv[1:] = ["sync"]
main()
"""
    ended = subprocess.run(
        [sys.executable, "-c", broken], env=environment(sandbox, tmp_path), check=False, capture_output=True, text=True
    )
    assert ended.returncode == 70
    (line,) = ended.stderr.splitlines()
    (trace,) = tmp_path.glob("dcycle_pipeline_defect_*.txt")
    assert str(trace) in line
    assert "ZeroDivisionError" in trace.read_text()
    assert stat.S_IMODE(trace.stat().st_mode) == 0o600


@pytest.mark.quick(1)
@pytest.mark.parametrize(
    "text",
    ["DCYCLE_EMAIL=ñ".encode("latin-1"), "DCYCLE_EMAIL=x".encode("utf-16"), "DCYCLE_EMAIL=x".encode("utf-16-le")],
)
def test_an_env_file_that_is_not_utf_8_is_named(tmp_path: Path, text: bytes) -> None:
    (tmp_path / ".env").write_bytes(text)
    for verb in ("sync", "status"):
        ended = subprocess.run([*COMMAND, verb], cwd=tmp_path, check=False, capture_output=True, text=True)
        assert (ended.returncode, len(ended.stderr.splitlines())) == (2, 1), ended.stderr
        assert ".env" in ended.stderr


@pytest.mark.exhaustive
@pytest.mark.parametrize(("name", "where"), [("~/a b", "home/a b"), ("rel #%ñ", "rel #%ñ"), ("", "data"), (".", ".")])
def test_the_data_folder_is_the_same_for_every_verb(sandbox: Sandbox, tmp_path: Path, name: str, where: str) -> None:
    there = dict(os.environ) | variables(sandbox, tmp_path) | {"HOME": str(tmp_path / "home")}
    del there["DCYCLE_DATA_DIR"]
    (tmp_path / ".env").write_text(f"\ufeffDCYCLE_DATA_DIR='{name}'\n", encoding="utf-8")
    for verb in ("sync", "status"):
        ended = subprocess.run([*COMMAND, verb], cwd=tmp_path, env=there, check=False, capture_output=True, text=True)
        assert ended.returncode == 0, ended.stderr
    assert (tmp_path / where / "dcycle_warehouse.duckdb").exists()


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", ["[/norte]", "Aguas [en liquidación] S.L.", "[bold]x", "\x1b[31mred", "a\u202eb"])
def test_a_name_is_shown_as_text(sandbox: Sandbox, tmp_path: Path, name: str) -> None:
    sandbox.world.add_organization("named", name, sandbox.world.root_id)
    assert subprocess.run([*COMMAND, "sync"], env=environment(sandbox, tmp_path), check=False).returncode == 0
    ended = subprocess.run([*COMMAND, "status"], env=environment(sandbox, tmp_path), check=False, capture_output=True)
    shown = name.replace("\x1b", "\\x1b").replace("\u202e", "\\u202e")
    assert (ended.returncode, shown in ended.stdout.decode()) == (0, True), ended.stdout.decode()


def test_a_question_mark_in_the_path_is_refused(sandbox: Sandbox, tmp_path: Path) -> None:
    for verb in ("sync", "status"):
        there = environment(sandbox, tmp_path, DCYCLE_DATA_DIR=str(tmp_path / "a?b"))
        ended = subprocess.run([*COMMAND, verb], env=there, check=False, capture_output=True, text=True)
        assert (ended.returncode, "question mark" in ended.stderr) == (2, True), ended.stderr
