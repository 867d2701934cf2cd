"""A body in another form is read, and one bad value in it costs its item or field: never the page, the list or the run."""

import asyncio
import codecs
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dcycle_pipeline.api.client import DcycleApi
from dcycle_pipeline.api.repair import strict_json
from dcycle_pipeline.errors import TransientError
from dcycle_pipeline.sandbox import Sandbox, World
from dcycle_pipeline.sandbox.api import app
from tests.conftest import ROOT, facilities_of, quick_only, records_of, settings_for, small_world, sync

Form = Callable[[bytes], bytes]
NAME, NUMBER = "Markenwerk", "77.125"
MARKS = {
    "utf-8": codecs.BOM_UTF8,
    "utf-16-le": codecs.BOM_UTF16_LE,
    "utf-16-be": codecs.BOM_UTF16_BE,
    "utf-32-le": codecs.BOM_UTF32_LE,
    "utf-32-be": codecs.BOM_UTF32_BE,
}


def pretty(body: bytes) -> bytes:
    return msgspec.json.format(body, indent=2).replace(b"\n", b"\r\n")


def marked(encoding: str) -> Form:
    return lambda body: MARKS[encoding] + body.decode().encode(encoding)


def with_text(text: bytes) -> Form:
    return lambda body: body.replace(NAME.encode(), text)


def with_number(text: bytes) -> Form:
    return lambda body: body.replace(NUMBER.encode(), text)


HARMLESS: dict[str, Form] = {"pretty": pretty, **{encoding: marked(encoding) for encoding in MARKS}}
BAD_NUMBERS = {name: with_number(name.encode()) for name in ("NaN", "Infinity", "-Infinity")}
BAD_TEXTS = {"surrogate": with_text(b"Marken\\ud800werk"), "latin_1": with_text("Märkenwerk".encode("latin-1"))}
COSTLY: dict[str, Form] = BAD_NUMBERS | BAD_TEXTS


def world_with_a_mark(where: str) -> World:
    world = small_world()
    if where == "facility":
        world.add_facility(ROOT, id="f-marked", name=NAME, co2e=NUMBER)
        world.add_record("f-marked", id="r-in-marked")
    else:
        world.add_record("f-large", id="r-marked", invoice_id=NAME, quantity=NUMBER)
    return world


