"""Spans of OpenTelemetry: what a process does for one export, across processes.

Without `start_tracing`, or a provider of the application that mounts Waybill, nothing is recorded
and each call costs microseconds. Attributes hold ids, counts and names of datasets: no link, no
parameter, no SQL and no error text, which may quote any of these.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import TracebackType
from typing import TYPE_CHECKING, Self

import waybill

if TYPE_CHECKING:
    from opentelemetry.trace import Span

#: The header of W3C Trace Context, in HTTP and in messages.
TRACEPARENT = "traceparent"

Attributes = Mapping[str, str | int | float | bool]


def current_traceparent() -> str | None:
    """What makes a span elsewhere a child of the current one; None without a trace."""
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return carrier.get(TRACEPARENT)


@contextmanager
def span(
    name: str, attributes: Attributes | None = None, *, parent: str | None = None
) -> Iterator[Span]:
    """The current span of the block, a child of the current one or of `parent`, a traceparent.

    An error that leaves the block is recorded by its class only.
    """
    from opentelemetry import trace
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    context = None
    if parent is not None:
        context = TraceContextTextMapPropagator().extract({TRACEPARENT: parent})
    tracer = trace.get_tracer("waybill", waybill.__version__)
    with tracer.start_as_current_span(
        name,
        context,
        attributes=attributes,
        record_exception=False,
        set_status_on_exception=False,
    ) as current:
        try:
            yield current
        except BaseException as error:
            current.set_attribute("error.type", type(error).__name__)
            current.set_status(trace.StatusCode.ERROR)
            raise


def continued(name: str, parent: str | None, queue: str) -> AbstractContextManager[object]:
    """A span of what happens to a message of `queue`. Without a `parent`, no trace begins."""
    if parent is None:
        return nullcontext()
    return span(name, {"waybill.queue": queue}, parent=parent)


class LaterSpan:
    """A span that begins at `begin`, somewhere in a block, and ends with the block."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._span: Span | None = None

    def begin(self) -> None:
        """The span begins now, as a child of the current one."""
        from opentelemetry import trace

        self._span = trace.get_tracer("waybill", waybill.__version__).start_span(self._name)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        if self._span is not None:
            if kind is not None:
                self._span.set_attribute("error.type", kind.__name__)
            self._span.end()
