"""`dcycle-pipeline ui`: Dagster's services as people start them, and what an operator sees if an organisation is refused."""

import os
import re
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, sync_playwright

from dcycle_pipeline.deployment.dagster_home import WORKSPACE
from dcycle_pipeline.sandbox import Behaviour, Sandbox
from tests.cli.conftest import PROGRAM, Invoke, variables
from tests.conftest import CHILD, small_world
from tests.properties.dev import UNSCHEDULED, free_port, others
from tests.report.test_browser import CHROMIUM

CHECKOUT = Path(__file__).parents[2]
DEADLINE_SECONDS = 240
TOLD = "Left out: Water North: access refused (403)"
STATS = """{ assetNodeOrError(assetKey: {path: ["%s"]}) { ... on AssetNode {
    partitionStats { numPartitions numMaterialized numFailed } partitionKeys } } }"""
# Chromium, Dagster's services and a run side by side: two minutes are too few if anything else runs on two cores.
pytestmark = pytest.mark.timeout(900)
RUNS = "{ runsOrError { ... on Runs { results { runId jobName status tags { key value } } } } }"
CHECK = """{ assetCheckExecutions(assetKey: {path: ["published_file"]}, checkName: "everything_read", limit: 5) {
    status evaluation { severity description metadataEntries { label __typename } } } }"""


