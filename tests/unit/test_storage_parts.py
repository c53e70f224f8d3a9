"""Part sizes, the cutter, and checksums of checksums."""

from __future__ import annotations

import zlib
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waybill.storage.parts import (
    MAX_PARTS,
    Part,
    PartCutter,
    composite_crc32,
    composite_etag,
    crc32_of,
    plan_part_bytes,
)

MIB = 1 << 20
GIB = 1 << 30


@pytest.mark.parametrize(
    ("expected", "part_bytes"),
    [
        (None, 8 * MIB),
        (0, 8 * MIB),
        # 9,000 parts of 8 MiB hold 1.5 times as much as this, to the byte.
        (9_000 * 8 * MIB * 2 // 3, 8 * MIB),
        (9_000 * 8 * MIB * 2 // 3 + 2, 9 * MIB),
        (5 << 40, 874 * MIB),
        # A petabyte fits nowhere; the size stays one that S3 takes.
        (1 << 50, 5 * GIB),
    ],
)
def test_parts_are_planned_from_the_estimate(expected: int | None, part_bytes: int) -> None:
    assert plan_part_bytes(expected) == part_bytes


@given(st.integers(min_value=0, max_value=50 << 40))
def test_an_estimate_that_is_a_third_too_low_still_fits(expected: int) -> None:
    if plan_part_bytes(expected) < 5 * GIB:
        assert expected * 1.5 <= plan_part_bytes(expected) * MAX_PARTS


@given(st.lists(st.binary(max_size=40)), st.integers(min_value=1, max_value=16))
def test_the_cutter_cuts_equal_parts_and_loses_nothing(writes: list[bytes], size: int) -> None:
    cutter = PartCutter(size)
    parts = [b"".join(pieces) for data in writes for pieces in cutter.feed(data)]
    rest = b"".join(cutter.take())
    assert b"".join([*parts, rest]) == b"".join(writes)
    assert {len(part) for part in parts} <= {size}
    assert len(rest) < size


def test_the_cutter_copies_nothing() -> None:
    data = bytes(100)
    cutter = PartCutter(60)
    ((piece,),) = cutter.feed(data)
    assert piece.obj is data


def test_a_composite_checksum_is_that_of_the_parts_checksums() -> None:
    crcs = [zlib.crc32(part).to_bytes(4, "big") for part in (b"one", b"two")]
    whole = b64encode(zlib.crc32(b"".join(crcs)).to_bytes(4, "big")).decode()
    parts = [Part(n, 3, "", crc32_of(data), True) for n, data in ((1, b"one"), (2, b"two"))]
    assert composite_crc32(parts) == f"{whole}-2"


def test_tags_that_are_no_md5_give_no_composite_tag() -> None:
    assert composite_etag([Part(1, 3, "not-an-md5", "", True)]) is None
