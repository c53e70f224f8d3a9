"""What every block promises, whoever reads the joined stream: zlib, gzip, or zipfile."""

from __future__ import annotations

import functools
import gzip
import io
import operator
import random
import zipfile
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from isal import isal_zlib

from waybill.exporter.blocks.block import DEFLATE_END, Block, Checksum
from waybill.exporter.blocks.gzip_stream import gzip_file
from waybill.exporter.blocks.zip_stream import ZipStream

_PIECES = st.lists(st.binary(max_size=300) | st.text("ab", max_size=300).map(str.encode))


def _inflate(data: bytes) -> bytes:
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    raw = inflate.decompress(data)
    assert inflate.eof
    assert inflate.unused_data == b""
    return raw


@given(_PIECES)
def test_with_zlib_concatenated_blocks_are_one_deflate_stream(pieces: list[bytes]) -> None:
    data = b"".join(Block.of(piece).data for piece in pieces)
    assert _inflate(data + DEFLATE_END) == b"".join(pieces)


@given(_PIECES)
def test_with_gzip_concatenated_blocks_are_one_member(pieces: list[bytes]) -> None:
    assert gzip.decompress(b"".join(gzip_file(map(Block.of, pieces)))) == b"".join(pieces)


@given(_PIECES)
def test_with_zipfile_concatenated_blocks_are_one_entry(pieces: list[bytes]) -> None:
    stream = ZipStream()
    data = stream.open("a") + b"".join(stream.add(Block.of(piece)) for piece in pieces)
    data += stream.close() + stream.finish()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.read("a") == b"".join(pieces)


@given(st.lists(st.tuples(st.binary(max_size=100), st.integers(0, 9)), min_size=1))
def test_the_sum_of_blocks_is_the_block_of_the_sum(parts: list[tuple[bytes, int]]) -> None:
    total = functools.reduce(operator.add, [Block.of(raw, rows) for raw, rows in parts])
    raw = b"".join(raw for raw, _ in parts)
    assert total.rows == sum(rows for _, rows in parts)
    assert total.raw == Checksum(len(raw), zlib.crc32(raw))
    assert total.packed == Checksum(len(total.data), zlib.crc32(total.data))
    assert _inflate(total.data + DEFLATE_END) == raw


@given(st.binary(max_size=100), st.binary(max_size=100))
def test_checksums_combine_without_reading_again(first: bytes, second: bytes) -> None:
    combined = Checksum.of(first) + Checksum.of(second)
    assert combined == Checksum(len(first + second), zlib.crc32(first + second))


@given(st.binary(max_size=5_000))
def test_a_block_can_be_read_without_those_before_it(raw: bytes) -> None:
    Block.of(raw * 2)
    assert _inflate(Block.of(raw).data + DEFLATE_END) == raw


@given(st.binary(max_size=1_000))
def test_a_block_depends_on_its_bytes_alone(raw: bytes) -> None:
    assert Block.of(raw, 7) == Block.of(memoryview(raw), 7)


def test_f136_a_block_does_not_depend_on_where_its_memory_is() -> None:
    # Each begins with what comes again. Of one in some thousands ISA-L alone makes other bytes.
    chance = random.Random(0)  # noqa: S311 - to repeat a failure
    runs = [chance.randbytes(8) * 2 + bytes(300) for _ in range(100_000)]
    here = [Block.of(run).data for run in runs]
    elsewhere = [isal_zlib.compressobj(1, isal_zlib.DEFLATED, -15) for _ in range(50)]
    assert [Block.of(run).data for run in runs] == here
    del elsewhere


def test_a_large_block_is_compressed_whole() -> None:
    raw = b"".join(b"<row r='%d'/>" % number for number in range(300_000))
    block = Block.of(raw)
    assert block.raw.size_bytes == len(raw) > 16 * len(block.data) / 4
    assert _inflate(block.data + DEFLATE_END) == raw


def test_a_block_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Block.of(b"a").rows = 2  # type: ignore[misc]
