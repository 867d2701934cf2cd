"""The demo's file has content for everything that the chapters and the report show of a year: change, history, restatement, total."""

from tests.conftest import Synced

# The whole group, as the report adds it up.
GROUP = """FROM summaries.tree_emissions_by_year
WHERE tree_organization_id NOT IN (SELECT member_organization_id FROM summaries.organization_tree WHERE steps_below > 0)"""
# What the first publication said of a year, and what the last one says.
THEN = "FROM history.emissions_by_facility_month_as_of((SELECT min(published_at) FROM sync.runs))"
NOW = "FROM summaries.emissions_by_facility_month"


def test_a_year_can_be_compared_with_the_one_before(demo: Synced) -> None:
    years = dict(demo.query(f"SELECT year, co2e_kg {GROUP}"))
    [(change, reason)] = demo.query(f"SELECT co2e_kg_year_on_year, year_on_year_reason {GROUP} AND year = 2025")
    assert reason is None
    assert round(float(change), 6) == round(float(years[2025] / years[2024] - 1), 6) != 0
    reasons = dict(demo.query(f"SELECT year, year_on_year_reason {GROUP} AND year IN (2024, 2026)"))
    assert all("days covered" in reason for reason in reasons.values())


def test_every_organisation_that_treats_water_has_a_change_and_a_total(demo: Synced) -> None:
    rows = demo.query(
        """SELECT co2e_kg_year_on_year, verdict FROM summaries.emissions_by_organization_year
        JOIN summaries.total_impacts_comparison USING (organization_id, year) WHERE year = 2025"""
    )
    assert len(rows) == 6
    assert all(change is not None and verdict == "within_total" for change, verdict in rows)


def test_the_second_publication_restates_by_every_cause(demo: Synced) -> None:
    causes = {cause for (cause,) in demo.query("SELECT DISTINCT cause FROM summaries.restatements")}
    assert causes == {"new", "edited", "recalculated", "settled", "deleted"}
    [(restated,)] = demo.query("SELECT sum(co2e_kg) FROM summaries.restatements WHERE year(month) = 2025")
    [(then,)] = demo.query(f"SELECT sum(co2e_kg) {THEN} WHERE year(month) = 2025")
    [(now,)] = demo.query(f"SELECT sum(co2e_kg) {NOW} WHERE year(month) = 2025")
    assert now - then == restated != 0
