"""The lines that an analyst types next work on the frames, and give what SQL gives. With `exact`, sums agree to the last digit."""

import math
from decimal import Decimal
from pathlib import Path
from typing import Any

import altair
import numpy as np
import pandas as pd
import pytest

from dcycle_pipeline import open_published
from dcycle_pipeline.publish.catalog import all_tables
from dcycle_pipeline.sandbox import Sandbox, World
from dcycle_pipeline.schema import Table
from tests.conftest import ROOT, Synced, settings_for, sync

MONTHS = "summaries.emissions_by_facility_month"
BY_MONTH = "FROM m ORDER BY facility_id, month"
BEFORE = "OVER (ORDER BY facility_id, month ROWS UNBOUNDED PRECEDING)"
LAST_THREE = "OVER (ORDER BY facility_id, month ROWS 2 PRECEDING)"
KG_AND_M3 = ["co2e_kg", "co2e_biomass_kg", "water_in_m3", "water_out_m3", "sludge_kg"]

# Each line with the query that gives the same. `m` has the months of facilities, `r` records, `f` facilities, in the order of keys.
WITH_ORDINARY_NUMBERS = {
    "m.co2e_kg / 1000": f"SELECT co2e_kg / 1000 {BY_MONTH}",
    "m.co2e_kg * 2": f"SELECT co2e_kg * 2 {BY_MONTH}",
    "m.co2e_kg / m.water_in_m3": f"SELECT co2e_kg / water_in_m3 {BY_MONTH}",
    "m.co2e_kg / m.covered_days": f"SELECT co2e_kg / covered_days {BY_MONTH}",
    "100 * m.co2e_kg / m.co2e_kg.sum()": f"SELECT 100 * co2e_kg / sum(co2e_kg) OVER () {BY_MONTH}",
    "m.co2e_kg.pct_change()": f"SELECT co2e_kg / lag(co2e_kg) {BEFORE} - 1 {BY_MONTH}",
    "m.co2e_kg.cumsum()": f"SELECT if(co2e_kg IS NULL, NULL, sum(co2e_kg) {BEFORE}) {BY_MONTH}",
    "m.co2e_kg.diff()": f"SELECT co2e_kg - lag(co2e_kg) {BEFORE} {BY_MONTH}",
    "m.co2e_kg.rolling(3).mean()": f"SELECT if(count(co2e_kg) {LAST_THREE} = 3, avg(co2e_kg) {LAST_THREE}, NULL) {BY_MONTH}",
    "m.co2e_kg.round(1)": f"SELECT round(co2e_kg, 1) {BY_MONTH}",
    "np.log(m.co2e_kg)": f"SELECT ln(co2e_kg) {BY_MONTH}",
    "m.nlargest(3, 'co2e_kg').co2e_kg": "SELECT co2e_kg FROM m ORDER BY co2e_kg DESC NULLS LAST LIMIT 3",
    "m.co2e_kg.std()": "SELECT stddev_samp(co2e_kg) FROM m",
    "m.co2e_kg.quantile(0.9)": "SELECT quantile_cont(co2e_kg::DOUBLE, 0.9) FROM m",
    "m[['co2e_kg', 'covered_days']].corr().loc['co2e_kg', 'covered_days']": "SELECT corr(co2e_kg, covered_days) FROM m",
    "m.describe().loc[['count', 'mean', 'min', '50%', 'max'], 'co2e_kg']": (
        "SELECT unnest([count(co2e_kg), avg(co2e_kg), min(co2e_kg), median(co2e_kg::DOUBLE), max(co2e_kg)]::DOUBLE[]) FROM m"
    ),
    "m.resample('QS', on='month').co2e_kg.sum()": (
        "SELECT sum(co2e_kg) FROM m GROUP BY date_trunc('quarter', month) ORDER BY date_trunc('quarter', month)"
    ),
    "m.set_index('month').co2e_kg.resample('YE').sum()": "SELECT sum(co2e_kg) FROM m GROUP BY year(month) ORDER BY year(month)",
    "m.groupby(pd.Grouper(key='month', freq='MS')).co2e_kg.mean()": "SELECT avg(co2e_kg) FROM m GROUP BY month ORDER BY month",
    "m[m.month == '2025-01'].co2e_kg": "SELECT co2e_kg FROM m WHERE month = '2025-01-01' ORDER BY facility_id",
    "m[m.month >= '2025-01'].co2e_kg": f"SELECT co2e_kg FROM (FROM m WHERE month >= '2025-01-01') AS {BY_MONTH[5:]}",
    "m[m.month.between('2024-11', '2025-02')].co2e_kg.sum()": (
        "SELECT sum(co2e_kg) FROM m WHERE month BETWEEN '2024-11-01' AND '2025-02-01'"
    ),
    "m.set_index('month').sort_index().loc['2025'].water_in_m3.sum()": "SELECT sum(water_in_m3) FROM m WHERE year(month) = 2025",
    "m.month + pd.DateOffset(months=1)": f"SELECT month + INTERVAL 1 MONTH {BY_MONTH}",
    "m.month.dt.to_period('Q').astype(str)": f"SELECT year(month) || 'Q' || quarter(month) {BY_MONTH}",
    "(r.end_date - r.start_date).dt.days + 1": (
        "SELECT end_date - start_date + 1 FROM dcycle.waste_water_treatments ORDER BY facility_id, start_date"
    ),
    "r.created_at > '2020-01-01'": "SELECT created_at > '2020-01-01' FROM dcycle.waste_water_treatments",
}
WITH_DECIMALS_TOO = {
    **{f"m.{name}.sum()": f"SELECT sum({name}) FROM m" for name in KG_AND_M3},
    "m.co2e_kg.max()": "SELECT max(co2e_kg) FROM m",
    "m.co2e_kg.isna().sum()": "SELECT count(*) FILTER (co2e_kg IS NULL) FROM m",
    "m.co2e_kg.fillna(0)": f"SELECT coalesce(co2e_kg, 0) {BY_MONTH}",
    "m.co2e_kg.astype(float)": f"SELECT co2e_kg::DOUBLE {BY_MONTH}",
    "m.record_count.astype(int)": f"SELECT record_count {BY_MONTH}",
    "m.groupby('facility_id').co2e_kg.sum()": "SELECT sum(co2e_kg) FROM m GROUP BY facility_id ORDER BY facility_id",
    "m.groupby('month')[['co2e_kg', 'water_in_m3']].sum()": "SELECT sum(co2e_kg), sum(water_in_m3) FROM m GROUP BY month ORDER BY month",
    "m.groupby(m.month.dt.year).co2e_kg.sum()": "SELECT sum(co2e_kg) FROM m GROUP BY year(month) ORDER BY year(month)",
    "m.groupby('facility_id').co2e_kg.agg(['sum', 'max'])": (
        "SELECT sum(co2e_kg), max(co2e_kg) FROM m GROUP BY facility_id ORDER BY facility_id"
    ),
    "m.groupby('facility_id').co2e_kg.transform('sum')": f"SELECT sum(co2e_kg) OVER (PARTITION BY facility_id) {BY_MONTH}",
    "m.pivot_table(index='month', columns='facility_id', values='water_in_m3', aggfunc='sum')": (
        "SELECT sum(water_in_m3) FILTER (facility_id = 'f-1'), sum(water_in_m3) FILTER (facility_id = 'f-2') "
        "FROM m GROUP BY month ORDER BY month"
    ),
    "m.merge(f, on='facility_id').groupby('name').co2e_kg.sum()": (
        "SELECT sum(m.co2e_kg) FROM m JOIN dcycle.facilities AS f USING (facility_id) GROUP BY f.name ORDER BY f.name"
    ),
    "m.groupby(['facility_id', 'month']).co2e_kg.sum(min_count=1)": f"SELECT co2e_kg {BY_MONTH}",
    "m.sort_values('co2e_kg', ascending=False).co2e_kg": "SELECT co2e_kg FROM m ORDER BY co2e_kg DESC NULLS LAST",
    "m[m.co2e_kg > 1000].co2e_kg": f"SELECT co2e_kg FROM (FROM m WHERE co2e_kg > 1000) AS {BY_MONTH[5:]}",
    "m.query('co2e_kg > 1000').co2e_kg": f"SELECT co2e_kg FROM (FROM m WHERE co2e_kg > 1000) AS {BY_MONTH[5:]}",
    "m.country_code.value_counts()": "SELECT count(*) FROM m GROUP BY country_code ORDER BY 1 DESC",
    "m.month.dt.month": f"SELECT month(month) {BY_MONTH}",
    "m.month.dt.strftime('%Y-%m')": f"SELECT strftime(month, '%Y-%m') {BY_MONTH}",
    "m.month.max()": "SELECT max(month) FROM m",
    "m.co2e_kg.shift()": f"SELECT lag(co2e_kg) {BEFORE} {BY_MONTH}",
    "pd.concat([m, m]).drop_duplicates().co2e_kg": f"SELECT co2e_kg {BY_MONTH}",
}


