"""The way to the API: every https is checked, a proxy of the environment is used and named, and no password shows."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dcycle_pipeline.api.client import DcycleApi
from dcycle_pipeline.errors import ContractError, DcycleError, SettingsError, TransientError
from dcycle_pipeline.sandbox import Sandbox
from dcycle_pipeline.settings import load
from tests.conftest import ROOT, small_world
from tests.wire import EMPTY_LIST, HOST, ProxyWire, Tls, Wire

KEY = "sk_live_wire_0123456789"
USER, WORD = "user", "p%40ss%20word"
pytestmark = pytest.mark.usefixtures("without_network_variables")


@pytest.fixture
def server(tls: Tls) -> Iterator[Wire]:
    with Wire(tls=tls[1]) as running:
        yield running


def get(url: str, **overrides: Any) -> bytes:
    usual = {
        "api_key": KEY,
        "organization_id": ROOT,
        "base_url": url,
        "retry_first_wait_seconds": 0,
        "retry_attempts": 3,
    }

    async def once() -> bytes:
        async with DcycleApi(load(**usual | overrides)) as api:
            return await api.get("/v1/facilities", (), ROOT, "GET /v1/facilities")

    return asyncio.run(once())


@pytest.mark.parametrize("scheme", ["https", "HTTPS", "Https"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_the_key_goes_to_no_server_whose_certificate_is_not_trusted(server: Wire, scheme: str, host: str) -> None:
    with pytest.raises(ContractError, match=r"certificate of .*SSL_CERT_FILE"):
        get(f"{scheme}://{host}:{server.port}")
    assert server.heads == []


@pytest.mark.parametrize("scheme", ["https", "HTTPS"])
@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_certificates_of_ones_own_count_here_too(
    server: Wire, tls: Tls, monkeypatch: pytest.MonkeyPatch, scheme: str, variable: str
) -> None:
    file = tls[0]
    monkeypatch.setenv(variable, str(file if variable == "SSL_CERT_FILE" else file.with_name("hashed")))
    assert get(f"{scheme}://127.0.0.1:{server.port}") == EMPTY_LIST
    assert [KEY in head for head in server.heads] == [True]
    with pytest.raises(ContractError, match="certificate"):
        get(f"https://localhost:{server.port}")  # the certificate names only the address


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_certificates_that_cannot_be_read_are_named(
    server: Wire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / "ca.pem").write_bytes(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    with pytest.raises(SettingsError, match="SSL_CERT_FILE"):
        get(f"https://127.0.0.1:{server.port}")
    monkeypatch.delenv("SSL_CERT_FILE")
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "nowhere"))
    with pytest.raises(SettingsError, match="SSL_CERT_DIR"):
        get(f"https://127.0.0.1:{server.port}")


def by_proxy(port: int) -> str:
    return f"http://{USER}:{WORD}@127.0.0.1:{port}"


def no_password(error: DcycleError) -> str:
    shown = f"{error}{error!r}{error.__cause__!r}{error.__context__!r}"
    assert not [secret for secret in (WORD, "p@ss word", KEY) if secret in shown]
    return str(error)


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
def test_a_proxy_of_the_environment_carries_the_request(
    server: Wire, tls: Tls, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tls[0]))
    with ProxyWire(server.port) as proxy:
        monkeypatch.setenv(variable, by_proxy(proxy.port))
        assert get(f"HTTPS://{HOST.upper()}") == EMPTY_LIST
    (connect,) = proxy.heads
    assert connect.startswith(f"CONNECT {HOST}:443 ")
    assert "proxy-authorization: basic dXNlcjpwQHNzIHdvcmQ=".lower() in connect.lower()
    assert KEY not in connect
    assert [KEY in head for head in server.heads] == [True]


def test_a_proxy_may_have_a_certificate_of_its_own(server: Wire, tls: Tls, monkeypatch: pytest.MonkeyPatch) -> None:
    with ProxyWire(server.port, tls=tls[1]) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"HTTPS://{USER}:{WORD}@127.0.0.1:{proxy.port}")
        with pytest.raises(ContractError, match="certificate") as caught:
            get(f"https://{HOST}")
        no_password(caught.value)
        assert proxy.heads == []
        monkeypatch.setenv("SSL_CERT_FILE", str(tls[0]))
        assert get(f"https://{HOST}") == EMPTY_LIST
    assert [KEY in head for head in [*proxy.heads, *server.heads]] == [False, True]


def test_the_certificate_is_checked_behind_a_proxy_too(server: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    with ProxyWire(server.port) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", by_proxy(proxy.port))
        with pytest.raises(ContractError, match="certificate") as caught:
            get(f"https://{HOST}")
    assert f"http://127.0.0.1:{proxy.port} (HTTPS_PROXY)" in no_password(caught.value)
    assert server.heads == []


@pytest.mark.parametrize(
    ("refusal", "kind", "words", "tries"),
    [
        (b"407 Proxy Authentication Required", ContractError, "demands a user and a password", 1),
        (b"403 Forbidden by policy", ContractError, "403 Forbidden by policy", 1),
        (b"502 Bad Gateway", TransientError, "502 Bad Gateway", 3),
        (b"429 Slowly", TransientError, "429 Slowly", 3),
    ],
)
def test_a_proxy_that_refuses_is_named(
    monkeypatch: pytest.MonkeyPatch, refusal: bytes, kind: type[DcycleError], words: str, tries: int
) -> None:
    with ProxyWire(0, b"HTTP/1.1 " + refusal + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n") as proxy:
        monkeypatch.setenv("HTTPS_PROXY", by_proxy(proxy.port))
        with pytest.raises(kind, match=words) as caught:
            get(f"https://{HOST}")
    assert f"http://127.0.0.1:{proxy.port} (HTTPS_PROXY)" in no_password(caught.value)
    assert len(proxy.heads) == tries


def test_a_proxy_that_is_down_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with ProxyWire(0) as proxy:
        pass
    monkeypatch.setenv("ALL_PROXY", by_proxy(proxy.port))
    with pytest.raises(TransientError) as caught:
        get(f"https://{HOST}")
    assert f"through the proxy http://127.0.0.1:{proxy.port} (ALL_PROXY)" in no_password(caught.value)


@pytest.mark.parametrize(
    "text",
    ["socks5://u:word@h:1", "ftp://u:word@h", "http://u:word@", "http://u:word@[::1", "http://u:word@h:99999999"],
)
def test_a_proxy_that_cannot_be_used_is_named_by_its_variable(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("https_proxy", text)
    with pytest.raises(SettingsError, match="HTTPS_PROXY") as caught:
        get(f"https://{HOST}")
    assert "word" not in f"{caught.value}{caught.value.__cause__!r}"


def test_no_proxy_sees_a_request_to_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with Sandbox(small_world()) as sandbox:
        assert b"f-large" in get(sandbox.base_url, api_key=sandbox.api_key)
