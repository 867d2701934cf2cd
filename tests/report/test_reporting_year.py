"""Which year the report is on: the last one that is over, once its bills have come."""

from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from uuid import uuid4

import pytest

from dcycle_pipeline.sandbox import Sandbox, World
from dcycle_pipeline.sync.run import Run
from tests.conftest import ROOT, settings_for, steps
from tests.report.conftest import parsed, reported


@pytest.mark.quick(1)
@pytest.mark.parametrize(
    ("records", "day", "heading"),
    [
        pytest.param(["2025-12-31", "2026-09-30"], "2026-12-20", "2025 at a glance", id="it is not over"),
        pytest.param(["2025-12-31", "2026-09-30"], "2027-01-10", "2025 at a glance", id="its last bills come later"),
        pytest.param(["2025-12-31", "2026-12-31"], "2027-01-10", "2026 at a glance", id="they are there"),
        pytest.param(["2025-12-31", "2026-09-30"], "2027-07-02", "2026 at a glance", id="they do not come any more"),
        pytest.param(["2026-09-30"], "2027-01-10", "2026 at a glance", id="no year before"),
        pytest.param(["2026-09-30"], "2026-12-20", "2026 so far, Jan–Sept", id="no year is over"),
    ],
)
def test_it_is_the_last_year_that_is_over_and_whole(tmp_path: Path, records: list[str], day: str, heading: str) -> None:
    world, seconds = World(ROOT, "Holding"), count()
    world.add_facility(ROOT, id="f-1")
    for end in records:
        world.add_record("f-1", start_date=f"{end[:4]}-01-01", end_date=end, co2e="50000")
    morning = datetime.fromisoformat(day).replace(hour=9, tzinfo=UTC)
    with Sandbox(world) as sandbox:
        run = Run(str(uuid4()), settings_for(sandbox, tmp_path), now=lambda: morning + timedelta(seconds=next(seconds)))
        page = parsed(reported(steps(run), tmp_path).html)
    assert next(node.text for node in page.all("h2")) == heading
