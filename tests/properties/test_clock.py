"""A clock that jumps anywhere between two looks at it: what was said, when, and why it changed still agree."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from itertools import combinations, cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import Phase, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from dcycle_pipeline.errors import UnavailableError
from dcycle_pipeline.readers.explain import explain
from dcycle_pipeline.sandbox import Sandbox, World
from dcycle_pipeline.sync.lists import sync_endpoint
from dcycle_pipeline.sync.organizations import refresh_organizations
from dcycle_pipeline.sync.publication import publish, summarise
from dcycle_pipeline.sync.redate import redate
from dcycle_pipeline.sync.run import Run
from tests.cli.conftest import Invoke, invoke, variables
from tests.conftest import FEW, ROOT, Published, only, settings_for, steps
from tests.properties.aftermath import query

__all__ = ["invoke"]

SECONDS = [0, 5, -5, 3600, -3600, 400 * 86400, -400 * 86400]
SAID = """SELECT facility_id, month, co2e_kg, record_count FROM summaries.emissions_by_facility_month
UNION ALL SELECT facility_id, month, co2e_kg, NULL FROM (SELECT facility_id, month, sum(co2e_kg) AS co2e_kg
    FROM summaries.emissions_by_facility_month GROUP BY ALL)"""
THEN = SAID.replace("summaries.emissions_by_facility_month", "history.emissions_by_facility_month_as_of($1)")
PUBLISHED = SAID.replace(
    "summaries.emissions_by_facility_month",
    "(SELECT * FROM history.emissions_by_facility_month_as_published WHERE published_at = $1)",
)
MOVED = "SELECT coalesce(sum(co2e_kg), 0) FROM summaries.restatements WHERE published_at > ? AND published_at <= ?"
rounds = st.lists(
    st.tuples(
        st.lists(st.sampled_from(SECONDS), min_size=1, max_size=12),
        st.sampled_from(["publish", "publish", "summarise", "fail"]),
    ),
    min_size=2,
    max_size=4,
)


@pytest.fixture(scope="module")
def restated() -> Iterator[None]:
    with only((*FEW, "restatements")):
        yield


def clock(jumps: list[int]) -> Callable[[], datetime]:
    """A clock that is off by another amount at each look."""
    off = cycle(jumps)
    return lambda: datetime.now(UTC) + timedelta(seconds=next(off))


def one_round(run: Run, how: str) -> Published | None:
    """A sync; one that only brings the summaries up to date; or one whose snapshot cannot be shown."""
    if how == "publish":
        return Published(steps(run).publication.snapshot)
    if how == "summarise":
        with run:
            sync_tables(run)
            run.publishes = False
            summarise(run)
        return None
    link = run.folder.published
    aside = link.rename(link.with_name("aside")) if link.is_symlink() else None
    link.mkdir()
    with run:
        sync_tables(run)
        summarise(run)
        with pytest.raises(UnavailableError):
            publish(run)
    link.rmdir()
    if aside:
        aside.rename(link)
    return None


def sync_tables(run: Run) -> None:
    found = [organization.organization_id for organization in refresh_organizations(run)]
    for endpoint in run.endpoints:
        sync_endpoint(run, endpoint, found)


def said(file: Published, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
    return sorted(file.query(sql, *parameters), key=repr)


def total(rows: list[tuple[Any, ...]]) -> Decimal:
    return sum((row[2] for row in rows if row[3] is not None and row[2] is not None), Decimal(0))


@pytest.mark.exhaustive
@pytest.mark.hypothesis
@pytest.mark.usefixtures("restated")
# An example takes a second: shrinking one would take minutes.
@hypothesis_settings(max_examples=5, phases=[Phase.explicit, Phase.generate])
@given(rounds=rounds)
@example(rounds=[([0], "publish"), ([3600], "summarise"), ([0], "publish")])
@example(rounds=[([0], "publish"), ([400 * 86400], "fail"), ([-5], "publish")])
@example(rounds=[([0, 3600, -3600], "publish"), ([-5], "publish"), ([400 * 86400, 0], "publish"), ([0], "publish")])
def test_what_was_said_and_why_it_changed_agree_whatever_the_clock_does(rounds: list[tuple[list[int], str]]) -> None:
    world = World(ROOT, "Holding X")
    first, second = (item for item in world.add_records(world.add_facility(ROOT, id="f-a"), 2))
    with Sandbox(world) as sandbox, TemporaryDirectory() as data:
        settings = settings_for(sandbox, Path(data) / "data", keep_snapshots=9)
        files = []
        for number, (jumps, how) in enumerate([(rounds[0][0], "publish"), *rounds[1:], ([0], "publish")]):
            world.recalculate_record(first, f"{number * 10}.5")
            world.edit_record(second, quantity=f"{number}.25")
            files.append(one_round(Run(str(uuid4()), settings, now=clock(jumps)), how))
        shown = [file for file in files if file is not None]
        moments = [file.query("SELECT max(published_at) FROM sync.runs")[0][0] for file in shown]
        assert moments == sorted(set(moments))
        last = shown[-1]
        for file, moment in zip(shown, moments, strict=True):
            assert said(last, THEN, moment) == said(last, PUBLISHED, moment) == said(file, SAID)
        for (one, earlier), (other, later) in combinations(list(zip(shown, moments, strict=True)), 2):
            assert last.query(MOVED, earlier, later)[0][0] == total(said(other, SAID)) - total(said(one, SAID))
        months = defaultdict(list)
        for facility, month, _, count in said(last, SAID):
            months[facility].append(month) if count else None
        for moment in moments:
            assert explain(Run("x", settings).folder, "f-a", months["f-a"][0], moment).agrees


AHEAD = timedelta(days=400)


def synced_ahead(sandbox: Sandbox, data: Path) -> None:
    """Three publications; the clock was ahead at the second."""
    settings = settings_for(sandbox, data)
    for jump in (timedelta(0), AHEAD, timedelta(0)):
        sandbox.world.add_record("f-north", start_date="2031-01-01", end_date="2031-01-31", co2e="100")
        steps(Run(str(uuid4()), settings, now=lambda jump=jump: datetime.now(UTC) + jump))  # type: ignore[misc]


@pytest.mark.exhaustive
def test_a_clock_that_was_ahead_once_is_named_and_can_be_put_right(
    sandbox: Sandbox, invoke: Invoke, tmp_path: Path
) -> None:
    data, environment = tmp_path / "data", variables(sandbox, tmp_path / "data")
    synced_ahead(sandbox, data)
    for words in (["status"], ["doctor"], ["sync"]):
        told = invoke(*words, **environment)
        assert "400 days ahead of this machine's clock" in told.output
        assert "dcycle-pipeline redate" in told.output
    file = data / "dcycle_warehouse.duckdb"
    content = query(file, "SELECT content_hash FROM sync.runs ORDER BY published_at DESC LIMIT 1")
    assert invoke("redate", **environment).exit_code == 0
    now = query(file, "SELECT count(*) FROM history.waste_water_treatments_as_of(now())")
    assert now == query(file, "SELECT count(*) FROM dcycle.waste_water_treatments")
    assert query(file, "SELECT content_hash FROM sync.runs ORDER BY published_at DESC LIMIT 1") == content
    stamps = query(file, "SELECT published_at FROM sync.runs WHERE published_at IS NOT NULL ORDER BY published_at")
    assert len({stamp for (stamp,) in stamps}) == 5
    assert stamps[-1][0] <= datetime.now(UTC)
    moved = (
        "SELECT published_at, sum(co2e_kg) FROM summaries.restatements WHERE year(month) = 2031 GROUP BY ALL ORDER BY 1"
    )
    assert [kilograms for _, kilograms in query(file, moved)] == [100, 100]
    assert invoke("explain", "f-north", "2031-01", **environment).exit_code == 0
    for words in (["status"], ["doctor"], ["sync"]):
        told = invoke(*words, **environment)
        assert (told.exit_code, "ahead of" in told.output) == (0, False), told.output
    again = invoke("redate", **environment)
    assert (again.exit_code, "nothing was changed" in again.output) == (0, True)
    (data / "working" / "warehouse.duckdb").unlink()
    assert invoke("replay", DCYCLE_DATA_DIR=str(data)).exit_code == 0
    assert query(file, "SELECT max(published_at) <= now() FROM sync.runs") == [(True,)]


@pytest.mark.exhaustive
def test_a_clock_that_disagrees_with_the_api_is_named_and_puts_nothing_right(
    sandbox: Sandbox, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = settings_for(sandbox, tmp_path / "data")
    for jump, which in ((AHEAD, "ahead of"), (-AHEAD, "behind")):
        caplog.clear()
        steps(Run(str(uuid4()), settings, now=lambda jump=jump: datetime.now(UTC) + jump))  # type: ignore[misc]
        assert f"400 days {which} the API's" in caplog.text
    with (
        pytest.raises(UnavailableError, match="Nothing was changed"),
        Run("x", settings, now=lambda: datetime.now(UTC) - AHEAD) as run,
    ):
        redate(run, format_datetime(datetime.now(UTC)))
