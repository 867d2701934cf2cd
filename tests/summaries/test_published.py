"""The summaries of a published file: what its own tables give, never older than these, and open about what was not read."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from dcycle_pipeline import summaries
from dcycle_pipeline.errors import SettingsError
from dcycle_pipeline.sandbox import Behaviour, Sandbox
from tests.conftest import CHILD, ROOT, Published, Synced, settings_for, small_world, sync

# A first sync of this world restates nothing, and its records leave no gap.
EMPTY = (summaries.COVERAGE_GAPS, summaries.RESTATEMENTS, summaries.LISTED_TWICE, summaries.MISSING_MEMBERS)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(small_world()) as running:
        yield running


@pytest.fixture(scope="module")
def synced(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Synced:
    return sync(settings_for(sandbox, tmp_path_factory.mktemp("published")))


def differences(file: Path, summary: summaries.Summary) -> list[tuple[object, ...]]:
    """Rows that stand either in the published summary or in what its SQL file gives on the same file, which has the rules."""
    names = ", ".join(summary.names())
    both = f"(SELECT {names} FROM {summary.qualified})", f"(SELECT {names} FROM ({summaries.query(summary)}))"
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{file.resolve()}' AS published (READ_ONLY)")
        connection.execute("USE published")
        for name, reading in summaries.LAST_SWEEP_VIEWS.items():
            connection.execute(f"CREATE TEMP VIEW {name} AS {reading}")
        lost = connection.execute(f"{both[0]} EXCEPT {both[1]}").fetchall()
        return lost + connection.execute(f"{both[1]} EXCEPT {both[0]}").fetchall()


@pytest.mark.parametrize("summary", summaries.SUMMARIES, ids=lambda summary: summary.name)
def test_it_is_what_its_file_gives_on_the_published_tables(synced: Synced, summary: summaries.Summary) -> None:
    assert synced.query(f"SELECT count(*) FROM {summary.qualified}")[0][0] > 0 or summary in EMPTY
    assert differences(synced.file, summary) == []


def quality(published: Published) -> dict[str, dict[str, object]]:
    names = summaries.DATA_QUALITY.names()
    found = published.query(f"SELECT {', '.join(names)} FROM summaries.data_quality")
    return {row[0]: dict(zip(names, row, strict=True)) for row in found}


def test_quality_tells_what_was_proven_and_when(synced: Synced) -> None:
    found = quality(synced)
    scopes = synced.query(
        "SELECT organization_id, count(*), min(finished_at), max(finished_at) FROM sync.lists "
        "WHERE endpoint <> 'total_impacts' GROUP BY 1"
    )
    assert {ROOT, CHILD} == found.keys()
    for organization_id, count, oldest, newest in scopes:
        row = found[organization_id]
        assert (row["proven_list_count"], row["unproven_list_count"], row["quarantined_count"]) == (count, 0, 0)
        assert (row["oldest_proof_at"], row["newest_proof_at"]) == (oldest, newest)


@pytest.mark.exhaustive
def test_what_changes_or_is_not_read_any_more_shows_at_the_next_sync(tmp_path: Path) -> None:
    with Sandbox(small_world()) as sandbox:
        first = sync(settings_for(sandbox, tmp_path))
        before = quality(first)
        record = sandbox.world.records(CHILD)[0]["id"]
        sandbox.world.recalculate_record(record, Decimal("1234.5"))
        bad = sandbox.world.records(ROOT)[0]["id"]
        sandbox.behaviour = Behaviour(denied={"f-old": 403}, malformed={bad: "date_garbage"})
        again = sync(first.settings)
    after = quality(again)
    assert after[CHILD]["pending_record_count"] == before[CHILD]["pending_record_count"] - 1  # type: ignore[operator]
    for period in ("month", "year"):
        kilograms = f"SELECT sum(co2e_kg) FROM summaries.emissions_by_organization_{period}"
        of_tree = f"SELECT sum(co2e_kg) FROM summaries.tree_emissions_by_{period} WHERE tree_organization_id = ?"
        assert again.query(kilograms) == again.query(of_tree, ROOT)
        assert again.query(kilograms)[0][0] == first.query(kilograms)[0][0] + Decimal("1234.5")
    assert (after[ROOT]["unproven_list_count"], after[ROOT]["quarantined_count"]) == (1, 1)
    # What could not be read stays as old as it was.
    proven = "SELECT max(finished_at) FROM sync.lists WHERE facility_id = 'f-old' AND outcome = 'proven'"
    assert after[ROOT]["oldest_proof_at"] == again.query(proven)[0][0] < after[ROOT]["newest_proof_at"]
    for summary in summaries.SUMMARIES:
        assert differences(again.file, summary) == []


def test_the_mapping_in_the_data_folder_is_taken_and_a_wrong_one_stops_the_publication(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    settings = settings_for(sandbox, tmp_path)
    own = tmp_path / "scope_mapping.csv"
    own.write_text(
        f"organization_id,facility_id,facility_type,scope,category,meaning\n{CHILD},,,3,5,Run by the town\n",
        encoding="utf-8",
    )
    found = sync(settings)
    by_scope = found.query(
        "SELECT DISTINCT organization_id, scope_name FROM summaries.emissions_by_scope_year ORDER BY ALL"
    )
    assert by_scope == [(ROOT, "unmapped"), (CHILD, "scope 3 category 5")]
    own.write_text("scope\n", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"columns .* are missing"):
        sync(settings)
    assert Published(settings.data_dir / "dcycle_warehouse.duckdb").query("SELECT count(*) FROM sync.runs") == [(1,)]
