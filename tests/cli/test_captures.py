"""Every verb on a terminal of 80 and of 140 columns, and in a pipe: no number, date or id is folded, and no id comes before a name."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest
import typer

from dcycle_pipeline.cli import app
from dcycle_pipeline.sandbox import Behaviour, Sandbox, a_month_later, demo_world
from tests.cli.conftest import PROGRAM
from tests.cli.terminals import Captured, in_a_pipe, on_a_terminal

DENIED = "EDAR Almendral"
# Each verb as people call it; {facility} is an id, {new} a path that is not there yet. A new verb needs its line here.
CAPTURES = {
    "backfill": ["backfill", "--from", "2025-01-01", "--to", "2025-03-31", "--preview"],
    "demo": ["demo"],
    "doctor": ["doctor"],
    "explain": ["explain", "{facility}", "2025-03"],
    "export": ["export", "{new}.xlsx"],
    "facilities": ["facilities"],
    "init": ["init", "{new}"],
    "redate": ["redate"],
    "replay": ["replay"],
    "report": ["report", "--output", "{new}.html"],
    "resolve": ["resolve"],
    "rollback": ["rollback", "--list"],
    "sandbox": ["sandbox", "--switches"],
    "status": ["status"],
    "sync": ["sync"],
    "ui": ["ui", "--help"],  # it ends at Ctrl-C only: tests/cli/test_ui.py
}
CHANGES_THE_FOLDER = {"backfill", "demo", "redate", "replay", "sync"}
WITH_GAPS = {"sync", "backfill"}
COLUMNS = (80, 140)

UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
SHORT_ID = re.compile(r"[0-9a-f]{8}…")
# What differs from one run to the next: moments, ages, spans of time, ids and addresses.
_DIFFERS = (
    r"\d{8}T\d{6}\.\d{6}Z-[0-9a-f]{8}",
    r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?",
    r"\b[\d.]+ (s|seconds|min|minutes|h|hours|days)\b",
    r"\b\d:\d\d:\d\d\b",
    r"\d+(\.\d)? (kB|[KMG]iB)",
    r"127\.0\.0\.1:\d+",
    r"\d+ requests",
)
MASKED = re.compile("|".join((UUID.pattern, SHORT_ID.pattern, *_DIFFERS)))
NUMBER = re.compile(r"(?<![\w./-])\d[\d.,:-]*\d(?![\w/])")


@dataclass(frozen=True)
class Shared:
    """A data folder that `demo` filled, its sandbox, and what is called how in it."""

    sandbox: Sandbox
    data: Path
    names: dict[str, str]
    facility: str


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    data = tmp_path_factory.mktemp("captures") / "data"
    subprocess.run([str(PROGRAM), "demo"], env=environment(data, None), capture_output=True, check=True, timeout=120)
    with duckdb.connect(str((data / "dcycle_warehouse.duckdb").resolve()), read_only=True) as connection:
        query = "SELECT organization_id, name FROM dcycle.organizations UNION ALL SELECT facility_id, name FROM dcycle.facilities"
        names = dict(connection.execute(query).fetchall())
    facility = next(identifier for identifier, name in names.items() if name == DENIED)
    world = demo_world()
    a_month_later(world)  # as the demo left it
    with Sandbox(world) as sandbox:
        yield Shared(sandbox, data, names, facility)


def environment(data: Path, sandbox: Sandbox | None) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DCYCLE_", "DAGSTER_"))}
    ours = {"DCYCLE_DATA_DIR": str(data), "PATH": f"{PROGRAM.parent}{os.pathsep}{os.environ['PATH']}"}
    if sandbox:
        ours |= {"DCYCLE_BASE_URL": sandbox.base_url, "DCYCLE_API_KEY": sandbox.api_key}
        ours |= {"DCYCLE_ORGANIZATION_ID": sandbox.world.root_id}
    return kept | ours


def captured(verb: str, shared: Shared, folder: Path) -> dict[int | None, Captured]:
    """What a verb shows by the columns of its terminal; None is a pipe. Each time it finds the folder as the demo left it."""
    found: dict[int | None, Captured] = {}
    for columns in (*COLUMNS, None):
        data = shared.data
        if verb in CHANGES_THE_FOLDER:
            data = folder / "data"  # of the same name each time: paths are shown
            shutil.rmtree(data, ignore_errors=True)
            shutil.copytree(shared.data, data, symlinks=True)
        new = folder / f"new{columns}"
        words = [str(PROGRAM), *(word.format(facility=shared.facility, new=new) for word in CAPTURES[verb])]
        shared.sandbox.behaviour = Behaviour(denied={shared.facility: 403} if verb in WITH_GAPS else {})
        known = environment(data, shared.sandbox)
        found[columns] = on_a_terminal(words, columns, folder, known) if columns else in_a_pipe(words, folder, known)
    return found


def test_every_verb_is_captured() -> None:
    assert CAPTURES.keys() == typer.main.get_command(app).commands.keys()  # type: ignore[attr-defined]


@pytest.mark.exhaustive
@pytest.mark.parametrize("verb", CAPTURES)
def test_a_verb_can_be_read_on_each_terminal_and_in_a_pipe(verb: str, shared: Shared, tmp_path: Path) -> None:
    found = captured(verb, shared, tmp_path)
    piped = found.pop(None)
    assert {each.code for each in found.values()} == {piped.code} == {1 if verb in WITH_GAPS else 0}, piped.text
    assert not re.search(r"[\x1b\u2500-\u259f]", piped.text), "plain text in a pipe"
    for shown in found.values():
        assert_nothing_is_folded(shown, piped)
        assert_names_come_first(shown, shared.names)
        if verb == "demo":
            assert_the_end_is_one_screen(shown, shared)
    assert_names_come_first(piped, shared.names)
    assert "Traceback" not in piped.text


def assert_nothing_is_folded(shown: Captured, piped: Captured) -> None:
    """A number, date or id that was folded leaves parts that are not in the text as a pipe gets it."""
    for line, after, is_folded in zip(shown.lines, [*shown.lines[1:], ""], shown.is_folded, strict=True):
        parted = f"{line.rpartition(' ')[2]}{after.partition(' ')[0]}"
        assert not is_folded or not after.strip() or after.startswith(" ") or "/" in parted, (line, after)
    text = "\n".join(line for line in shown.lines if "━" not in line)  # a pipe gets no bars
    assert numbers(text) <= numbers(piped.text), sorted(numbers(text) - numbers(piped.text))


def numbers(text: str) -> set[str]:
    """Every number and date of a text, without what differs from run to run."""
    # The pieces of a path that the terminal folded are no numbers.
    words = " ".join(word for word in MASKED.sub(" ", text).split() if "/" not in word and "_warehouse" not in word)
    return set(NUMBER.findall(words))


def assert_names_come_first(shown: Captured, names: dict[str, str]) -> None:
    """In no line is the id of something before its name; and in no table is a column behind one of ids."""
    for line in shown.lines:
        for identifier in UUID.findall(line):
            name = names.get(identifier)
            assert not name or name not in line or line.index(name) < line.index(identifier), line
    for head, rule in zip(shown.lines, shown.lines[1:], strict=False):
        if re.fullmatch(r"-+(  -+)*", rule):
            titles = [title.strip() for title in re.split(r" {2,}", head.strip())]
            ids = [at for at, title in enumerate(titles) if re.fullmatch(r"(.* )?ids?", title)]
            assert ids == list(range(len(titles) - len(ids), len(titles))), head


def assert_the_end_is_one_screen(shown: Captured, shared: Shared) -> None:
    """A demo ends with tonnes by organisation, file and report, and three commands."""
    last = shown.lines[-26:]
    for begin in ("Together ", "File:", "Report:"):
        assert [line for line in last if line.startswith(begin)], begin
    called = [line.split()[:2] for line in last[-3:]]
    assert called == [["dcycle-pipeline", verb] for verb in ("explain", "status", "facilities")]
    for identifier in shared.sandbox.world.organization_ids():
        assert [line for line in last if line.startswith(shared.names[identifier][:16])], identifier


@pytest.mark.parametrize("verb", ["", *CAPTURES])
@pytest.mark.quick(1)
def test_help_is_not_cut(verb: str, tmp_path: Path) -> None:
    words = [str(PROGRAM), *([verb] if verb else []), "--help"]
    shown = on_a_terminal(words, 80, tmp_path, environment(tmp_path / "data", None))
    assert shown.code == 0
    assert "..." not in shown.text.replace("[ARGS]...", "")
    assert not any(shown.is_folded), shown.text
    if not verb:
        listed = re.findall(r"^  ([a-z]+)  ", shown.text.partition("Commands")[2], re.MULTILINE)
        assert listed[:5] == ["demo", "sync", "status", "report", "facilities"]
        assert sorted(listed) == sorted(CAPTURES)
