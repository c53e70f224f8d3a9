"""Every rule has a phrase, and every rule is one that some encoder really emits."""

from __future__ import annotations

from collections import Counter
from datetime import date
from zoneinfo import ZoneInfo

import pyarrow as pa

from tests.support.encoded import encode_table
from waybill.exporter.datasets.layout import Column, Layout
from waybill.exporter.formats.registry import FORMATS
from waybill.exporter.warning_rules import WarningRule

CHANGED = pa.table(
    {
        "bytes": pa.array([b"x"]),
        "=formula": ["=1"],
        "blank ": [None],
        "": [date(1, 1, 1)],
        "span": pa.array([-1], pa.duration("us")),
        "number": [10**17],
        "nanoseconds": pa.array([1], pa.timestamp("ns")),
        "float": [float("nan")],
        "tiny": [5e-324],
        "rounded": [10**17],
        "twice": pa.array([1_729_989_000], pa.timestamp("s", "UTC")),
        "nul": ["\0"],
        "long": ["x" * 40_000],
        "interval": pa.array([(1, 2, 3)], pa.month_day_nano_interval()),
    }
)

LAYOUT = Layout(timezone=ZoneInfo("Europe/Berlin"), columns={"rounded": Column(number="float")})


def test_a_rule_is_its_own_name_in_text_and_json():
    for rule in WarningRule:
        assert rule == str(rule) == rule.value == rule.name.lower()
        assert rule.phrase[0].isupper()
        assert not rule.phrase.endswith(".")


def test_the_encoders_emit_every_rule_and_no_other():
    emitted: Counter[str] = Counter()
    for item in FORMATS.values():
        for table in (CHANGED, pa.table({"only": pa.array([None], pa.string())})):
            _, tally = encode_table(item.encode, table, LAYOUT)
            emitted.update(rule for _, rule in tally.warnings)
    assert set(emitted) == set(WarningRule)
    assert all(type(rule) is WarningRule for rule in emitted)
