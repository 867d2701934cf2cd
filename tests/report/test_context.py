"""The figures that put others in their place are recomputed here in plain Python, from the records that the file holds."""

import re
from calendar import monthrange
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from dcycle_pipeline.readers.published_file import Published, open_published
from dcycle_pipeline.report.answers import ask
from dcycle_pipeline.report.language import Language
from dcycle_pipeline.report.sections import FIGURES
from dcycle_pipeline.sandbox import Behaviour, Fault, World
from tests.conftest import CHILD, ROOT
from tests.report.conftest import Written, parsed, written

YEAR = 2025
FACILITY = tuple[str, str]
RECORDS = """SELECT organization_id, facility_id, start_date, end_date, co2e_kg, water_in_m3 FROM summaries.counted_records
WHERE status = 'active'"""
NEARLY = Decimal("0.001")  # kg: each part of a record is rounded to the ninth place


@pytest.fixture(scope="module")
def published(report: Written) -> Iterator[Published]:
    with open_published(report.synced.settings.data_dir) as opened:
        yield opened


def rows_of(published: Published, name: str, year: int = YEAR) -> Any:
    figure = next(each for each in FIGURES if each.name == name)
    return ask(published, figure, year, Language()).rows


def by_day(published: Published) -> dict[FACILITY, dict[date, list[Fraction | None]]]:
    """For each facility and day, the share of each record that covers it; None for a pending one."""
    found: dict[FACILITY, dict[date, list[Fraction | None]]] = defaultdict(lambda: defaultdict(list))
    for row in published.rows(RECORDS):
        days = (row["end_date"] - row["start_date"]).days + 1
        share = None if row["co2e_kg"] is None else Fraction(row["co2e_kg"]) / days
        for place in range(days):
            found[row["organization_id"], row["facility_id"]][row["start_date"] + timedelta(place)].append(share)
    return found


def month_of(days: dict[date, list[Fraction | None]], year: int, month: int) -> Fraction | None:
    """The emissions of a month of which each day is covered once by a calculated record; None for any other."""
    shares = [days.get(date(year, month, day), []) for day in range(1, monthrange(year, month)[1] + 1)]
    if any(len(share) != 1 or share[0] is None for share in shares):
        return None
    return sum((share[0] or Fraction() for share in shares), Fraction())


def test_like_for_like_compares_the_same_facilities_and_days(published: Published) -> None:
    now, before, facilities, days_compared = Fraction(), Fraction(), set(), 0
    for facility, days in by_day(published).items():
        for month in range(1, 13):
            pair = month_of(days, YEAR, month), month_of(days, YEAR - 1, month)
            if pair[0] is not None and pair[1] is not None:
                now, before = now + pair[0], before + pair[1]
                facilities.add(facility)
                days_compared += monthrange(YEAR, month)[1]
    total = rows_of(published, "like_for_like")[0]
    assert facilities
    assert (total["facility_count"], total["compared_days"]) == (len(facilities), days_compared)
    assert abs(Fraction(total["co2e_kg"]) - now) < NEARLY
    assert abs(Fraction(total["before_co2e_kg"]) - before) < NEARLY
    assert abs(Fraction(total["change"]) - (now - before) / before) < Fraction(1, 10**6)


def test_the_share_is_that_of_the_records_in_the_totals_of_dcycle(published: Published) -> None:
    ours: dict[str, Fraction] = defaultdict(Fraction)
    for (organization_id, _), days in by_day(published).items():
        for day, shares in days.items():
            if day.year == YEAR:
                ours[organization_id] += sum((share or Fraction() for share in shares), Fraction())
    theirs = {
        row["organization_id"]: Fraction(row["co2e_kg"])
        for row in published.rows("SELECT * FROM dcycle.total_impacts WHERE year = ?", [YEAR])
    }
    total = rows_of(published, "comparison")[0]
    both = ours.keys() & theirs.keys()
    assert total["compared_count"] == len(both) > 1
    assert abs(Fraction(total["ours_co2e_kg"]) - sum(ours[each] for each in both)) < NEARLY
    assert Fraction(total["theirs_co2e_kg"]) == sum(theirs[each] for each in both)
    assert total["difference_co2e_kg"] == total["theirs_co2e_kg"] - total["ours_co2e_kg"]
    scopes = sum(total[f"scope_{number}_co2e_kg"] for number in (1, 2, 3))
    assert abs(scopes - total["theirs_co2e_kg"]) < len(both)


