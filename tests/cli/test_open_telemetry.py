"""Traces and metrics: a run is one trace, nothing in it is secret or a person's, and without a collector nothing changes."""

import json
import subprocess
from pathlib import Path

import pytest

from dcycle_pipeline.sandbox import Behaviour, Fault, Sandbox
from tests.cli.collector import Collector, facts
from tests.cli.conftest import PROGRAM, variables
from tests.conftest import CHILD, ROOT

OURS = {"run_id", "organization_id", "endpoint", "facility_id", "page", "outcome", "rows", "published"}
STANDARD = {"error.type", "http.request.method", "http.response.status_code", "server.address"}


def sync(sandbox: Sandbox, data: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [PROGRAM, "sync", "--json"],
        env=variables(sandbox, data) | {"PATH": "", "HOME": str(data.parent)} | environment,
        cwd=data.parent,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_a_run_is_one_trace_and_requests_are_measured(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.behaviour = Behaviour(denied={"f-north": 403}, faults=(Fault("503", path="/v1/facilities", times=1),))
    with Collector() as collector:
        done = sync(sandbox, tmp_path / "data", **collector.environment)
    assert done.returncode == 1, done.stderr
    run_id = json.loads(done.stdout)["run_id"]
    spans = collector.spans
    assert {span.trace_id.hex() for span in spans} == {run_id.replace("-", "")}
    named = {span.span_id: span.name for span in spans}
    assert {(span.name, named.get(span.parent_span_id)) for span in spans} == {
        ("run", None),
        ("organization", "run"),
        ("list", "organization"),
        ("page", "list"),
        ("list", "run"),  # of year totals
    }
    lists = [facts(span.attributes) for span in spans if span.name == "list"]
    (denied,) = [each for each in lists if each["dcycle.outcome"] == "forbidden"]
    assert (denied["dcycle.organization_id"], denied["dcycle.facility_id"]) == (CHILD, "f-north")

    points = collector.metrics["http.client.request.duration"].histogram.data_points
    counts = {200: 0, 403: 0, 503: 0}
    for point in points:
        counts[facts(point.attributes)["http.response.status_code"]] += point.count
    refused = sum(request.status == 503 for request in sandbox.requests)
    before_the_run = 1  # it asks for the tree, to see whether a run may begin
    assert counts == {403: 1, 503: refused, 200: len(sandbox.requests) - refused - 1 - before_the_run}
    assert {facts(point.attributes)["dcycle.organization_id"] for point in points} == {ROOT, CHILD}

    keys = {key for each in [*spans, *points] for key in facts(each.attributes)}
    assert {key.removeprefix("dcycle.") for key in keys} <= OURS | STANDARD
    sent = b"".join(body for bodies in collector.bodies.values() for body in bodies)
    for secret in (sandbox.api_key, *sandbox.world.personal_strings()):
        assert secret.encode() not in sent


@pytest.mark.exhaustive
@pytest.mark.parametrize("status", [500, 0], ids=["refuses", "is not there"])
def test_a_collector_that_fails_costs_one_line(sandbox: Sandbox, tmp_path: Path, status: int) -> None:
    nobody = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
        "OTEL_EXPORTER_OTLP_HEADERS": "api-key=s3cretOfTheCollector",
    }
    if status:
        with Collector(status) as collector:
            done = sync(sandbox, tmp_path / "data", **nobody | collector.environment)
    else:
        done = sync(sandbox, tmp_path / "data", **nobody)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("could not be sent") == 1
    assert "Traceback" not in done.stderr
    assert "s3cret" not in done.stderr


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("asked", "paths"),
    [
        ({"OTEL_TRACES_EXPORTER": "none"}, {"/v1/metrics"}),
        ({"OTEL_METRICS_EXPORTER": "none"}, {"/v1/traces"}),
        ({"OTEL_SDK_DISABLED": "true"}, set()),
    ],
    ids=["metrics", "traces", "neither"],
)
def test_the_standard_variables_decide(
    sandbox: Sandbox, tmp_path: Path, asked: dict[str, str], paths: set[str]
) -> None:
    with Collector() as collector:
        assert sync(sandbox, tmp_path / "data", **collector.environment | asked).returncode == 0
    assert collector.bodies.keys() == paths
