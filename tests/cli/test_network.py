"""What doctor and sync say of certificates and of the proxy on the way to the API."""

from pathlib import Path

import pytest

from dcycle_pipeline.sandbox import Sandbox
from tests.cli.conftest import Invoke, variables
from tests.conftest import quick_only
from tests.wire import HOST, ProxyWire, Tls, Wire

WORD = "proxy-pass-word"
pytestmark = pytest.mark.usefixtures("without_network_variables")


@pytest.fixture
def account(tmp_path: Path) -> dict[str, str]:
    return {
        "DCYCLE_API_KEY": "sk_live_network_0123",
        "DCYCLE_ORGANIZATION_ID": "11111111-1111-4111-8111-111111111111",
        "DCYCLE_BASE_URL": f"HTTPS://{HOST}",
        "DCYCLE_DATA_DIR": str(tmp_path / "data"),
        "DCYCLE_RETRY_ATTEMPTS": "2",
        "DCYCLE_RETRY_FIRST_WAIT_SECONDS": "0",
    }


@pytest.mark.parametrize("verb", quick_only(["doctor"], ["doctor", "sync"]))
def test_the_proxy_is_used_and_named(account: dict[str, str], invoke: Invoke, tls: Tls, verb: str) -> None:
    with Wire(tls=tls[1]) as server, ProxyWire(server.port) as proxy:
        there = f"127.0.0.1:{proxy.port}"
        way = {"HTTPS_PROXY": f"http://user:{WORD}@{there}", "SSL_CERT_FILE": str(tls[0])}
        told = invoke(verb, **account | way)
    assert told.exit_code == 0, told.output
    assert proxy.heads
    assert all(head.startswith(f"CONNECT {HOST}:443 ") for head in proxy.heads)
    assert WORD not in told.output
    if verb == "doctor":
        assert f"ok    proxy: through the proxy http://{there} (HTTPS_PROXY)" in told.output
        assert f"ok    certificates: SSL_CERT_FILE {tls[0]}" in told.output.replace("\n", "")
        assert "ok    API: https://api.test answers" in told.output


@pytest.mark.parametrize("verb", ["doctor", "sync"])
@pytest.mark.parametrize(
    ("way", "code", "words"),
    [
        ({"SSL_CERT_FILE": "/nowhere.pem"}, 2, "SSL_CERT_FILE /nowhere.pem"),
        ({"SSL_CERT_DIR": "/nowhere"}, 2, "SSL_CERT_DIR /nowhere"),
        ({"HTTPS_PROXY": f"ftp://user:{WORD}@proxy"}, 2, "HTTPS_PROXY must look like"),
        ({"HTTPS_PROXY": f"http://user:{WORD}@127.0.0.1:1"}, 3, "http://127.0.0.1:1 (HTTPS_PROXY)"),
    ],
)
def test_what_is_wrong_with_the_way_is_named(  # noqa: PLR0917 - one argument a choice
    account: dict[str, str], invoke: Invoke, verb: str, way: dict[str, str], code: int, words: str
) -> None:
    result = invoke(verb, **account | way)
    assert result.exit_code == code, result.output
    assert words in result.output.replace("\n", " ")
    assert WORD not in result.output
    assert "Traceback" not in result.output


def test_doctor_says_that_this_machine_needs_neither(sandbox: Sandbox, invoke: Invoke, tmp_path: Path) -> None:
    told = invoke("doctor", HTTP_PROXY="http://127.0.0.1:1", **variables(sandbox, tmp_path / "data"))
    assert told.exit_code == 0, told.output
    assert "ok    proxy: none" in told.output
    assert "ok    certificates: none needed" in told.output