def test_intensity_is_the_ratio_of_the_two_numbers_beside_it(published: Published) -> None:
    years = rows_of(published, "intensity_by_year")
    assert len(years) > 3
    for row in [*years, *rows_of(published, "headline")]:
        told = row["calculated_months_co2e_kg"] / row["calculated_months_water_in_m3"]
        assert abs(told - row["co2e_kg_per_m3_in"]) < Decimal("0.000000001")
    (of_year,) = (row for row in years if row["year"] == YEAR)
    kilograms, water = Decimal(0), Decimal(0)
    for row in published.rows("FROM summaries.emissions_by_facility_month WHERE year(month) = ?", [YEAR]):
        if not row["pending_record_count"]:
            kilograms, water = kilograms + row["co2e_kg"], water + row["water_in_m3"]
    assert (of_year["calculated_months_co2e_kg"], of_year["calculated_months_water_in_m3"]) == (kilograms, water)


def test_years_that_are_not_over_say_which_months_they_hold(published: Published) -> None:
    (today,) = published.rows("SELECT max(published_at)::DATE AS day FROM sync.runs")
    held = published.rows("SELECT start_date, end_date FROM summaries.counted_records WHERE status = 'active'")
    for row in rows_of(published, "years"):
        assert row["is_open"] == (row["year"] >= today["day"].year)
        inside = [one for one in held if one["start_date"].year <= row["year"] <= one["end_date"].year]
        last = min(max(one["end_date"] for one in inside), date(row["year"], 12, 31))
        assert row["last_month"] == last.replace(day=1)


@pytest.mark.parametrize("year", [2022, 2025, 2026])
def test_what_is_left_out_and_why_it_differs_is_counted_from_the_records(published: Published, year: int) -> None:
    of_year = "FROM summaries.counted_records WHERE ? BETWEEN year(start_date) AND year(end_date)"
    records = published.rows(of_year, [year])
    active = [one for one in records if one["status"] == "active"]
    pending = [one for one in active if one["co2e_kg"] is None]
    crossing = [one for one in active if one["start_date"].year != one["end_date"].year]
    with_record = {row["facility_id"] for row in published.rows("FROM dcycle.waste_water_treatments")}
    without = {row["facility_id"] for row in published.rows("FROM dcycle.facilities")} - with_record
    left_out = {row["exclusion"]: row["things_count"] for row in rows_of(published, "exclusions", year)}
    assert left_out == counted(
        {
            "Records of the year whose emissions are pending": len(pending),
            "Records of the year that are not active: uploaded, loading or in error": len(records) - len(active),
            "Facilities without any waste-water record": len(without),
        }
    )
    reasons = {row["reason"]: row["things_count"] for row in rows_of(published, "differences", year)}
    told = {
        "Emissions are pending, so they add nothing here": len(pending),
        "Records cross the turn of the year: here by days, in Dcycle maybe otherwise": len(crossing),
        "Records are not active, so they do not count here": len(records) - len(active),
    }
    assert {reason: count for reason, count in reasons.items() if reason in told} == counted(told)


def counted(things: dict[str, int]) -> dict[str, int]:
    """What there is any of."""
    return {name: count for name, count in things.items() if count}


def test_the_boundary_names_every_organisation_from_the_root_down(published: Published) -> None:
    there = published.rows("FROM dcycle.organizations ORDER BY depth, name")
    assert [row["organization"] for row in rows_of(published, "boundary")] == [row["name"] for row in there]


