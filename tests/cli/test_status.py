"""status: what is published, how fresh by proven data time, what is wrong since when, the last runs, and what to do next."""

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import cycle
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from dcycle_pipeline.cli import app
from dcycle_pipeline.cli.values import duration
from dcycle_pipeline.data_folder import DataFolder
from dcycle_pipeline.errors import SettingsError
from dcycle_pipeline.sandbox import Behaviour, Sandbox
from dcycle_pipeline.sync.endings import Ending, Endings, write_endings
from dcycle_pipeline.sync.organizations import refresh_organizations
from dcycle_pipeline.sync.run import Run
from tests.conftest import CHILD, FEW, ROOT, only, settings_for, small_world, steps

NOW = datetime.now(UTC).replace(second=0, microsecond=0)  # so that a night of some seconds is within one minute
GOOD, BROKEN = Behaviour(), Behaviour(denied={"f-large": 403})
# Days ago, and how the API behaves then.
NIGHTS = [(9, BROKEN), (4, GOOD), (3, BROKEN), (2, BROKEN)]


def night(sandbox: Sandbox, data: Path, days_ago: float, behaviour: Behaviour) -> None:
    """A sync at that moment, which its clock tells."""
    sandbox.behaviour = behaviour
    seconds = cycle(range(3600))
    began = NOW - timedelta(days=days_ago)
    steps(Run(str(uuid4()), settings_for(sandbox, data), now=lambda: began + timedelta(seconds=next(seconds))))


def status(data: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["status", *words], env={"DCYCLE_DATA_DIR": str(data)})


def said(data: Path, *words: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(status(data, "--json", *words).stdout)
    return answer


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Sandbox, Path]]:
    data = tmp_path_factory.mktemp("nights") / "data"
    with only((*FEW, "organization_tree", "missing_members", "data_quality")), Sandbox(small_world()) as sandbox:
        for days_ago, behaviour in NIGHTS:
            night(sandbox, data, days_ago, behaviour)
        yield sandbox, data


@pytest.mark.parametrize(("max_age", "code"), [("3.9d", 1), ("4.1d", 0), ("94h", 1), ("5640m", 1), ("98h", 0)])
def test_freshness_is_that_of_the_oldest_proof_and_not_of_the_last_run(
    nights: tuple[Sandbox, Path], max_age: str, code: int
) -> None:
    _, data = nights
    assert status(data, "--max-age", max_age).exit_code == code
    answer = said(data, "--max-age", max_age)
    assert (answer["exit_code"], answer["is_fresh"]) == (code, code == 0)
    proven_at = datetime.fromisoformat(answer["proven_at"])
    assert timedelta(days=4) - timedelta(hours=1) < NOW - proven_at <= timedelta(days=4)
    assert answer["age_seconds"] >= (NOW - proven_at).total_seconds()
    assert NOW - datetime.fromisoformat(answer["published_at"]) < timedelta(days=2, hours=1), "the run went well"
    fresh = {row["organization_id"]: row["proven_at"] for row in answer["organizations"]}
    assert fresh[ROOT] == answer["proven_at"] < fresh[CHILD]


def test_a_list_is_unproven_since_the_first_sweep_after_its_last_proof(nights: tuple[Sandbox, Path]) -> None:
    _, data = nights
    (unproven,) = said(data)["unproven_lists"]
    assert (unproven["facility_id"], unproven["facility"], unproven["organization"]) == (
        "f-large",
        "Planta Álamo",
        "Holding X",
    )
    since = datetime.fromisoformat(unproven["unproven_since"])
    assert timedelta(days=3) - timedelta(hours=1) < NOW - since <= timedelta(days=3), (
        "not since the night nine days ago"
    )


def test_one_screen_says_what_is_wrong_since_when_and_what_to_do(nights: tuple[Sandbox, Path]) -> None:
    _, data = nights
    shown = status(data)
    lines = shown.stdout.splitlines()
    assert shown.exit_code == 1
    assert len(lines) <= 40
    (wrong,) = [line for line in lines if line.startswith("Wrong: ")]
    since = f"since {NOW - timedelta(days=3):%Y-%m-%d}"
    assert all(words in wrong for words in (ROOT, "Holding X", "Planta Álamo", "access refused (403)", since))
    assert lines[-1] == "Next: `dcycle-pipeline doctor`"
    assert lines[-2].startswith(f"Fresh: all of it proven since {NOW - timedelta(days=4):%Y-%m-%d}")
    runs = [line for line in lines if line.startswith("Run ")]
    assert len(runs) == len(NIGHTS)
    assert "1 list unproven" in runs[0]
    assert runs[0].startswith(f"Run {NOW - timedelta(days=2):%Y-%m-%d %H:%M}")
    assert runs[2].endswith("requests")


