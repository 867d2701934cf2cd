"""Runs of a real `dagster dev` stopped anywhere, by a signal or by *terminate*: the next one goes through by itself."""

import os
import shutil
import signal
from collections.abc import Iterator
from itertools import product

import dagster as dg
import pytest

from tests.cli.conftest import variables
from tests.properties.aftermath import Scene, contents
from tests.properties.dev import TERMINATE, Dev, dagster_dev
from tests.properties.places import Place
from tests.properties.test_kills import USUAL, check_readers
from tests.properties.test_signals import next_sync

WAYS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, TERMINATE)
# Two runs take 15 seconds: each way has one place, and with this variable every place.
EVERYWHERE = bool(os.environ.get("SIGNALS_EVERYWHERE"))
STOPS = [
    (place, how)
    for (at, place), (which, how) in product(enumerate(USUAL), enumerate(WAYS))
    if EVERYWHERE or at == 4 + which * 8
]


@pytest.fixture(scope="module")
def dev(stage: Scene, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    folder = tmp_path_factory.mktemp("dev")
    with dagster_dev(folder, variables(stage.sandbox, folder / "data")) as server:
        yield server


@pytest.mark.exhaustive
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("place", "how"), STOPS, ids=str)
def test_stopped_in_dagster_dev(stage: Scene, dev: Dev, place: Place, how: signal.Signals | str) -> None:
    folder = dev.home.with_name("data")
    shutil.rmtree(folder, ignore_errors=True)
    stage.copy(folder)
    stopped = dev.run(place, how)
    check_readers(folder, stage.before, stage.after)
    with next_sync(stage, folder, stage.content_hash):
        after = dev.run()
    assert contents(folder / "dcycle_warehouse.duckdb") == stage.after
    killed = how == signal.SIGKILL
    assert dev.status(stopped) == (dg.DagsterRunStatus.FAILURE if killed else dg.DagsterRunStatus.CANCELED)
    assert dev.status(after) == dg.DagsterRunStatus.SUCCESS