def test_what_is_refused_is_one_line_for_an_organisation_and_its_proofs_are_told(tmp_path: Path) -> None:
    world = World(ROOT, "Holding")
    world.add_organization(CHILD, "Áurea Wasser Nord", ROOT)
    for place in ("f-1", "f-2", "f-3"):
        world.add_facility(CHILD, id=place, name=f"Klärwerk {place}")
        world.add_record(place, start_date="2024-01-01", end_date="2024-01-31")
    page = parsed(written(world, tmp_path, Behaviour(denied={"f-1": 403, "f-2": 403})).html)
    (article,) = [node for node in page.all("article") if node.attributes["id"] == "unproven"]
    (line,) = [row.text for row in article.all("tbody")[0].all("tr")]
    assert line.startswith("Áurea Wasser Nordwaste-water recordsaccess refused2")
    (quality,) = [node for node in page.all("article") if node.attributes["id"] == "quality"]
    (of_child,) = [row for row in quality.all("tr") if "Wasser Nord" in row.text]
    shown = {cell.attributes["data-column"]: cell for cell in of_child.all() if "data-column" in cell.attributes}
    assert (shown["never_proven_count"].text, shown["unproven_list_count"].text) == ("2", "2")
    assert shown["oldest_proof_at"].tag == "time"  # its other lists were proven a moment ago
    assert "never" not in {cell.text for cell in shown.values()}


def test_no_inner_word_stands_before_a_reader(report: Written) -> None:
    page = parsed(report.html)
    (main,) = page.all("main")
    (dictionary,) = [node for node in page.all("section") if node.attributes["id"] == "dictionary"]
    for node in [*page.all("pre"), *dictionary.all("code")]:
        node.children.clear()  # queries, and the names that stand in the file
    assert len(dictionary.text) > 10_000
    for word in ("owe", "owed", "owes", "GET", "HTTP", "x-organization-id"):
        assert not re.search(rf"\b{word}\b", main.text), word
    dictionary.children.clear()  # what is proven, or a sweep, is a name in the file too
    for word in ("owe", "proven", "GET /", "quarantin", "sweep", "waste_water"):
        assert word not in main.text


@pytest.mark.exhaustive
def test_the_share_leaves_out_organisations_without_a_known_total_and_says_so(tmp_path: Path) -> None:
    world = World(ROOT, "Holding")
    world.add_organization(CHILD, "Water North", ROOT)
    for organization_id, place in ((ROOT, "f-1"), (CHILD, "f-2")):
        world.add_facility(organization_id, id=place)
        world.add_record(place, start_date="2024-01-01", end_date="2024-12-31", co2e="50000")
    refused = Behaviour(faults=(Fault("403", organization_id=CHILD, path="/v1/total-impacts"),))
    page = parsed(written(world, tmp_path, refused).html)
    (summary,) = [node for node in page.all("p") if "summary" in node.classes]
    assert "emitted 100.0 t CO₂e; of the organisations with a known total, it is 50.0 of the " in summary.text
    (reasons,) = [node for node in page.all("article") if node.attributes["id"] == "differences"]
    assert "The total of Dcycle is not known1organisations" in reasons.text


@pytest.mark.exhaustive
def test_a_report_on_a_year_that_is_not_over_names_its_months(tmp_path: Path) -> None:
    year = datetime.now(UTC).year
    world = World(ROOT, "Holding")
    world.add_facility(ROOT, id="f-1")
    world.add_record("f-1", start_date=f"{year}-01-01", end_date=f"{year}-02-10", co2e="50000")
    page = parsed(written(world, tmp_path).html)
    assert next(node.text for node in page.all("h2")) == f"{year} so far, Jan–Feb"
    (years,) = [node for node in page.all("article") if node.attributes["id"] == "years"]
    assert [row.classes for row in years.all("tbody")[0].all("tr")] == [{"open"}]
    assert f"{year}Jan–Feb" in years.all("tbody")[0].text
    due = monthrange(year, 1)[1] + monthrange(year, 2)[1]
    for node in page.all("article", "p"):
        shown = [cell.text for cell in node.all("data") if cell.attributes.get("data-column") == "due_days"]
        if node.attributes.get("id") not in {"coverage", "months"}:  # these have a row for each month
            assert set(shown) <= {f"{due}"}, "days that are still to come are not missing"