@pytest.fixture(scope="module")
def synced(tmp_path_factory: pytest.TempPathFactory) -> Synced:
    world = World(ROOT, "Holding")
    for facility, country in (("f-1", "ES"), ("f-2", "DE")):
        world.add_facility(ROOT, id=facility, name=f"Plant {facility}", country=country)
        for at in range(15 if country == "ES" else 12):
            first = pd.Timestamp("2024-02-01") + pd.DateOffset(months=at)
            world.add_record(
                facility,
                start_date=first.date().isoformat(),
                end_date=(first + pd.offsets.MonthEnd(0)).date().isoformat(),
                co2e=None if (facility, at) == ("f-1", 5) else f"{700 + 91 * at * (at % 3)}.{123456789 - at}",
                quantity=f"9007199254740{at:03}.{987654321 - at}",
                co2e_biomass=f"0.00000000{at % 10}",
            )
    with Sandbox(world) as sandbox:
        return sync(settings_for(sandbox, tmp_path_factory.mktemp("lines")))


def names(synced: Synced, *, exact: bool) -> dict[str, Any]:
    with open_published(synced.file, exact=exact) as published:
        return {
            "m": published.query(f"FROM {MONTHS} ORDER BY facility_id, month"),
            "r": published.query("FROM dcycle.waste_water_treatments ORDER BY facility_id, start_date"),
            "f": published.frame("dcycle.facilities")[["facility_id", "name"]],
            "np": np,
            "pd": pd,
        }


