"""What is harmless is accepted, what is not is set aside with a telling reason, and no decimal changes silently."""

import json
from datetime import UTC, date, datetime, time
from decimal import ROUND_HALF_EVEN, Context, Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcycle_pipeline.api.types import Page, Proof
from dcycle_pipeline.endpoints import declared
from dcycle_pipeline.landing.files import Landing, Trailer
from dcycle_pipeline.landing.lists import ListKey, ListResult
from dcycle_pipeline.warehouse.decode import QuarantinedItem, batches

LEGACY, RECORDS = declared("legacy")
V1 = declared()[0]
NOW = datetime(2026, 1, 1, tzinfo=UTC)
GOOD: dict[str, str] = {
    "status": '"active"', "start_date": '"2025-01-01"', "end_date": '"2025-01-31"', "facility_id": '"f"',
    "quantity": "1.5", "unit": '{"name":"cubic_meter_(m3)"}', "created_at": '"2025-02-01T00:00:00Z"',
}  # fmt: skip


def item(identifier: str, **fields: str) -> str:
    return "{" + ",".join(f'"{k}":{v}' for k, v in ({"id": f'"{identifier}"'} | GOOD | fields).items()) + "}"


def tabled(
    root: Path, *pages: list[str], endpoint: Any = RECORDS, distinct: int | None = None
) -> tuple[list[dict[str, Any]], list[QuarantinedItem]]:
    rows = sum(map(len, pages))
    proof = Proof(True, "", rows, rows, rows if distinct is None else distinct, 1, len(pages))
    landing, key = Landing(root, "run"), ListKey("o", endpoint.name, "f")
    with landing.write(key) as file:
        for number, items in enumerate(pages, start=1):
            file.keep(Page(number, (), {}, ("[" + ",".join(items) + "]").encode()))
        file.finish(Trailer(proof, NOW, NOW))
    result = ListResult(key, "proven", "", NOW, NOW, "run", proof, landing.file(key))
    found = list(batches(endpoint, [result], root))
    quarantined = [item for batch in found for item in batch.quarantined]
    return [row for batch in found for row in batch.items.to_pylist()], quarantined


@pytest.mark.parametrize(
    ("field", "text", "value"),
    [
        ("quantity", '"1.50"', Decimal("1.5")),
        ("quantity", "null", None),
        ("quantity", "1e3", Decimal(1000)),
        ("quantity", "1e-400", Decimal(0)),
        ("quantity", "1e-999999", Decimal(0)),
        ("quantity", "-0.0", Decimal(0)),
        ("quantity", "1234567890123456789.123456789", Decimal("1234567890123456789.123456789")),
        ("quantity", "0.0000000005", Decimal(0)),
        ("quantity", "0.0000000015", Decimal("0.000000002")),
        ("quantity", "123456789012", Decimal(123456789012)),
        ("co2e", "-1.25", Decimal("-1.25")),
        ("start_date", '"2025-01-01T00:00:00"', date(2025, 1, 1)),
        ("start_date", '"2025-01-01T00:00:00.000Z"', date(2025, 1, 1)),
        ("start_date", '"2025-01-01 00:00:00+02:00"', date(2025, 1, 1)),
        ("created_at", '"2025-02-01T01:00:00+01:00"', datetime(2025, 2, 1, tzinfo=UTC)),
        ("user", "[1]", None),
    ],
)
def test_what_is_harmless_is_accepted(tmp_path: Path, field: str, text: str, value: object) -> None:
    rows, bad = tabled(tmp_path, [item("a", **{field: text}), item("b")])
    assert bad == []
    assert [row["id"] for row in rows] == ["a", "b"]
    assert rows[0].get(field) == value


