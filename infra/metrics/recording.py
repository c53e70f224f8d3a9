"""Recording of what this process does, and the text that Prometheus reads.

A metric is made when it is first recorded, so a command that records nothing does not load the
library. In several processes that share a socket, `share_recordings` lets each show what all
recorded.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import waybill
from waybill.infra.metrics.catalogue import BUILD_INFO, Kind, Metric

if TYPE_CHECKING:
    from prometheus_client import Counter, Histogram
    from prometheus_client.core import GaugeMetricFamily
    from prometheus_client.metrics_core import Metric as Family
    from prometheus_client.registry import Collector

#: Where the library keeps the values of several processes.
_SHARED = "PROMETHEUS_MULTIPROC_DIR"
_PREFIX = "waybill_"
_CREATED = "_created"

_recorded: dict[str, Counter | Histogram] = {}
_lock = Lock()


def count(metric: Metric, **labels: str) -> None:
    """Add one to a counter."""
    from prometheus_client import Counter

    recorder = _recorder(metric)
    if not isinstance(recorder, Counter):
        raise TypeError(f"{metric.name} is no counter")
    recorder.labels(**labels).inc()


def observe(metric: Metric, value: float, **labels: str) -> None:
    """Add a value to a histogram, in the unit of its name."""
    from prometheus_client import Histogram

    recorder = _recorder(metric)
    if not isinstance(recorder, Histogram):
        raise TypeError(f"{metric.name} is no histogram")
    recorder.labels(**labels).observe(value)


def gauge(metric: Metric, value: float | None = None) -> GaugeMetricFamily:
    """A gauge with `value`, or one without samples, which get their labels in `add_metric`."""
    from prometheus_client.core import GaugeMetricFamily

    return GaugeMetricFamily(metric.name, metric.help, value=value, labels=metric.labels or None)


def share_recordings(folder: Path) -> None:
    """Let this process and those that it starts record into files in `folder`.

    Call it before anything is recorded, and start processes afterwards: each shows what all of them
    recorded, and what those that ended had recorded.
    """
    from prometheus_client import values

    os.environ[_SHARED] = str(folder)
    # The library chose when it was loaded. It has types, but not for this function.
    values.ValueClass = values.get_value_class()  # type: ignore[no-untyped-call]


def exposition(gauges: Iterable[GaugeMetricFamily] = ()) -> bytes:
    """All that was recorded, the version, and `gauges`, in the text format of Prometheus."""
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.registry import Collector

    class Families(Collector):
        def collect(self) -> Iterator[Family]:
            for family in _recordings():
                # When each series began: a series for each series, which nothing here asks for.
                family.samples = [one for one in family.samples if not one.name.endswith(_CREATED)]
                yield family
            build = gauge(BUILD_INFO)
            build.add_metric([waybill.__version__], 1)
            yield build
            yield from gauges

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Families())
    return generate_latest(registry)


def _recordings() -> Iterator[Family]:
    from prometheus_client import CollectorRegistry
    from prometheus_client.multiprocess import MultiProcessCollector

    if folder := os.environ.get(_SHARED):
        # The library has types, but not for this constructor.
        shared: Collector = MultiProcessCollector(  # type: ignore[no-untyped-call]
            CollectorRegistry(), path=folder
        )
        # A host that mounts Waybill may keep its own metrics there.
        yield from (family for family in shared.collect() if family.name.startswith(_PREFIX))
        return
    for recorder in list(_recorded.values()):
        yield from recorder.collect()


def _recorder(metric: Metric) -> Counter | Histogram:
    from prometheus_client import Counter, Histogram

    with _lock:
        if metric.name not in _recorded:
            made: Counter | Histogram
            if metric.kind is Kind.COUNTER:
                made = Counter(metric.name, metric.help, metric.labels, registry=None)
            else:
                made = Histogram(
                    metric.name, metric.help, metric.labels, registry=None, buckets=metric.buckets
                )
            _recorded[metric.name] = made
        return _recorded[metric.name]