def send_in(form: Form, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every good answer of the sandbox leaves in this form."""
    plain = app._json
    monkeypatch.setattr(app, "_json", lambda status, body: plain(status, form(body) if status == 200 else body))


@pytest.mark.usefixtures("few_summaries")
@pytest.mark.parametrize("form", quick_only(["pretty", "utf-16-le"], HARMLESS))
def test_another_form_of_the_same_body_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    send_in(HARMLESS[form], monkeypatch)
    with Sandbox(small_world()) as sandbox:
        synced = sync(settings_for(sandbox, tmp_path / "data"))
        assert (synced.outcome, synced.quarantined()) == ("published", [])
        assert synced.facilities() == facilities_of(sandbox.world)
        assert synced.records() == records_of(sandbox.world)


@pytest.mark.usefixtures("few_summaries")
def test_a_raw_tab_stays_in_its_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    send_in(with_text(b"Marken\twerk"), monkeypatch)
    with Sandbox(world_with_a_mark("facility")) as sandbox:
        synced = sync(settings_for(sandbox, tmp_path / "data"))
    assert (synced.outcome, synced.facilities()["f-marked"][2]) == ("published", "Marken\twerk")


@pytest.mark.quick(1)
@pytest.mark.usefixtures("few_summaries")
@pytest.mark.parametrize("form", quick_only(["NaN"], COSTLY))
@pytest.mark.parametrize("where", ["facility", "record"])
def test_one_bad_value_costs_its_item_or_field_and_the_next_run_is_whole(tmp_path: Path, where: str, form: str) -> None:
    with Sandbox(world_with_a_mark(where)) as sandbox:
        settings, marked_id = settings_for(sandbox, tmp_path / "data"), f"{where[0]}-marked"
        with pytest.MonkeyPatch.context() as patched:
            send_in(COSTLY[form], patched)
            synced = sync(settings)
        seen = synced.facilities() | synced.records()
        whole = facilities_of(sandbox.world) | records_of(sandbox.world)
        assert seen.keys() | {marked_id} == whole.keys()
        assert {key: row for key, row in seen.items() if key != marked_id} == {
            key: row for key, row in whole.items() if key != marked_id
        }
        if marked_id in seen:
            assert form in BAD_TEXTS  # a label that nobody can read is empty; a number never is
            assert None in seen[marked_id]
        else:
            ((item_id, reason),) = synced.quarantined()
            assert (synced.outcome, item_id, bool(reason)) == ("published_with_gaps", marked_id, True)
        after = sync(settings)
        assert after.outcome == "published"
        assert after.facilities() | after.records() == whole


numbers = st.from_regex(r"-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,25})?([eE][-+]?[0-9]{1,3})?", fullmatch=True)
texts = st.text(st.characters(codec="utf-8"), max_size=8)
plain_leaves = st.builds(json.dumps, texts | st.none() | st.booleans(), ensure_ascii=st.booleans()) | numbers


def _list(parts: list[str]) -> str:
    return f"[{','.join(parts)}]"


def _object(parts: dict[str, str]) -> str:
    return "{" + ",".join(f"{json.dumps(key)}:{value}" for key, value in parts.items()) + "}"


bodies = st.recursive(
    plain_leaves,
    lambda inner: st.lists(inner, max_size=4).map(_list) | st.dictionaries(texts, inner, max_size=4).map(_object),
    max_leaves=12,
)


def parsed(text: str | bytes) -> Any:
    """Every number as its text, so that a lost digit shows."""
    return json.loads(text, parse_float=lambda number: ("number", number), parse_int=lambda number: ("number", number))


@pytest.mark.hypothesis
@given(body=bodies, form=st.sampled_from(sorted(HARMLESS)))
def test_any_value_comes_back_from_any_harmless_form(body: str, form: str) -> None:
    strict = strict_json(HARMLESS[form](body.encode()))
    assert parsed(strict) == parsed(body)
    assert b"\n" not in strict
    assert b"\r" not in strict


def is_sound(body: bytes) -> bool:
    """Strict JSON in UTF-8 on one line comes of it, or ValueError and nothing else."""
    try:
        strict = strict_json(body)
    except ValueError:
        return False
    strict.decode("utf-8")
    msgspec.json.decode(strict, type=msgspec.Raw)
    assert b"\n" not in strict
    return strict_json(strict) == strict


@pytest.mark.hypothesis
@given(body=st.binary(max_size=60) | st.lists(st.sampled_from(
    [b"{", b"}", b"[", b"]", b":", b",", b'"', b'"a"', b"NaN", b"-Infinity", b"1", b"-", b".5", b"e9", b"\\ud800", b"\\u0000",
     b"\xff", b"\t", b"\n", b"\r", b"\x00", b"true", *MARKS.values()]
), max_size=14).map(b"".join))  # fmt: skip
@example(b'{"a":' * 5000)
@example(b"1" * 5000)
@example(b"[NaN," + b"1" * 5000 + b"]")
@example(b'{"\\ud800":NaN}')
@example(b'{"a":1,\n"a":NaN}')
def test_arbitrary_bytes_are_json_or_a_value_error(body: bytes) -> None:
    is_sound(body)


def damaged(body: bytes, dice: random.Random) -> bytes:
    pieces = [b"NaN", b"\\ud800", b"\t", b"\xe9", b"\r\n", b"\x00", b'"', b"{", b"}", b"[", b",", *MARKS.values()]
    for _ in range(dice.randint(1, 3)):
        at = dice.randrange(len(body) + 1)
        body = body[:at] + dice.choice([*pieces, dice.randbytes(2)]) + body[at + dice.randint(0, 3) :]
    return body


@pytest.mark.exhaustive
def test_thousands_of_damaged_bodies_are_read_or_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dice = random.Random(10)
    send_in(lambda body: damaged(body, dice), monkeypatch)

    async def ask(sandbox: Sandbox) -> tuple[int, int]:
        read = refused = 0
        settings = settings_for(sandbox, tmp_path / "data", retry_attempts=1)
        async with DcycleApi(settings) as api:
            for _ in range(3000):
                try:
                    body = await api.get("/v1/facilities", (("size", "100"),), ROOT, "GET /v1/facilities")
                except TransientError:
                    refused += 1
                else:
                    read += is_sound(body)
        return read, refused

    with Sandbox(small_world()) as sandbox:
        read, refused = asyncio.run(ask(sandbox))
    assert (read + refused, read > 100, refused > 100) == (3000, True, True)
