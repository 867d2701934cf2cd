"""Verbs that mend notify like a sync if they fail, make up for no sync that failed, and a slip of whoever types concerns nobody else."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dcycle_pipeline.sandbox import Behaviour, Fault, Sandbox
from tests.cli.conftest import Invoke, invoke, variables
from tests.conftest import FEW, ROOT, only
from tests.notify.receivers import Webhook, webhook

__all__ = ["invoke", "webhook"]

DOWN = Behaviour(faults=(Fault("500"),))
A_ROW = (
    "--organization",
    ROOT,
    "--endpoint",
    "facilities",
    "--id",
    "nobody",
    "--as",
    "kept",
    "--by",
    "me",
    "--reason",
    "-",
)
YEAR = ("--from", "2023-01-01", "--to", "2023-12-31", "--yes")
SLIPS = [
    ("sync", "--organization", "mistyped"),
    ("sync", "--pending", "--organization", "mistyped"),
    ("rollback", "mistyped"),
    ("resolve", *A_ROW),
    ("backfill", *YEAR, "--facility", "mistyped"),
    ("backfill", *YEAR, "--organization", "mistyped"),
    ("backfill", *YEAR, "--since-snapshot", "mistyped"),
]


@pytest.fixture(autouse=True, scope="module")
def _few_summaries() -> Iterator[None]:
    with only((*FEW, "organization_tree", "missing_members", "data_quality")):
        yield


@pytest.fixture
def settings(sandbox: Sandbox, invoke: Invoke, webhook: Webhook, tmp_path: Path) -> dict[str, str]:
    """Those of a folder in which one sync published."""
    found = variables(sandbox, tmp_path / "data", DCYCLE_NOTIFY=webhook.url)
    assert invoke("sync", **found).exit_code == 0
    return found


def titles(webhook: Webhook) -> list[str]:
    return [said["title"].rpartition(": ")[2] for said in webhook.posted]


def test_a_slip_notifies_nobody(settings: dict[str, str], invoke: Invoke, webhook: Webhook) -> None:
    for slip in SLIPS:
        assert invoke(*slip, **settings).exit_code == 2, slip
    assert webhook.posted == []


@pytest.mark.parametrize("verb", [("replay",), ("backfill", *YEAR)], ids=["replay", "backfill"])
def test_what_fails_while_it_mends_is_said_once(
    settings: dict[str, str], invoke: Invoke, webhook: Webhook, tmp_path: Path, verb: tuple[str, ...]
) -> None:
    (tmp_path / "data" / "scope_mapping.csv").write_text("not a mapping\n")
    assert [invoke(*verb, **settings).exit_code for _ in range(2)] == [2, 2]
    assert titles(webhook) == ["something is wrong"]
    assert "scope_mapping.csv" in webhook.posted[0]["text"]


def test_what_asks_no_api_makes_up_for_no_sync_that_failed(
    settings: dict[str, str], invoke: Invoke, webhook: Webhook, sandbox: Sandbox
) -> None:
    sandbox.behaviour = DOWN
    assert invoke("sync", **settings).exit_code == 3
    assert invoke("replay", **settings).exit_code == 0
    assert titles(webhook) == ["something is wrong"]
    sandbox.behaviour = Behaviour()
    assert invoke("sync", **settings).exit_code == 0
    assert titles(webhook) == ["something is wrong", "all is well again"]