@pytest.mark.parametrize(
    ("behaviour", "words", "facts"),
    [
        (
            Behaviour(denied={CHILD: 403}),
            "access refused (403): facilities, waste-water records; ask Dcycle for access",
            {"forbidden", "facilities_not_read"},
        ),
        (
            Behaviour(denied={CHILD: 401}),
            "its key is not accepted (401): facilities, waste-water records",
            {"unauthorized", "facilities_not_read"},
        ),
        (
            Behaviour(denied={"f-old": 403, "f-large": 403}),
            "access refused (403): waste-water records of facility Planta Álamo and 1 more",
            {"forbidden"},
        ),
    ],
    ids=["forbidden", "unauthorized", "facilities"],
)
def test_one_refusal_is_one_line_in_words_and_its_facts_keep_their_names(
    nights: tuple[Sandbox, Path], tmp_path: Path, behaviour: Behaviour, words: str, facts: set[str]
) -> None:
    data = tmp_path / "data"
    shutil.copytree(nights[1], data, symlinks=True)
    night(nights[0], data, 1, GOOD)
    night(nights[0], data, 0, behaviour)
    (wrong,) = [line for line in status(data).stdout.splitlines() if line.startswith("Wrong: ")]
    assert words in wrong
    answer = said(data)
    assert {row["outcome"] for row in answer["unproven_lists"]} == facts
    (trouble,) = answer["troubles"]
    assert trouble.keys() == {"what", "do", "organization_id", "organization", "since"}
    assert trouble["do"] == answer["next_command"] == "dcycle-pipeline doctor"


@pytest.mark.parametrize("max_age", ["26", "h", "26 hours", "-2d", "0h", "1e3h", "1d12h", "", "9999999d"])
def test_a_span_that_is_none_is_refused_in_one_line(nights: tuple[Sandbox, Path], max_age: str) -> None:
    _, data = nights
    refused = status(data, f"--max-age={max_age}")
    assert refused.exit_code == 2
    (line,) = refused.stderr.splitlines()
    assert all(words in line for words in ("--max-age", "26h", "90m", "2d"))


@given(st.integers(1, 999_999), st.sampled_from("mhd"))
def test_a_span_is_its_number_in_its_unit(count: int, unit: str) -> None:
    assert duration("--max-age", f"{count}{unit}").total_seconds() == count * {"m": 60, "h": 3600, "d": 86400}[unit]


@given(st.text(max_size=8).filter(lambda text: text.strip()[-1:] not in ("m", "h", "d")))
def test_any_other_text_is_no_span(text: str) -> None:
    with pytest.raises(SettingsError):
        duration("--max-age", text)


def test_a_run_that_died_is_named_by_the_next(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with only((*FEW, "organization_tree", "missing_members", "data_quality")), Sandbox(small_world()) as sandbox:
        night(sandbox, data, 0.2, GOOD)
        with Run(str(uuid4()), settings_for(sandbox, data)) as died:
            refresh_organizations(died)
        night(sandbox, data, 0, GOOD)
        runs = [line for line in status(data).stdout.splitlines() if line.startswith("Run ")]
        assert [line.partition("UTC: ")[2].partition(",")[0] for line in runs] == [
            "published",
            "nothing published: it died or was stopped before it published",
            "published",
        ]


def test_the_last_seven_runs_are_shown_also_those_that_published_nothing(
    nights: tuple[Sandbox, Path], tmp_path: Path
) -> None:
    data = tmp_path / "data"
    shutil.copytree(nights[1], data, symlinks=True)
    failed = [Ending("", NOW - timedelta(hours=hours), NOW, f"failed {hours} h ago") for hours in (6, 5, 4, 3, 70)]
    write_endings(DataFolder(data), Endings(failed))
    runs = [line for line in status(data).stdout.splitlines() if line.startswith("Run ")]
    assert len(runs) == len(said(data)["runs"]) == 7
    assert [run.partition("UTC: ")[2] for run in runs[:4]] == [
        f"nothing published: failed {hours} h ago" for hours in (3, 4, 5, 6)
    ]
    assert ["published with gaps" in run for run in runs[4:]] == [True, False, True]
    assert "failed 70 h ago" in runs[5]


def test_after_a_night_that_published_nothing_it_says_so_and_what_to_do(
    nights: tuple[Sandbox, Path], tmp_path: Path
) -> None:
    data = tmp_path / "data"
    shutil.copytree(nights[1], data, symlinks=True)
    failed = [
        Ending("r-1", NOW, NOW, f"organisation {CHILD}: nobody answers"),
        Ending("r-2", NOW, NOW, "the disk is full", pending_only=True),
    ]
    write_endings(DataFolder(data), Endings(failed))
    lines = status(data).stdout.splitlines()
    wrong = [line for line in lines if line.startswith("Wrong: ")]
    assert wrong[0].startswith(f"Wrong: Water North ({CHILD}): run r-1: ")
    assert wrong[1] == "Wrong: run r-2: the disk is full"
    assert lines[-1] == "Next: `dcycle-pipeline doctor`"
    write_endings(DataFolder(data), Endings([*failed, Ending("r-3", NOW, NOW)]))
    assert len([line for line in status(data).stdout.splitlines() if line.startswith("Wrong: ")]) == 1


def test_what_was_never_proven_is_not_fresh_and_a_good_night_is(tmp_path: Path) -> None:
    data = tmp_path / "data"
    assert status(data, "--max-age", "26h").exit_code == 3, "nothing is published"
    with only((*FEW, "organization_tree", "missing_members", "data_quality")), Sandbox(small_world()) as sandbox:
        night(sandbox, data, 0.1, BROKEN)
        answer = said(data, "--max-age", "9999d")
        assert (answer["proven_at"], answer["is_fresh"], answer["exit_code"]) == (None, False, 1)
        assert "never proven" in status(data).stdout
        night(sandbox, data, 0.05, GOOD)
        assert said(data, "--max-age", "2h")["exit_code"] == 0
        lines = status(data, "--max-age", "1m").stdout.splitlines()
        assert lines[-2].endswith("that is not within 60 seconds.")
        assert lines[-1] == "Next: `dcycle-pipeline sync`"
        assert status(data).stdout.splitlines()[-1] == "Next: nothing."
