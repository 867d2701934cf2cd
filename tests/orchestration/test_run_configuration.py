"""What a person may say of one run in the launchpad: documented, as the chapters have it, and obeyed."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest
import yaml

from dcycle_pipeline.orchestration import backfill
from dcycle_pipeline.orchestration.jobs import JOB, build
from dcycle_pipeline.orchestration.step import ACCEPTED_DROPS, OPEN_RUN, Environment
from dcycle_pipeline.settings import ScheduleSettings
from tests.docs.markdown import CHAPTERS
from tests.orchestration.conftest import QUIET, ROOT, Pipeline

DEFINITIONS = build(Environment(lambda: pytest.fail("nothing may ask for settings")), ScheduleSettings())


def ours(job: str) -> Iterator[tuple[str, Any]]:
    """Each field of the configuration that we declare for a job, by name."""
    definition = DEFINITIONS.resolve_job_def(job)
    schemas = [
        definition.resource_defs[OPEN_RUN].config_schema,
        *(node.config_schema for node in definition.all_node_defs),
    ]
    for schema in schemas:
        yield from getattr(schema.config_type, "fields", {}).items()


@pytest.mark.parametrize("job", [JOB, backfill.JOB])
def test_every_field_of_the_launchpad_is_documented(job: str) -> None:
    found = dict(ours(job))
    assert ACCEPTED_DROPS in found
    assert set(backfill.CONFIGURATION) <= set(found) or job == JOB
    assert {
        name: field.description for name, field in found.items() if not (field.description or "").endswith(".")
    } == {}


def test_the_configurations_of_the_chapters_are_valid() -> None:
    shown = [yaml.safe_load(block.text) for block in CHAPTERS["operations"].code("yaml")]
    of_runs = [found for found in shown if {"ops", "resources"} & found.keys()]
    assert len(of_runs) == 2
    for found in of_runs:
        job = DEFINITIONS.resolve_job_def(backfill.JOB if "ops" in found else JOB)
        assert dg.validate_run_config(job, found)


@pytest.mark.exhaustive
def test_a_large_drop_is_held_until_the_configuration_of_a_run_accepts_it(synced: Pipeline) -> None:
    def run(accepted: list[str]) -> dg.ExecuteInProcessResult:
        config = {"resources": {OPEN_RUN: {"config": {ACCEPTED_DROPS: accepted}}}}
        return synced.run_all(QUIET | config)

    def records() -> int:
        return int(synced.query("SELECT count(*) FROM dcycle.waste_water_treatments")[0][0])

    before = records()
    for item in synced.sandbox.world.facility_records("f-large")[:80]:
        synced.sandbox.world.delete_record(item["id"])
    run([])
    assert records() == before
    mistyped = run(["nobody"])
    assert not mistyped.success
    assert records() == before
    assert run([ROOT]).success
    assert records() == before - 80
