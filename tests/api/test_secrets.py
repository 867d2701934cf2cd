"""A server that echoes a secret of ours never gets it stored, published, logged or shown, in whatever form; and no data are destroyed."""

import asyncio
import base64
import html
import json
import logging
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dcycle_pipeline.api.client import DcycleApi
from dcycle_pipeline.api.responses import read
from dcycle_pipeline.api.secrets import MASK, SHORTEST_KEY, Secrets, _is_in, _is_odd, _stages, born_at_run_time
from dcycle_pipeline.errors import DcycleError, ForbiddenError, UnauthorizedError
from dcycle_pipeline.sandbox import API_KEY, EMAIL, PASSWORD, Behaviour, Fault, Sandbox
from tests.api.test_responses import answer
from tests.conftest import CHILD, ROOT, settings_for, sync


def forms_of(secret: str) -> list[str]:
    """The secret as a server may give it back within a text."""
    escaped = json.dumps(secret)[1:-1]
    every = "".join(f"\\u{ord(character):04X}" for character in secret if ord(character) < 0x10000)
    codes = "".join(f"%{byte:02x}" for byte in secret.encode())
    raw = secret.encode()
    return [
        secret, escaped, json.dumps(escaped)[1:-1], every, quote(secret, safe=""), codes, quote(codes), html.escape(secret),
        "".join(f"&#{ord(character)};" for character in secret), raw.hex(), raw.hex().upper(), repr(raw)[2:-1],
        *(base64.b64encode(b"x" * before + raw + b"yz").decode() for before in range(3)),
        base64.urlsafe_b64encode(b":" + raw).decode(),
    ]  # fmt: skip


# One key is looked for in one way, those of many organisations in another.
KEYS = {"one key": list[str](), "many keys": [f"dk_live_{number:032x}" for number in range(7, 27)]}
SECRET = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=SHORTEST_KEY, max_size=40)


@pytest.mark.parametrize("others", KEYS.values(), ids=KEYS)
@settings(max_examples=40)
@given(SECRET | st.text("añ€ &+%\\\"'/<", min_size=SHORTEST_KEY, max_size=12), st.integers(0, 15), st.text(max_size=12))
@example(API_KEY, 0, "Planta ")
@example('"items":[', 0, "")
@example("12345678", 0, "a")
@example("00000%00", 0, "")
@example("0000000\\", 0, "")
def test_no_form_of_a_secret_passes_and_nothing_else_changes(
    others: list[str], secret: str, form: int, beside: str
) -> None:
    text = forms_of(secret)[form]
    shown = f"{beside} {text} {beside}"
    body = {"items": [{"id": "a", "name": shown, shown: 1, "quantity": 1.5}], "total": 12, "other": beside}
    cleaned = json.loads(Secrets([secret, *others]).clean(json.dumps(body).encode()))
    ((identifier, name, key, quantity),) = (list(item.items()) for item in cleaned["items"])
    assert (identifier, quantity) == (("id", "a"), ("quantity", 1.5))
    assert key[0] == name[1]
    assert text not in name[1]
    assert MASK in name[1]
    if not any(one in beside for one in forms_of(secret)):
        assert (cleaned["total"], cleaned["other"]) == (12, beside)
    assert text not in Secrets([secret]).mask(f"GET /x: 403 {shown}")


@settings(max_examples=20)
@example("a plain name")
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))  # fmt: skip
def test_a_body_without_a_secret_stays_byte_for_byte(value: Any) -> None:
    body = json.dumps(value).encode()
    known = [API_KEY, "p4ssw0rd &%+ñ", "a" + "\\" * 8, "%61%61%61"]
    assert Secrets(known).clean(body) is body
    assert Secrets([*known, *KEYS["many keys"]]).clean(body) is body


def test_a_number_that_is_the_secret_is_masked_and_one_that_holds_it_stays() -> None:
    body = b'{"items":[{"id":"a","quantity":12345678,"co2e":123456789.125}]}'
    assert Secrets(["12345678"]).clean(body) == body.replace(b":12345678,", b':"[secret]",')


def test_a_short_secret_or_a_word_is_masked_in_messages_and_never_in_data() -> None:
    secrets = Secrets(["active"])
    assert secrets.clean(b'{"status":"active"}') == b'{"status":"active"}'
    word = Secrets(["depuradora", API_KEY], ["depuradora"])
    assert word.clean(b'{"name":"La depuradora"}') == b'{"name":"La depuradora"}'
    assert word.mask(f"depuradora {API_KEY}") == f"{MASK} {MASK}"
    assert secrets.mask("password active is wrong") == f"password {MASK} is wrong"


