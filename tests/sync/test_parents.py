"""A facility that cannot be used does not silence its records."""

from pathlib import Path

import pytest

from dcycle_pipeline.sandbox import Behaviour, Sandbox
from dcycle_pipeline.sandbox.faults.deformations import DEFORMATIONS
from tests.conftest import CHILD, ROOT, records_of, settings_for, small_world, sync
from tests.sandbox.deformed import COSTS_A_FIELD, HARMLESS, RECORDS_ONLY

pytestmark = pytest.mark.usefixtures("few_summaries")
NAMELESS = {"missing_id", "id_null", "null_item", "not_an_object"}


@pytest.mark.quick(1)
@pytest.mark.parametrize("how", sorted(set(DEFORMATIONS) - HARMLESS - RECORDS_ONLY - COSTS_A_FIELD))
def test_records_of_an_unusable_facility_are_read_or_named_as_missing(tmp_path: Path, how: str) -> None:
    """From the first sync on: no earlier version of the facility helps."""
    with Sandbox(small_world(), Behaviour(malformed={"f-large": how})) as sandbox:
        synced = sync(settings_for(sandbox, tmp_path / "data"))
        assert synced.outcome == "published_with_gaps"
        if synced.records() != records_of(sandbox.world):
            assert synced.unproven_lists()[ROOT, "waste_water_treatments", None][0] == "facilities_not_read"
        if how not in NAMELESS:
            assert synced.records().keys() == records_of(sandbox.world).keys()


def test_a_list_that_is_denied_to_an_unusable_facility_is_a_gap(tmp_path: Path) -> None:
    behaviour = Behaviour(malformed={"f-north": "unknown_status"}, denied={"f-north": 403})
    with Sandbox(small_world(), behaviour) as sandbox:
        synced = sync(settings_for(sandbox, tmp_path / "data"))
    assert synced.unproven_lists()[CHILD, "waste_water_treatments", "f-north"][0] == "forbidden"