@dataclass(frozen=True)
class Services:
    """`dcycle-pipeline ui` under way: the address of the UI, its process, and the lines that it said first."""

    url: str
    process: "subprocess.Popen[str]"
    said: list[str]

    def ask(self, query: str) -> dict[str, Any]:
        answer: dict[str, Any] = httpx.post(f"{self.url}/graphql", json={"query": query}, timeout=60).json()
        assert "errors" not in answer, answer
        found: dict[str, Any] = answer["data"]
        return found

    def stats(self, asset: str) -> dict[str, Any]:
        found: dict[str, Any] = self.ask(STATS % asset)["assetNodeOrError"]
        return found

    def runs(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ask(RUNS)["runsOrError"]["results"]
        return found


def as_soon_as(found: Callable[[], Any]) -> Any:
    """What is found, once it is; Dagster's services tell nobody when they are done."""
    for _ in range(DEADLINE_SECONDS * 4):
        if got := found():
            return got
        Event().wait(0.25)
    raise AssertionError("it did not come")


@contextmanager
def ui(folder: Path, *words: str, **environment: str) -> Iterator[Services]:
    folder.mkdir(exist_ok=True)
    port = free_port()
    with subprocess.Popen(
        [str(PROGRAM), "ui", "--port", str(port), *words],
        cwd=folder,
        env=others() | UNSCHEDULED | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout
        try:
            said = []
            for line in process.stdout:
                said.append(line)
                if "To read everything" in line:
                    break
            yield Services(f"http://127.0.0.1:{port}", process, said)
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=60)


def test_a_port_that_is_taken_is_told_before_anything_starts(invoke: Invoke, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = invoke("ui", "--sandbox", "--port", port, DAGSTER_HOME=str(tmp_path / "home"))
    assert (result.exit_code, "Choose another with --port" in result.stderr) == (2, True)


def test_settings_that_are_set_in_part_are_told_and_no_sandbox_takes_their_place(
    invoke: Invoke, tmp_path: Path
) -> None:
    result = invoke("ui", DCYCLE_API_KEY="sk_live_0123456789", DAGSTER_HOME=str(tmp_path / "home"))
    assert (result.exit_code, "DCYCLE_ORGANIZATION_ID is not set" in result.stderr) == (2, True)
    assert list(tmp_path.iterdir()) == []


def test_both_ways_to_start_dagster_have_the_same_definitions_and_settings() -> None:
    assert WORKSPACE.read_bytes() == (CHECKOUT / "workspace.yaml").read_bytes()
    assert WORKSPACE.with_name("dagster.yaml").read_bytes() == (CHECKOUT / ".dagster" / "dagster.yaml").read_bytes()


@pytest.mark.exhaustive
def test_without_an_account_it_shows_the_sandbox_and_ends_at_ctrl_c_without_a_rest(tmp_path: Path) -> None:
    here = tmp_path / "here"
    here.mkdir()
    (here / ".env").write_text("DCYCLE_ORGANIZATIONS_FILE=of-a-real-account.toml\n")
    with ui(here) as services:
        assert "Sandbox at http://127.0.0.1:" in services.said[0]
        assert not [line for line in services.said if re.search("warning:|deprecat|supersed", line, re.IGNORECASE)]
        assert f"Dagster's UI: {services.url} (Ctrl-C ends it)\n" in services.said
        keys = as_soon_as(lambda: services.stats("facilities")["partitionKeys"])
        assert len(keys) == 7
        services.process.send_signal(signal.SIGINT)
        rest, _ = services.process.communicate(timeout=60)
        assert services.process.returncode == 0
        assert rest.splitlines()[-1] == "Dagster's services have ended."
        with pytest.raises(httpx.ConnectError):
            services.ask(RUNS)
    assert (here / ".dagster" / "sandbox" / "dagster.yaml").is_file()


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """A sync, launched in the UI by clicks, with one organisation refused. `.env` says what would not work."""
    if CHROMIUM is None:
        if os.environ.get("REQUIRE_CHROMIUM"):
            pytest.fail("REQUIRE_CHROMIUM is set, but no chromium is on the PATH")
        pytest.skip("no chromium on the PATH: install Debian's `chromium` to run these")
    folder = tmp_path_factory.mktemp("refused")
    (folder / ".env").write_text("DCYCLE_API_KEY=\nDCYCLE_BASE_URL=http://127.0.0.1:9\n")
    with Sandbox(small_world()) as sandbox:
        sandbox.behaviour = Behaviour(denied={CHILD: 403})
        with ui(folder, **variables(sandbox, folder / "data")) as services:
            as_soon_as(lambda: services.stats("facilities")["partitionKeys"])
            with page() as shown:
                shown.goto(f"{services.url}/locations/dcycle_pipeline/jobs/sync")
                for words in ("Materialize all…", "All", "Launch backfill"):
                    shown.get_by_text(words, exact=True).last.click()
                as_soon_as(lambda: [run for run in services.runs() if run["status"] in ("SUCCESS", "FAILURE")])
            yield services


@contextmanager
def page() -> Iterator[Page]:
    with sync_playwright() as driver:
        # Chromium refuses its sandbox to root, and CI is root.
        browser = driver.chromium.launch(executable_path=CHROMIUM, chromium_sandbox=os.geteuid() != 0)
        try:
            shown = browser.new_page(viewport={"width": 1440, "height": 900})
            shown.set_default_timeout(120_000)  # a run and Dagster's three services are at work beside it
            yield shown
        finally:
            browser.close()


@pytest.mark.exhaustive
def test_an_operator_sees_who_was_refused_wherever_one_looks(refused: Services) -> None:
    (run,) = refused.runs()
    tags = {tag["key"]: tag["value"] for tag in run["tags"]}
    assert (run["jobName"], run["status"]) == ("sync", "FAILURE")
    assert (tags["left_out"], tags["read"]) == ("Water North", "1 of 2 organisations")
    for asset in ("facilities", "waste_water_treatments", "total_impacts"):
        stats = refused.stats(asset)["partitionStats"]
        assert stats == {"numPartitions": 2, "numMaterialized": 1, "numFailed": 1}, asset
    (execution,) = refused.ask(CHECK)["assetCheckExecutions"]
    assert (execution["status"], execution["evaluation"]["severity"]) == ("FAILED", "ERROR")
    assert execution["evaluation"]["description"].startswith(TOLD)
    entries = {entry["label"]: entry["__typename"] for entry in execution["evaluation"]["metadataEntries"]}
    assert entries["by_organization"] == "TableMetadataEntry"
    assert entries["organizations_left_out"] == "IntMetadataEntry"


@pytest.mark.exhaustive
def test_the_pages_say_so_without_a_click(refused: Services) -> None:
    (run,) = refused.runs()
    looks = {
        "/runs?view=runs": ["left_out: Water North", "Failure"],
        f"/runs/{run['runId']}": [TOLD],
        "/assets/published_file?view=checks&checkDetail=everything_read": [TOLD, "access refused (403)"],
        "/asset-groups/published_file": ["Water North: access refused (403)"],
        "/assets/waste_water_treatments?view=partitions": ["Failed (1)", "Materialized (1)"],
    }
    kept = os.environ.get("SCREENSHOTS")
    with page() as shown:
        for at, (path, texts) in enumerate(looks.items()):
            shown.goto(refused.url + path)
            for text in texts:
                shown.get_by_text(text).first.wait_for(state="visible")
            if kept:
                shown.screenshot(path=Path(kept) / f"{at}.png")