BAD = [
    ("quantity", '"NaN"'), ("quantity", '"Infinity"'), ("quantity", '"-inf"'), ("quantity", "1e400"),
    ("quantity", "1e999999"), ("quantity", "1e9999999"), ("quantity", "1e999999999999999999"),
    ("quantity", "1e99999999999999999999"), ("quantity", '"1e9999999999"'), ("quantity", "10000000000000000000"),
    ("quantity", "-1e19"), ("quantity", "9999999999999999999.9999999999"), ("quantity", "1" * 5000),
    ("quantity", "true"), ("quantity", '""'), ("quantity", '"12,5"'), ("quantity", "[]"), ("quantity", "{}"),
    ("quantity", '"sNaN"'), ("id", "null"), ("id", "5"), ("id", '""'), ("status", "null"),
    ("status", '"paused"'), ("start_date", '"31/02/2025"'), ("start_date", '"2025-02-30"'), ("start_date", "20250101"),
    ("start_date", "null"), ("start_date", '"0000-01-01"'), ("end_date", '"2024-12-31"'),
    ("facility_id", '"other"'), ("unit", '{"name":"kilogram_(kg)"}'), ("unit", '"m3"'),
    ("type", '"electricity"'), ("start_date", '"2025-01-01T99:99"'), ("start_date", '"2024-12-31T23:00:00.000Z"'),
    ("end_date", '"2025-01-31T22:59:59Z"'), ("end_date", '"2025-01-31T00:00:01+02:00"'),
    ("end_date", '"2025-01-31T12:00"'),
    ("start_date", '"2024-12-31T23:59:59Z"'), ("end_date", '"9999-12-31"'), ("end_date", '"2100-01-01"'),
    ("start_date", '"0025-01-01"'), ("start_date", '"1899-12-31"'), ("start_date", '"1924-12-30"'),
    ("m3_water_out", '10.1, "base_quantity": 10.2'), ("m3_water_out", '1e30, "base_quantity": 1'),
]  # fmt: skip


@pytest.mark.parametrize(("field", "text"), BAD, ids=[f"{field}={text[:24]}" for field, text in BAD])
def test_what_is_not_is_set_aside_with_its_reason_and_its_neighbours_stay(
    tmp_path: Path, field: str, text: str
) -> None:
    rows, bad = tabled(tmp_path, [item("a"), item("x", **{field: text}), item("b")], [item("c")])
    assert [row["id"] for row in rows] == ["a", "b", "c"]
    (rejected,) = bad
    assert (rejected.page, rejected.position) == (1, 1)
    assert rejected.reason
    assert field == "id" or rejected.identity == "x"
    assert len(rejected.reason) < 500


@pytest.mark.parametrize("text", ["null", '"text"', "7", "[]", "{}", '[{"id":"a"}]'])
def test_what_is_no_item_is_set_aside(tmp_path: Path, text: str) -> None:
    rows, bad = tabled(tmp_path, [item("a"), text])
    assert ([row["id"] for row in rows], len(bad), bad[0].identity) == (["a"], 1, "")


@pytest.mark.parametrize("number", ["9223372036854775808", "1" * 30, "1" * 5000, '"1e3"', "1.5", "true"])
def test_a_count_that_is_none_becomes_null(tmp_path: Path, number: str) -> None:
    facility = '{"id":"%s","status":"active","invoices_length":%s}'
    rows, bad = tabled(tmp_path, [facility % ("a", 3), facility % ("x", number)], endpoint=LEGACY)
    assert ([(row["id"], row["invoices_length"]) for row in rows], bad) == ([("a", 3), ("x", None)], [])


