"""No name and no address survives the default setting, and no number loses a digit."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcycle_pipeline.endpoints import declared, waste_water_treatments
from dcycle_pipeline.endpoints.declaration import Endpoint
from dcycle_pipeline.landing.page_body import PageBody, read_page
from dcycle_pipeline.landing.personal_data import Policy, Pseudonyms

FACILITIES, RECORDS = declared()
NUMBERS = ("quantity", "base_quantity", "m3_water_out", "kg_sludge", "co2e", "co2e_biomass", "percentage")
PERSON = "Hildegunde"
persons = st.sampled_from(
    [PERSON, f"{PERSON} Maolchathaigh", f"{PERSON.lower()}@example.org", f"https://x/{PERSON}?s=1", f'"{PERSON}"\\\n']
)
leaves = (
    persons
    | st.integers(-(2**60), 2**60)
    | st.booleans()
    | st.none()
    | st.floats(allow_nan=False, allow_infinity=False, width=32)
)
names = st.sampled_from(["approved_by", "note", "owner", "x", "first_name", "email", "user", "contact"])
nested = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3))
numerals = st.from_regex(r"-?(0|[1-9][0-9]{0,18})(\.[0-9]{1,12})?(e-?[0-9]{1,2})?", fullmatch=True)


def page(items: str, choice: str = "drop", endpoint: Endpoint = RECORDS) -> PageBody:
    policy = Policy(endpoint, choice, Pseudonyms(b"k" * 32))
    return read_page(f'{{"items":{items},"total_general":1,"owner":"{PERSON}"}}'.encode(), policy, "GET")


@given(
    user=nested, link=persons, undeclared=nested, unit_extra=nested, escaped=st.booleans(), numbers=st.lists(
        numerals, min_size=len(NUMBERS), max_size=len(NUMBERS)
    ),
)  # fmt: skip
def test_nobody_is_left_and_every_number_keeps_its_text(  # noqa: PLR0917 - one argument a choice
    user: Any, link: str, undeclared: Any, unit_extra: Any, escaped: bool, numbers: list[str]
) -> None:
    item = {
        "id": "a", "status": "active", "user": user, "file_url": link, "approver": undeclared,
        "unit": {"name": "cubic_meter_(m3)", "user": unit_extra}, "uploaded_by": f"{PERSON.lower()}@example.org",
        "invoice_id": f"run of {PERSON.lower()}@example.org", "linked_projects": [{"id": "p", "email": link}],
    }  # fmt: skip
    text = json.dumps(item, ensure_ascii=escaped)[:-1]
    text += "".join(f',"{name}":{numeral}' for name, numeral in zip(NUMBERS, numbers, strict=True)) + "}"
    read = page(f"[{text}]")
    assert PERSON.lower().encode() not in read.payload.lower()
    assert PERSON not in str(read.envelope)
    (clean,) = msgspec.json.decode(read.payload, type=list[dict[str, msgspec.Raw]])
    assert [bytes(clean[name]).decode() for name in NUMBERS] == numbers
    assert (read.identities, bytes(clean["status"])) == (("a",), b'"active"')


@given(item=nested)
def test_whatever_stands_for_an_item_loses_its_people(item: Any) -> None:
    read = page(json.dumps([item, {"id": "b"}]))
    assert PERSON.lower().encode() not in read.payload.lower()
    assert len(read.identities) == 2
    assert read.identities[1] == "b"


@pytest.mark.parametrize("choice", ["drop", "pseudonymise"])
@pytest.mark.parametrize(
    "item",
    [
        '{"id":"a","linked_projects":[{"contact":"%s"}]}',
        '{"id":"a","unit":{"name":"m3","by":"%s"}}',
        '{"id":"a","uploaded_by":"%s@example.org"}',
        '{"id":"a","uploaded_by":{"name":"%s"}}',
        '{"id":{"first_name":"%s"}}',
        '{"id":"a","who":{"%s":1}}',
        '{"id":"a","User":"%s"}',
        '"%s"',
        '["%s"]',
        '{"id":"a","user":{"first_name":"x"},"user":{"first_name":"%s"}}',
        '{"id":"a","fileUrl":"%s"}',
    ],
)
def test_no_odd_place_hides_a_person(item: str, choice: str) -> None:
    assert PERSON.encode() not in page("[" + item % PERSON + "]", choice).payload


@pytest.mark.parametrize("address", ["zoe@x.org", "z\\u006fe\\u0040x.org", "ZOE@X.ORG"])
def test_addresses_inside_texts_go(address: str) -> None:
    payload = page(f'[{{"id":"a","invoice_id":"sent by {address} in May"}}]').payload.lower()
    assert b"zoe" not in payload
    assert b"in may" in payload


def test_a_pseudonym_is_the_same_for_one_person_and_tells_nothing() -> None:
    items = '[{"id":"a","uploaded_by":"u-1","user":{"id":"u-1","email":"x@y.org"}},{"id":"b","uploaded_by":"u-1"}]'
    first, second = json.loads(page(items, "pseudonymise").payload)
    assert first["uploaded_by"] == second["uploaded_by"] == first["user"]["id"] != "u-1"
    assert first["user"].keys() == {"id"}
    other = Policy(RECORDS, "pseudonymise", Pseudonyms(b"z" * 32))
    foreign = json.loads(read_page(b'{"items":' + items.encode() + b"}", other, "GET").payload)
    assert foreign[0]["uploaded_by"] != first["uploaded_by"]


def test_keep_keeps_everything_as_it_came() -> None:
    item = f'{{"id":"a","user":{{"email":"{PERSON}@x.org"}},"new":["{PERSON}"],"co2e":1.10}}'
    assert page(f"[{item}]", "keep").payload == f"[{item}]".encode()


def test_fields_that_nobody_declared_are_named() -> None:
    policy = Policy(FACILITIES, "drop", Pseudonyms(b"k" * 32))
    read_page(b'{"items":[{"id":"a","name":"x","colour":1,"quantity":2}]}', policy, "GET")
    assert policy.undeclared == {"colour", "quantity"}


def test_items_without_a_usable_id_are_told_apart() -> None:
    read = page('[{"co2e":1},{"co2e":2},{"id":null,"co2e":1},{"id":5},{"id":""},null,7,"x",{"id":"\\u0061"}]')
    assert len(set(read.identities)) == 9
    assert read.identities[-1] == "a"
    assert all(identity.startswith("no-id:") for identity in read.identities[:-1])


@pytest.mark.parametrize("choice", ["drop", "pseudonymise"])
@pytest.mark.parametrize(
    "item",
    [
        '{"id":"a","phone":%s}',
        '{"id":"a","identity_number":[%s]}',
        '{"id":"a","unit":{"name":"m3","extension":%s}}',
        '{"id":"a","invoice_id":{"phone_of":%s}}',
        '{"id":"a","linked_projects":[{"id":"p","phone":%s}]}',
        '{"id":"a","facility_percentages":[{"line":%s}]}',
        "%s",
    ],
)
def test_no_number_lands_that_nobody_declared(item: str, choice: str) -> None:
    assert b"34600123456" not in page("[" + item % "34600123456" + "]", choice).payload


@pytest.mark.parametrize("choice", ["drop", "pseudonymise"])
@pytest.mark.parametrize(
    "name", ["ana.garcia@example.org", "Ana Garc\u00eda", "Ana-Garcia", "+34 600 123 456", "", "A" * 65]
)
@pytest.mark.parametrize(
    "place", ["%s", '{"id":"a",%s}', '{"id":"a","unit":{%s}}', '{"id":"a","linked_projects":[{"id":"p",%s}]}']
)
def test_a_person_is_no_name_of_a_field(place: str, name: str, choice: str) -> None:
    """Neither in the file nor among the names that are reported as drift."""
    policy = Policy(RECORDS, choice, Pseudonyms(b"k" * 32))
    pair = f"{json.dumps(name)}:true"
    item = place % (f"{{{pair}}}" if place == "%s" else pair)
    payload = read_page(f'{{"items":[{item}]}}'.encode(), policy, "GET").payload
    assert f'"{name}":'.encode() not in payload
    assert policy.undeclared <= {"withheld_name"}


@pytest.mark.parametrize("choice", ["drop", "pseudonymise"])
def test_of_linked_projects_only_ids_land(choice: str) -> None:
    given_projects = ["p-1", f"{PERSON} M", f"{PERSON}@x.org", f"{PERSON}\u00a0M", {"id": "p-2", "name": PERSON}, {"name": PERSON},
                      {"id": f"{PERSON} M"}, [PERSON]]  # fmt: skip
    for projects in (given_projects, given_projects[:4], given_projects[:1]):
        (item,) = json.loads(page(json.dumps([{"id": "a", "linked_projects": projects}]), choice).payload)
        assert item["linked_projects"] == ["p-1", {"id": "p-2"}][: 1 + (projects is given_projects)]


def test_truth_and_nothing_of_undeclared_fields_may_land() -> None:
    (item,) = json.loads(page('[{"id":"a","new":true,"newer":null,"newest":7}]').payload)
    assert item == {"id": "a", "new": True, "newer": None, "newest": "[withheld: undeclared field]"}


def test_only_texts_of_fields_that_never_land_are_left_out_of_a_comparison() -> None:
    policy = Policy(waste_water_treatments.ENDPOINT, "drop", Pseudonyms(b"key"))
    one, other, more = (
        b'{"id":"r","invoice_id":"\\"file_url\\":\\"%b\\"","file_url": "https://x/%b?a=1&b","co2e":%b}' % each
        for each in ((b"a", b"1", b"1"), (b"a", b"2", b"1"), (b"b", b"1", b"1"))
    )
    assert policy.without_what_never_lands(one) == policy.without_what_never_lands(other)
    assert policy.without_what_never_lands(one) != policy.without_what_never_lands(more)
    assert b'"co2e":1' in policy.without_what_never_lands(one)
    escaped = one.replace(b"?a=1", b"\\n")
    assert policy.without_what_never_lands(escaped) == escaped
    keeping = Policy(waste_water_treatments.ENDPOINT, "keep", Pseudonyms(b"key"))
    assert keeping.without_what_never_lands(one) == one
