"""The bytes of a MySQL result become its values, wherever the network has cut them."""

from __future__ import annotations

import io
import struct
from types import SimpleNamespace

import pymysql
import pytest
from hypothesis import given
from hypothesis import strategies as st

from waybill.infra.sources.batches import MAX_BYTES, MAX_ROWS
from waybill.infra.sources.mysql.wire_rows import WireRows

LARGEST = 0xFFFFFF
END = b"\xfe\x00\x00\x02\x00"


def value(content: bytes | None) -> bytes:
    """A value as the protocol has it: its length, and the bytes."""
    if content is None:
        return b"\xfb"
    length = len(content)
    if length < 251:
        return bytes([length]) + content
    if length < 1 << 16:
        return b"\xfc" + length.to_bytes(2, "little") + content
    if length < 1 << 24:
        return b"\xfd" + length.to_bytes(3, "little") + content
    return b"\xfe" + length.to_bytes(8, "little") + content


def packets(*payloads: bytes) -> bytes:
    """Packets with their headers, those that are too large in several."""
    number, stream = 0, bytearray()
    for payload in payloads:
        pieces = [payload[start : start + LARGEST] for start in range(0, len(payload) + 1, LARGEST)]
        for piece in pieces:
            stream += len(piece).to_bytes(3, "little") + bytes([number % 256]) + piece
            number += 1
    return bytes(stream)


def rows_of(stream: bytes, width: int, *, cut: int = 1 << 16) -> WireRows:
    """A reader of `stream`, of which no call receives more than `cut` bytes."""

    class Network(io.BytesIO):
        def read1(self, size: int | None = -1, /) -> bytes:
            return super().read1(min(size or cut, cut))

    connection = SimpleNamespace(_rfile=Network(stream), encoding="utf8")
    return WireRows(
        SimpleNamespace(connection=connection, field_count=width, unbuffered_active=True)
    )


def all_of(reader: WireRows) -> list[tuple[bytes | None, ...]]:
    rows = []
    while columns := reader.fetch():
        rows.extend(zip(*(column.to_pylist() for column in columns), strict=True))
    return rows


def stream_of(rows: list[tuple[bytes | None, ...]]) -> bytes:
    return packets(*(b"".join(map(value, row)) for row in rows), END)


VALUES = st.one_of(
    st.none(),
    st.binary(max_size=20),
    st.sampled_from([250, 251, 252, 253, 254, 255, 65_535, 65_536]).map(lambda size: b"x" * size),
)


@given(
    st.integers(1, 4).flatmap(lambda width: st.lists(st.tuples(*[VALUES] * width), max_size=30)),
    st.integers(1, 70_000),
)
def test_every_value_arrives_wherever_the_network_cuts_it(rows, cut):
    width = len(rows[0]) if rows else 1

    assert all_of(rows_of(stream_of(rows), width, cut=max(cut, 1 + len(rows)))) == rows


@pytest.mark.parametrize("excess", [-1, 0, 1, LARGEST])
def test_a_row_of_several_packets_is_put_together(excess):
    content = b"a" * (LARGEST - len(value(b"x" * 70_000)) - 4 + excess)
    rows = [(b"before", None), (content, b"x" * 70_000), (b"after", b"")]

    assert all_of(rows_of(stream_of(rows), 2, cut=1 << 20)) == rows


def test_a_row_may_begin_with_the_byte_that_ends_a_result():
    rows = [(b"z" * (1 << 24),), (b"",)]

    assert all_of(rows_of(stream_of(rows), 1, cut=1 << 22)) == rows


def test_batches_are_bounded_in_rows_and_bytes():
    many = rows_of(stream_of([(b"1",)] * (MAX_ROWS + 1)), 1)
    large = rows_of(stream_of([(b"x" * (MAX_BYTES // 2),)] * 5), 1)

    assert [len(many.fetch()[0]), len(many.fetch()[0])] == [MAX_ROWS, 1]
    assert [len(large.fetch()[0]) for _ in range(3)] == [2, 2, 1]


def test_an_error_in_the_middle_of_the_rows_is_the_servers_own():
    error = b"\xff" + struct.pack("<H", 1317) + b"#70100Query execution was interrupted"
    reader = rows_of(packets(value(b"1"), error), 1)

    with pytest.raises(pymysql.Error, match="1317"):
        all_of(reader)


@pytest.mark.parametrize("kept", [0, 3, 4, 5, 8])
def test_a_connection_that_ends_before_the_result_does_is_an_error(kept):
    reader = rows_of(packets(value(b"1234"))[:kept], 1)

    with pytest.raises(pymysql.OperationalError, match="2013"):
        all_of(reader)


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(value(b"1") + value(b"2") + value(b"3"), id="a value too many"),
        pytest.param(value(b"1"), id="a value too few"),
        pytest.param(b"\x01a\x09b", id="a length beyond the row"),
        pytest.param(b"\x01a\xfd\xff\xff\xff", id="a length beyond all rows"),
        pytest.param(b"\xfe" + b"\xf6" + b"\xff" * 7 + b"\x01a", id="a length below zero"),
    ],
)
def test_values_that_do_not_fill_their_row_are_refused(row):
    reader = rows_of(packets(row, END), 2)

    with pytest.raises(pymysql.OperationalError, match="2027"):
        all_of(reader)