@pytest.fixture(scope="module")
def ordinary(synced: Synced) -> dict[str, Any]:
    return names(synced, exact=False)


@pytest.fixture(scope="module")
def exact(synced: Synced) -> dict[str, Any]:
    return names(synced, exact=True)


def values(result: Any) -> list[Any]:
    """The values of a result, row by row; None for a missing one."""
    if isinstance(result, pd.DataFrame):
        found = [value for row in result.itertuples(index=False) for value in row]
    else:
        found = result.tolist() if isinstance(result, pd.Series) else [result]
    return [None if pd.isna(value) else value for value in found]


def told(synced: Synced, sql: str) -> list[Any]:
    return [value for row in synced.query(f"WITH m AS (FROM {MONTHS}) {sql}") for value in row]


def is_near(found: Any, expected: Any) -> bool:
    if isinstance(expected, Decimal | float):
        return found is not None and math.isclose(found, expected, rel_tol=1e-12, abs_tol=1e-15)
    return bool(found == (expected if expected is None or isinstance(expected, str | int) else pd.Timestamp(expected)))


@pytest.mark.parametrize("line", [*WITH_ORDINARY_NUMBERS, *WITH_DECIMALS_TOO])
def test_a_line_gives_what_sql_gives(synced: Synced, ordinary: dict[str, Any], line: str) -> None:
    expected = told(synced, (WITH_ORDINARY_NUMBERS | WITH_DECIMALS_TOO)[line])
    found = values(eval(line, ordinary))
    assert len(found) == len(expected) > 0
    assert [pair for pair in zip(found, expected, strict=True) if not is_near(*pair)] == []