@pytest.mark.parametrize("at", [0, 40, 55, 190])
@pytest.mark.parametrize("status", [200, 302, 403, 500])
def test_no_message_shows_a_secret_wherever_the_server_puts_it(status: int, at: int) -> None:
    for text in (API_KEY, quote(API_KEY.replace("_", "-"), safe="")):
        secrets = Secrets([text])
        for body in (b"x" * at + text.encode(), json.dumps({"detail": "x" * at + text, "code": text}).encode()):
            headers = {"content_type": f"text/{text}", "location": f"https://{text}.example/"}
            with pytest.raises(DcycleError) as caught:
                read(answer(status, body, **headers), "GET /x", secrets.mask)
            assert text[:12] not in str(caught.value)


@pytest.mark.exhaustive
def test_an_echo_costs_no_row(sandbox: Sandbox, tmp_path: Path, few_summaries: None) -> None:
    sandbox.behaviour = Behaviour(echo=True)
    after = sync(settings_for(sandbox, tmp_path / "data"))
    assert after.outcome == "published"
    world = sandbox.world
    assert after.records().keys() == {item["id"] for each in world.organization_ids() for item in world.records(each)}
    (name,) = (row[2] for row in after.facilities().values() if "Planta Álamo" in row[2])
    assert name.startswith(f"{MASK} {MASK} {MASK} ")


def test_a_token_is_masked_in_data_in_messages_and_in_logs(
    sandbox: Sandbox, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    sandbox.behaviour = Behaviour(echo=True, set_cookie=True, denied={CHILD: 403})
    login = settings_for(sandbox, tmp_path, auth="bearer", api_key=None, email=EMAIL, password=PASSWORD)

    async def ask() -> list[Any]:
        async with DcycleApi(login) as api:
            asked = [(ROOT, "/v1/facilities"), (CHILD, "/v1/facilities"), (ROOT, "/v1/facilities/f-large")]
            return await asyncio.gather(
                *(api.get(path, (), organization, path) for organization, path in asked), return_exceptions=True
            )

    body, refused, item = asyncio.run(ask())
    (token,) = sandbox._app.service.gate._tokens
    shown = f"{body.decode()} {refused} {item.decode()}" + "".join(record.getMessage() for record in caplog.records)
    assert isinstance(refused, ForbiddenError)
    assert not [form for form in forms_of(token) if form in shown]
    assert MASK in str(refused)
    assert shown.count("it is masked there") == 1
    assert token in born_at_run_time()
    assert not [seen for seen in sandbox.requests if "cookie" in seen.header_names]


def test_a_login_that_echoes_the_password_in_its_refusal_shows_none(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.behaviour = Behaviour(faults=(Fault("401", path="/auth/login"),))
    with pytest.raises(DcycleError, match="DCYCLE_PASSWORD") as caught:
        sync(settings_for(sandbox, tmp_path, auth="bearer", api_key=None, email=EMAIL, password=PASSWORD))
    assert PASSWORD not in str(caught.value)
    assert not isinstance(caught.value, UnauthorizedError)


PIECES = st.sampled_from(
    ["sk_live_1", "sk%5Flive_1", "%2F", "%252F", "&amp;", "&ampsk", "&sig=", "\\u005f", "\\", "%", "&#95;", "&lowbar;", "live", "\\x5f", "é", "/", "="]
)  # fmt: skip


@pytest.mark.parametrize("others", KEYS.values(), ids=KEYS)
@given(
    st.lists(PIECES, max_size=12),
    st.sampled_from(["sk_live_1", "a/b+c=d=e", "k<&>k<&>k", "clé-clé-clé-1", "a\\b\\c\\d\\e\\f"]),
)
def test_a_body_that_is_not_searched_in_depth_holds_no_secret(
    others: list[str], pieces: list[str], secret: str
) -> None:
    coded = [
        secret,
        quote(secret, safe=""),
        quote(quote(secret)),
        html.escape(secret),
        base64.b64encode(secret.encode()).decode(),
    ]
    for hidden in ("", *coded, *(quote(each, safe="") for each in coded)):
        text = "".join([*pieces[:3], hidden, *pieces[3:]])
        body = json.dumps({"a": text}).encode()
        in_depth = any(_is_odd(secret) or _is_in([stage], secret) for stage in _stages(body.decode()))
        assert Secrets([secret, *others])._may_be_in(body) >= in_depth
