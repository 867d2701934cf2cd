"""One job does each thing once: it opens the working file, refreshes the summaries, runs each check, heals the folder."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import duckdb
import pytest

from dcycle_pipeline import summaries
from dcycle_pipeline.endpoints import declared
from dcycle_pipeline.orchestration import partitions
from dcycle_pipeline.publish import checks
from dcycle_pipeline.summaries import SUMMARIES
from dcycle_pipeline.sync import leftovers, recovery
from dcycle_pipeline.warehouse import database
from tests.orchestration.conftest import CHILD, ROOT, Pipeline

OPENINGS_AT_MOST = 4


@contextmanager
def counted() -> Iterator[Counter[str]]:
    """How often each of these happens, whoever asks for it; a check by its name and table."""
    counts: Counter[str] = Counter()

    def counting(name: str, original: Callable[..., Any], of: Callable[..., str] = lambda *_: "") -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            counts[f"{name}{of(*arguments)}"] += 1
            return original(*arguments, **named)

        return call

    def table(_: duckdb.DuckDBPyConnection, subject: Any, *__: Any) -> str:
        return f" of {subject if isinstance(subject, str) else subject.name}"

    with ExitStack() as stack:
        for module, name in (
            (database, "_attach"),
            (leftovers, "delete_leftovers"),
            (recovery, "reconcile_publication"),
        ):
            stack.enter_context(patch.object(module, name, counting(name, getattr(module, name))))
        for name in ("refresh", "_refresh"):
            of = table if name == "_refresh" else lambda *_: ""
            stack.enter_context(patch.object(summaries, name, counting(name, getattr(summaries, name), of)))
        for name in ("_every_list_proven", "_counters_agree", "_keys_unique", "_conserved"):
            stack.enter_context(patch.object(checks, name, counting(name, getattr(checks, name), table)))
        yield counts


def expected_checks() -> set[str]:
    endpoints = {
        f"{name} of {e.name}" for e in declared() for name in ("_every_list_proven", "_counters_agree", "_keys_unique")
    }
    of_summaries = {f"_keys_unique of {s.name}" for s in SUMMARIES} | {
        f"_conserved of {s.name}" for s in SUMMARIES if s.conserves
    }
    return endpoints | of_summaries


@pytest.mark.quick(1)
@pytest.mark.parametrize("again", [False, True], ids=["empty folder", "folder with a past"])
def test_a_job_does_each_thing_once(pipeline: Pipeline, again: bool) -> None:
    if again:
        assert pipeline.run_all().success
        pipeline.sandbox.world.add_record("f-large")
    with counted() as counts:
        assert pipeline.run_all().success
    assert 1 <= counts["_attach"] <= OPENINGS_AT_MOST
    assert counts["refresh"] == counts["delete_leftovers"] == counts["reconcile_publication"] == 1
    assert {name for name in counts if name.startswith("_refresh")} == {f"_refresh of {s.name}" for s in SUMMARIES}
    assert {name: counts[name] for name in expected_checks()} == dict.fromkeys(expected_checks(), 1)


@pytest.mark.exhaustive
def test_a_reading_run_and_a_publishing_one_check_what_the_other_did_not(pipeline: Pipeline) -> None:
    """The UI makes two runs of a selection that mixes partitioned and unpartitioned assets."""
    partitions.keep_in_step(pipeline.instance, [ROOT, CHILD])
    tags = partitions.all_of_them(pipeline.instance)
    assert pipeline.run(tags, ["organizations", "facilities", "waste_water_treatments"]).success
    with counted() as counts:
        assert pipeline.run({}, ["emissions_by_facility_month", "published_file"]).success
    assert counts["refresh"] == 1
    assert {name: counts[name] for name in expected_checks()} == dict.fromkeys(expected_checks(), 1)


@pytest.mark.exhaustive
def test_the_working_file_is_let_go_when_the_job_ends(pipeline: Pipeline, tmp_path: Path) -> None:
    assert pipeline.run_all().success
    with duckdb.connect(str(pipeline.settings.data_dir / "working" / "warehouse.duckdb")) as connection:
        assert connection.execute("SELECT count(*) FROM sync.runs").fetchall() == [(1,)]
