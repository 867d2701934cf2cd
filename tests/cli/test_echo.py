"""A server that echoes our key or token, through the command line: it is in no file, no output and no log."""

import logging
from pathlib import Path

import pytest
import zstandard

from dcycle_pipeline.api.secrets import MASK
from dcycle_pipeline.sandbox import EMAIL, PASSWORD, Behaviour, Sandbox
from tests.api.test_secrets import forms_of
from tests.cli.conftest import Invoke, variables
from tests.conftest import CHILD

LOGIN = {"DCYCLE_AUTH": "bearer", "DCYCLE_API_KEY": "", "DCYCLE_EMAIL": EMAIL, "DCYCLE_PASSWORD": PASSWORD}


def what_is_left(data: Path) -> str:
    """All that a run wrote, landed pages unpacked."""
    texts = []
    for path in (path for path in data.rglob("*") if path.is_file()):
        body = path.read_bytes()
        if body.startswith(b"\x28\xb5\x2f\xfd"):
            body = zstandard.ZstdDecompressor().stream_reader(body, read_across_frames=True).read()
        texts.append(body.decode("utf-8", "replace"))
    return "\n".join(texts)


@pytest.mark.exhaustive
@pytest.mark.parametrize("credential", [LOGIN, {}])
def test_what_the_server_echoes_is_stored_and_shown_nowhere(
    sandbox: Sandbox, invoke: Invoke, tmp_path: Path, caplog: pytest.LogCaptureFixture, credential: dict[str, str]
) -> None:
    caplog.set_level(logging.DEBUG)
    sandbox.behaviour = Behaviour(echo=True, set_cookie=True, denied={CHILD: 403, "f-old": 404})
    environment = variables(sandbox, tmp_path / "data", **credential)
    outputs = [invoke(*words, **environment).output for words in (["sync"], ["status"])]
    secrets = list(sandbox._app.service.gate._tokens) or [sandbox.api_key]
    assert (secrets != [sandbox.api_key]) == bool(credential)
    logged = "\n".join(record.getMessage() for record in caplog.records)
    shown = "\n".join([*outputs, logged, what_is_left(tmp_path / "data")])
    assert not [form for secret in secrets for form in forms_of(secret) if form in shown]
    assert MASK in shown
    assert "f-large" in shown, "the search looks inside the landed pages"
    assert "it is masked there" in logged
    assert not [seen for seen in sandbox.requests if "cookie" in seen.header_names]


@pytest.mark.parametrize("key", ["a", "active", "1234567"])
def test_a_key_that_could_be_data_is_refused(sandbox: Sandbox, invoke: Invoke, tmp_path: Path, key: str) -> None:
    result = invoke("sync", **variables(sandbox, tmp_path / "data", DCYCLE_API_KEY=key))
    assert (result.exit_code, result.stdout) == (2, "")
    assert "DCYCLE_API_KEY" in result.stderr
    assert sandbox.requests == []
