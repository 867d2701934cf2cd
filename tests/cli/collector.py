"""A collector of the tests' own: takes what OpenTelemetry sends over HTTP."""

import gzip
from email.message import Message
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.posts import Posts


class Collector(Posts):
    """Takes traces and metrics, or answers with another `status`."""

    def __init__(self, status: int = 200) -> None:
        self.bodies = dict[str, list[bytes]]()
        self._status = status
        super().__init__(self._keep)

    def _keep(self, path: str, headers: Message, body: bytes) -> tuple[int, None]:
        body = gzip.decompress(body) if headers.get("Content-Encoding") == "gzip" else body
        self.bodies.setdefault(path, []).append(body)
        return self._status, None

    @property
    def environment(self) -> dict[str, str]:
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": self.address}

    @property
    def spans(self) -> list[Any]:
        sent = [ExportTraceServiceRequest.FromString(body) for body in self.bodies.get("/v1/traces", [])]
        return [span for one in sent for of in one.resource_spans for scope in of.scope_spans for span in scope.spans]

    @property
    def metrics(self) -> dict[str, Any]:
        """The last state of each metric."""
        sent = [ExportMetricsServiceRequest.FromString(body) for body in self.bodies.get("/v1/metrics", [])]
        found = (m for one in sent for of in one.resource_metrics for scope in of.scope_metrics for m in scope.metrics)
        return {metric.name: metric for metric in found}


def facts(attributes: Any) -> dict[str, Any]:
    """Attributes as a dict."""
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}