UNNEEDED = [
    *((RECORDS, *field) for field in [("created_at", '"yesterday"'), ("created_at", "1735689600.5e9"), ("invoice_id", "7")]),
    *((RECORDS, *field) for field in [("linked_projects", '"p"'), ("uploaded_by", "[1]"), ("created_at", '"2025-13-01"')]),
    *((V1, name, text) for name in sorted(V1.unneeded) for text in ('{"a":[1]}', "[[]]", '"\\u0000"', "1e99", "-1.5e-400")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("endpoint", "field", "text"), UNNEEDED, ids=[f"{e.name}.{field}={text}" for e, field, text in UNNEEDED]
)
def test_a_field_that_no_figure_needs_never_costs_the_row(tmp_path: Path, endpoint: Any, field: str, text: str) -> None:
    mine = GOOD if endpoint is RECORDS else {"status": '"active"', "co2e": "12.5", "country": '"ES"'}
    raw = "{" + ",".join(f'"{k}":{v}' for k, v in ({"id": '"x"'} | mine | {field: text}).items()) + "}"
    rows, bad = tabled(tmp_path, [raw], endpoint=endpoint)
    (good,), none = tabled(tmp_path / "good", [raw.replace(f'"{field}":{text}', f'"{field}":null')], endpoint=endpoint)
    assert (bad, none) == ([], [])
    assert {name: value for name, value in rows[0].items() if name != field} == {
        name: value for name, value in good.items() if name != field
    }


@pytest.mark.parametrize("end", ["2025-01-31T23:59:59Z", "2025-01-31T23:59:59.999999+01:00", "2025-01-31 00:00"])
@pytest.mark.parametrize("start", ["2025-01-01", "2025-01-01T00:00:00-05:00", "2025-01-01T00:00"])
def test_a_day_in_any_harmless_form_is_that_day(tmp_path: Path, start: str, end: str) -> None:
    rows, bad = tabled(tmp_path, [item("a", start_date=f'"{start}"', end_date=f'"{end}"')])
    assert bad == []
    assert (rows[0]["start_date"], rows[0]["end_date"]) == (date(2025, 1, 1), date(2025, 1, 31))


@given(
    st.dates(date(1990, 1, 1), date(2090, 1, 1)),
    st.one_of(st.just(time(0)), st.times(), st.times(time(23, 59, 59))),
    st.sampled_from(["", "Z", "+02:00", "-11:30"]),
    st.booleans(),
)
def test_a_time_of_day_never_becomes_another_day(
    tmp_path_factory: pytest.TempPathFactory, day: date, clock: time, offset: str, first: bool
) -> None:
    field, other = ("start_date", "end_date") if first else ("end_date", "start_date")
    text = f'"{day}T{clock.isoformat()}{offset}"'
    written = f'"{day}"'
    rows, bad = tabled(tmp_path_factory.mktemp("a"), [item("a", **{field: text, other: written})])
    assert len(rows) + len(bad) == 1
    assert all(row[field] == day for row in rows)
    harmless = clock == time(0) or (not first and clock >= time(23, 59, 59))
    assert bool(rows) == harmless


def test_two_fields_that_mean_the_same_agree_to_nine_places(tmp_path: Path) -> None:
    rows, bad = tabled(tmp_path, [item("a", m3_water_out="10.10000000001", base_quantity="10.1")])
    assert (len(rows), bad) == (1, [])


@pytest.mark.parametrize(("text", "value"), [('"24"', 24), ("24.0", 24), ("-1", -1), ("null", None)])
def test_a_count_in_a_harmless_form_is_accepted(tmp_path: Path, text: str, value: int | None) -> None:
    rows, bad = tabled(tmp_path, [f'{{"id":"a","status":"active","invoices_length":{text}}}'], endpoint=LEGACY)
    assert (rows[0]["invoices_length"], bad) == (value, [])


@given(
    st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**19) + 1, max_value=10**19 - 1),
    st.booleans(),
    st.booleans(),
)
def test_every_number_is_rounded_half_even_to_nine_places(
    tmp_path: Path, number: Decimal, quoted: bool, crowded: bool
) -> None:
    text = f'"{number}"' if quoted else f"{number}".replace("E+", "E")
    rows, bad = tabled(tmp_path, [item("a", quantity=text), *([item("b", quantity="true")] if crowded else [])])
    expected = number.quantize(Decimal("1e-9"), context=Context(prec=60, rounding=ROUND_HALF_EVEN))
    assert len(bad) == crowded
    assert rows[0]["quantity"] == expected


def test_the_latest_version_of_a_row_counts(tmp_path: Path) -> None:
    first, second = item("a", quantity="1"), item("a", quantity="2")
    rows, bad = tabled(tmp_path, [first, item("b"), item("x", status="1")], [second, item("x", status="2")], distinct=3)
    assert sorted((row["id"], row["quantity"]) for row in rows) == [("a", Decimal(2)), ("b", Decimal("1.5"))]
    assert [one.identity for one in bad] == ["x"]


def test_two_nameless_bad_items_are_both_reported(tmp_path: Path) -> None:
    _, bad = tabled(tmp_path, [item("a"), "null", "7"], [item("a")], distinct=3)
    assert len(bad) == 2


def test_many_pages_make_several_batches_without_losing_a_row(tmp_path: Path) -> None:
    pages = [[item(f"{page}-{place}") for place in range(100)] for page in range(205)]
    pages[150][3] = item("x", quantity="true")
    rows, bad = tabled(tmp_path, *pages)
    assert (len(rows), len({row["id"] for row in rows}), [one.identity for one in bad]) == (20499, 20499, ["x"])


def test_the_rejected_item_is_kept_as_it_came(tmp_path: Path) -> None:
    text = item("x", quantity='"12,5 m³"')
    _, bad = tabled(tmp_path, [text])
    assert json.loads(bad[0].item) == json.loads(text)