@pytest.mark.parametrize("line", WITH_DECIMALS_TOO)
def test_a_line_gives_exactly_what_sql_gives(synced: Synced, exact: dict[str, Any], line: str) -> None:
    expected = told(synced, WITH_DECIMALS_TOO[line])
    assert expected
    assert values(eval(line, exact)) == expected


@pytest.mark.parametrize(
    "table",
    [table for table in all_tables() if table.schema in ("bi", "dcycle", "summaries")],
    ids=lambda it: it.qualified,
)
def test_each_exact_sum_is_that_of_sql_to_the_last_digit(synced: Synced, table: Table) -> None:
    decimals = [column.name for column in table.columns if column.type.startswith("DECIMAL")]
    with open_published(synced.file, exact=True) as published:
        found = published.frame(table.qualified)
    for name in decimals:
        ((expected,),) = synced.query(f"SELECT coalesce(sum({name}), 0) FROM {table.qualified}")
        assert found[name].sum() == expected, name


def test_describe_leaves_no_number_out(ordinary: dict[str, Any]) -> None:
    assert {*KG_AND_M3, "record_count", "covered_days", "month"} <= set(ordinary["m"].describe().columns)


@pytest.mark.parametrize("ending", ["csv", "xlsx"])
def test_a_file_holds_the_same_numbers(ordinary: dict[str, Any], tmp_path: Path, ending: str) -> None:
    months, file = ordinary["m"], tmp_path / f"months.{ending}"
    if ending == "csv":
        months.to_csv(file, index=False)
        again = pd.read_csv(file, parse_dates=["month"])
    else:
        months.to_excel(file, index=False)
        again = pd.read_excel(file)
    pd.testing.assert_frame_equal(again, months, check_dtype=False, rtol=1e-15, atol=0)


def test_times_go_into_excel_as_the_docs_say(synced: Synced, tmp_path: Path) -> None:
    with open_published(synced.file) as published:
        facilities = published.frame("dcycle.facilities")[["facility_id", "first_seen_at"]]
    facilities["first_seen_at"] = facilities["first_seen_at"].dt.tz_localize(None)
    facilities.to_excel(tmp_path / "facilities.xlsx", index=False)
    facilities["first_seen_at"] = facilities["first_seen_at"].dt.round("ms")  # Excel keeps no more
    pd.testing.assert_frame_equal(pd.read_excel(tmp_path / "facilities.xlsx"), facilities, check_dtype=False)


@pytest.mark.parametrize("exact", [False, True])
def test_a_file_of_text_holds_the_digits_that_sql_shows(synced: Synced, tmp_path: Path, exact: bool) -> None:
    names(synced, exact=exact)["m"][["co2e_kg"]].dropna().to_csv(tmp_path / "kg.csv", index=False)
    found = (tmp_path / "kg.csv").read_text(encoding="utf-8").split()[1:]
    assert [Decimal(text) for text in found] == told(
        synced, f"SELECT co2e_kg FROM (FROM m WHERE co2e_kg IS NOT NULL) AS {BY_MONTH[5:]}"
    )


def test_a_chart_takes_the_frame_as_it_is(synced: Synced, ordinary: dict[str, Any]) -> None:
    drawn = altair.Chart(ordinary["m"]).mark_line().encode(x="month", y="co2e_kg", color="facility_id").to_dict()
    assert {axis: drawn["encoding"][axis]["type"] for axis in ("x", "y")} == {"x": "temporal", "y": "quantitative"}
    (rows,) = drawn["datasets"].values()
    assert [row["co2e_kg"] for row in rows] == pytest.approx(told(synced, f"SELECT co2e_kg::DOUBLE {BY_MONTH}"))
    assert rows[0]["month"].startswith("2024-02-01")
