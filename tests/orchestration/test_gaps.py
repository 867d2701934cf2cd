"""Checks that fail: what cannot be read warns and the rest is published; what would be wrong is not published."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from dcycle_pipeline.data_folder import DataFolder
from dcycle_pipeline.orchestration import partitions
from dcycle_pipeline.orchestration.jobs import build
from dcycle_pipeline.orchestration.step import Environment
from dcycle_pipeline.sandbox import Behaviour
from dcycle_pipeline.settings import ScheduleSettings, load
from dcycle_pipeline.sync.progress import Silent
from tests.orchestration.conftest import CHILD, ROOT, Pipeline, checks, metadata, pipeline_in

WWT = "waste_water_treatments"
PUBLICATION = ["emissions_by_facility_month", "published_file"]
TWICE = """INSERT INTO history.waste_water_treatments
SELECT * FROM history.waste_water_treatments WHERE facility_id = 'f-north' LIMIT 1"""


def last_run(pipeline: Pipeline) -> tuple[Any, ...]:
    return pipeline.query(
        "SELECT outcome, lists_unproven_count FROM sync.runs WHERE published_at IS NOT NULL ORDER BY published_at DESC"
    )[0]


@pytest.mark.exhaustive
def test_an_open_scope_warns_and_the_rest_is_published(pipeline: Pipeline) -> None:
    pipeline.sandbox.behaviour = Behaviour(denied={"f-large": 403})
    result = pipeline.run_all()
    assert result.success
    found = checks(result)
    failed = {key for key, check in found.items() if not check.passed}
    never_proven = ("published_file", "data_is_fresh")
    assert failed == {(WWT, "every_list_proven"), ("published_file", "everything_read"), never_proven}
    assert found["published_file", "everything_read"].severity is dg.AssetCheckSeverity.WARN
    warning = found[WWT, "every_list_proven"]
    assert warning.severity is dg.AssetCheckSeverity.WARN
    assert f"1 unproven: Holding X ({ROOT}): forbidden, Planta Álamo (f-large): " in (warning.description or "")
    assert last_run(pipeline) == ("published_with_gaps", 1)
    (named,) = metadata(result, "published_file")[None]["unproven_lists"].records
    assert [named.data[name] for name in ("organization", "outcome", "lists")] == ["Holding X", "forbidden", 1]
    told = metadata(result, WWT)
    assert (told[ROOT]["lists_unproven"], told[CHILD]["lists_unproven"]) == (1, 0)
    assert pipeline.query("SELECT DISTINCT facility_id FROM dcycle.waste_water_treatments ORDER BY 1") == [
        ("f-north",),
        ("f-old",),
    ]


@pytest.mark.exhaustive
def test_an_organisation_that_used_up_its_minutes_warns_and_the_rest_is_published(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    """Its time counts over all steps: its facilities were read in time, and nothing of its records was asked for."""
    file = tmp_path / "organizations.toml"
    file.write_text(f"[[organization]]\nid = '{CHILD}'\nminutes = 1e-9")
    short = load(**pipeline.settings.model_dump() | {"organizations_file": file})
    definitions = build(Environment(lambda: short, Silent(), 0), ScheduleSettings())
    result = replace(pipeline, definitions=definitions).run_all()
    warning = checks(result)[WWT, "every_list_proven"]
    assert warning.severity is dg.AssetCheckSeverity.WARN
    assert f"minutes of organisation {CHILD} in DCYCLE_ORGANIZATIONS_FILE" in (warning.description or "")
    named = "SELECT DISTINCT organization_id, outcome FROM sync.lists WHERE outcome <> 'proven' AND endpoint <> 'total_impacts'"
    assert pipeline.query(named) == [(CHILD, "unproven")]
    assert not [seen for seen in pipeline.sandbox.requests if ("facility_id", "f-north") in seen.query]
    assert pipeline.query("SELECT count(*) FROM dcycle.facilities") == [(4,)]
    assert pipeline.run_all().success
    assert last_run(pipeline) == ("published", 0)


@pytest.mark.exhaustive
def test_a_foreign_name_is_text_wherever_dagster_shows_it(pipeline: Pipeline) -> None:
    name = "f\x1b[31m|<b>\u202e"
    pipeline.sandbox.world.add_facility(ROOT, id=name, name=name)
    pipeline.sandbox.behaviour = Behaviour(denied={name: 403})
    logging = build(Environment(lambda: pipeline.settings, wait_for_folder_seconds=0), ScheduleSettings())
    result = replace(pipeline, definitions=logging).run_all()
    shown = checks(result)[WWT, "every_list_proven"].description or ""
    (row,) = metadata(result, "published_file")[None]["unproven_lists"].records
    table = str(row.data)
    lines = [entry.user_message for entry in pipeline.instance.all_logs(result.run_id)]
    assert any("f\\x1b[31m|<b>\\u202e" in line and "forbidden" in line for line in lines)
    assert [part for part in ("\x1b", "\u202e") for text in (shown, table, *lines) if part in text] == []
    assert r"\|\<b\>" in shown
    assert row.data["facilities"] == r"f\x1b[31m|<b>\u202e", "a cell is text: nothing escapes it"


@pytest.mark.exhaustive
def test_gaps_of_a_reading_run_are_told_by_the_run_that_publishes_them(pipeline: Pipeline) -> None:
    """The UI makes two runs of a selection that mixes partitioned and unpartitioned assets."""
    pipeline.sandbox.behaviour = Behaviour(denied={"f-large": 403})
    partitions.keep_in_step(pipeline.instance, pipeline.sandbox.world.organization_ids())
    assert pipeline.run(partitions.all_of_them(pipeline.instance), ["organizations", "facilities", WWT]).success
    assert pipeline.run({}, PUBLICATION).success
    assert last_run(pipeline) == ("published_with_gaps", 1)


@pytest.fixture(scope="module")
def blocked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Pipeline, dg.ExecuteInProcessResult, Any]]:
    """A good sync, then one over a working file in which a row stands twice; and what was published before it."""
    with pipeline_in(tmp_path_factory.mktemp("blocked")) as pipeline:
        assert pipeline.run_all().success
        published = DataFolder(pipeline.settings.data_dir).published.resolve(), pipeline.content()
        pipeline.break_working_file(TWICE)
        pipeline.sandbox.world.add_record("f-large")
        yield pipeline, pipeline.run(partitions.only(partitions.key_of(pipeline.instance, ROOT))), published


@pytest.mark.exhaustive
def test_a_failed_blocking_check_keeps_the_published_file(
    blocked: tuple[Pipeline, dg.ExecuteInProcessResult, Any],
) -> None:
    pipeline, result, published = blocked
    assert not result.success
    check = checks(result)[WWT, "keys_unique"]
    assert (check.passed, check.severity, check.blocking) == (False, dg.AssetCheckSeverity.ERROR, True)
    assert "dcycle.waste_water_treatments: 1 keys" in (check.description or "")
    assert metadata(result, "published_file") == metadata(result, "emissions_by_facility_month") == {}
    assert (DataFolder(pipeline.settings.data_dir).published.resolve(), pipeline.content()) == published


@pytest.mark.exhaustive
def test_a_publishing_run_of_its_own_does_not_publish_what_a_check_blocked(
    blocked: tuple[Pipeline, dg.ExecuteInProcessResult, Any],
) -> None:
    pipeline, _, published = blocked
    pipeline.run({}, PUBLICATION)
    assert (DataFolder(pipeline.settings.data_dir).published.resolve(), pipeline.content()) == published
