"""Whatever of a group is not read while its plants move: a plant counts what its own list said last, once that was proven.

So each plant is judged of which the list of its organisation, and the organisation's list of plants, were proven since it changed.
"""

import os
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest

from dcycle_pipeline.data_folder import DataFolder
from dcycle_pipeline.errors import UnavailableError, UsageError
from dcycle_pipeline.readers.explain import explain
from dcycle_pipeline.sandbox import Sandbox
from dcycle_pipeline.sync.whole import sync_whole
from dcycle_pipeline.warehouse import last_sweeps
from tests.conftest import FEW, Published, Synced, only
from tests.properties.moving import Group, Scene
from tests.summaries.worlds import date
from tests.sync.test_listed_twice import said_and_moved

SEEDS = range(*map(int, os.environ.get("MOVING_SEEDS", "0:6").split(":")))
STEPS = 6
_FRESH = """SELECT min(started_at) FROM (
    SELECT max(started_at) AS started_at FROM sync.lists WHERE outcome = 'proven' AND organization_id = $1 AND endpoint = 'facilities'
    UNION ALL SELECT max(started_at) FROM sync.lists WHERE outcome = 'proven' AND organization_id = $1 AND facility_id = $2)
HAVING count(started_at) = 2"""
_SAID = "SELECT coalesce(sum(co2e_kg), 0) FROM summaries.emissions_by_facility_month WHERE facility_id = ?"
# Rows that their list no longer shows and that nobody confirms to be gone: they stay, and are named.
_NOT_SURE = f"""SELECT facility_id FROM ({last_sweeps.LAST_DOUBTFUL_ROWS})
    UNION SELECT facility_id FROM history.waste_water_treatments WHERE valid_to IS NULL AND change = 'unlisted'"""
_TWICE = "SELECT waste_water_treatment_id FROM summaries.counted_records GROUP BY ALL HAVING count(*) > 1"


def judge(scene: Scene, published: Published) -> None:
    """Each plant that was read since it changed, and one of them to the last record."""
    assert published.query(_TWICE) == [], scene.told
    doubtful, sure = {row[0] for row in published.query(_NOT_SURE)}, []
    for plant in scene.world.facility_ids():
        owner = scene.world.organization_of(plant)
        fresh = published.query(_FRESH, owner, plant)
        if plant not in doubtful and owner in scene.there and fresh and fresh[0][0] > scene.world.changed[plant]:
            sure.append(plant)
    said = {plant: published.query(_SAID, plant)[0][0] for plant in sure}
    assert said == {plant: scene.world.kilograms(plant) for plant in sure}, "; ".join(scene.told)
    for plant in sure[:1]:
        assert explain(DataFolder(scene.folder), plant, date(2025, 1, 1)).agrees, (plant, scene.told)


@pytest.mark.exhaustive
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", SEEDS)
def test_each_plant_counts_what_was_proven_last(seed: int, tmp_path: Path) -> None:
    world = Group()
    with only((*FEW, "restatements")), Sandbox(world) as sandbox:
        scene = Scene(sandbox, world, tmp_path / "data", Random(seed))
        with scene.run() as run:
            sync_whole(run)
        published = Published(scene.folder / "dcycle_warehouse.duckdb")
        for _ in range(STEPS):
            with suppress(UnavailableError, UsageError):
                if (publication := scene.step()) is not None:
                    synced = Synced(publication.snapshot, "", scene.settings, publication)
                    said, restated = said_and_moved(synced)
                    assert said == restated, scene.told
            judge(scene, published)
        scene.excluded.clear()
        for _ in range(2):  # the first sees what no list shows any more, the second ends it
            with scene.run() as run:
                sync_whole(run)
        judge(scene, published)
        assert published.query("SELECT * FROM summaries.listed_twice") == [], "; ".join(scene.told)
