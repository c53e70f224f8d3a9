"""Sending spans to a collector by OTLP, as the standard variables of OpenTelemetry say."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import waybill
from waybill.infra.config.errors import BadSettings

#: Either turns tracing on. All other variables of OpenTelemetry work as they are documented.
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


@contextmanager
def traced_process(service: str) -> Iterator[None]:
    """Send the spans of this process while the block runs, if an endpoint is set.

    `service` is its name in traces unless ``OTEL_SERVICE_NAME`` gives another one. What has not
    been sent when the block ends is sent then; a collector that is away loses spans, and holds up
    nothing else.

    Raises:
        BadSettings: an endpoint is set, and the extra `tracing` is not installed.
    """
    is_off = os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    if is_off or not any(os.environ.get(name) for name in _ENDPOINTS):
        yield
        return
    try:
        from opentelemetry import trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        raise BadSettings(
            f"{_ENDPOINTS[0]} is set, and tracing is not installed: "
            "pip install 'waybill-exports[tracing]'."
        ) from None
    about = {
        "service.version": waybill.__version__,
        "service.instance.id": f"{socket.gethostname()}-{os.getpid()}",
    }
    if not os.environ.get("OTEL_SERVICE_NAME"):
        about["service.name"] = service
    provider = TracerProvider(resource=Resource.create(about), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    try:
        yield
    finally:
        provider.shutdown()
