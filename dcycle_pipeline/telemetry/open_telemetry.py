"""Traces and metrics for OpenTelemetry. The only importer of it, and only once somebody asks: else a span is what log lines are about.

A trace is one run: its id is the run id without dashes. Attributes are the facts of log lines, outcomes and counts: no text of the
API, no address with a query, no message of an error, so no key and no person.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING
from uuid import UUID

from dcycle_pipeline.telemetry.log_lines import about, known

if TYPE_CHECKING:
    from opentelemetry.metrics import Histogram
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.trace import TracerProvider

NAME, TRACES, METRICS = "dcycle_pipeline", "traces", "metrics"
PREFIX = "dcycle."  # of attributes that are ours; all others are OpenTelemetry's own
LONGEST_WAIT_SECONDS = 5.0  # for a collector, at the end of a run
NOT_INSTALLED = "OTEL_EXPORTER_OTLP_ENDPOINT is set, but nothing is sent: pip install 'dcycle_pipeline[telemetry]'."
_log = logging.getLogger(__name__)
_is_started = False
_traces: "TracerProvider | None" = None
_metrics: "MeterProvider | None" = None
_requests: "Histogram | None" = None


def start(signals: frozenset[str]) -> None:
    """From now on send `traces` and `metrics`, if they are among `signals`, to where OTEL_* variables say. Once a process."""
    global _is_started, _traces, _metrics, _requests  # noqa: PLW0603 - a process sends one stream of each
    if _is_started or not signals:
        return
    _is_started = True
    try:
        from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource  # noqa: PLC0415
    except ModuleNotFoundError:
        _log.warning(NOT_INSTALLED)
        return
    _say_once_what_fails()
    resource = Resource.create({SERVICE_NAME: NAME}).merge(OTELResourceDetector().detect())
    if TRACES in signals:
        _traces = _traced(resource)
    if METRICS in signals:
        _metrics = _measured(resource)
        _requests = _metrics.get_meter(NAME).create_histogram(
            "http.client.request.duration", "s", "Time from a request to its whole answer or its failure."
        )


def send() -> None:
    """Send what is not sent yet. A collector that does not answer costs a few seconds and nothing else."""
    # OpenTelemetry tries again for as long as it likes, and so it does at the end of the process if nobody says otherwise.
    flushes = [threading.Thread(target=each.force_flush, daemon=True) for each in (_traces, _metrics) if each]
    deadline = time.monotonic() + LONGEST_WAIT_SECONDS
    for flush in flushes:
        flush.start()
    for flush in flushes:
        flush.join(max(0, deadline - time.monotonic()))


def span(name: str, **facts: object) -> AbstractContextManager[None]:
    """What takes time, and what log lines are about meanwhile, in this task and those that it starts. None is not known."""
    return about(**facts) if _traces is None else _span(name, facts)


def tell(**facts: str | int | bool) -> None:
    """What came of the innermost span."""
    if _traces is not None:
        from opentelemetry.trace import get_current_span  # noqa: PLC0415

        get_current_span().set_attributes(_named(facts))


def request(server: str, organization_id: str) -> AbstractContextManager[Callable[[int], None]]:
    """A request to the API, whose status somebody will tell; without a status, it failed."""
    return _UNHEARD if _requests is None else _request(_requests, server, organization_id)


_UNHEARD = nullcontext[Callable[[int], None]](lambda status: None)


@contextmanager
def _span(name: str, facts: dict[str, object]) -> Iterator[None]:
    from opentelemetry.trace import Status, StatusCode  # noqa: PLC0415

    assert _traces is not None
    tracer = _traces.get_tracer(NAME)
    with (
        about(**facts),
        tracer.start_as_current_span(
            name, attributes=_named(known()), record_exception=False, set_status_on_exception=False
        ) as current,
    ):
        try:
            yield
        except BaseException as error:  # its text stays here
            current.set_attribute("error.type", type(error).__qualname__)
            current.set_status(Status(StatusCode.ERROR))
            raise


@contextmanager
def _request(requests: "Histogram", server: str, organization_id: str) -> Iterator[Callable[[int], None]]:
    facts: dict[str, str | int] = {"http.request.method": "GET", "server.address": server}
    facts[f"{PREFIX}organization_id"] = organization_id
    began = time.monotonic()
    try:
        yield lambda status: facts.update({"http.response.status_code": status})
    except BaseException as error:
        facts["error.type"] = type(error).__qualname__
        raise
    finally:
        requests.record(time.monotonic() - began, facts)


def _named(facts: Mapping[str, object]) -> dict[str, str | int | bool]:
    return {f"{PREFIX}{name}": value if isinstance(value, int) else str(value) for name, value in facts.items()}


def _traced(resource: object) -> "TracerProvider":
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator  # noqa: PLC0415

    class OfRun(RandomIdGenerator):
        def generate_trace_id(self) -> int:
            run_id = known().get("run_id")
            return UUID(str(run_id)).int if run_id else super().generate_trace_id()

    provider = TracerProvider(resource=resource, id_generator=OfRun(), shutdown_on_exit=False)  # type: ignore[arg-type]
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


def _measured(resource: object) -> "MeterProvider":
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter  # noqa: PLC0415
    from opentelemetry.sdk.metrics import MeterProvider  # noqa: PLC0415
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader  # noqa: PLC0415

    return MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())], resource, shutdown_on_exit=False)  # type: ignore[arg-type]


def _say_once_what_fails() -> None:
    """One line of ours instead of a trace for each try: it would hold addresses, and hide what the run says."""

    class Once(logging.Handler):
        is_said = False

        def emit(self, record: logging.LogRecord) -> None:
            if not self.is_said:
                self.is_said = True
                _log.warning("OpenTelemetry: traces or metrics could not be sent. The run goes on.")

    theirs = logging.getLogger("opentelemetry")
    theirs.propagate = False
    theirs.addHandler(Once(logging.WARNING))
