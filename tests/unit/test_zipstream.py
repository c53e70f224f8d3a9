"""Archives written front to back, judged by zipfile, unzip, and the numbers of APPNOTE."""

from __future__ import annotations

import io
import struct
import subprocess
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waybill.exporter.blocks.block import Block, Checksum
from waybill.exporter.blocks.zip_stream import MAX_PLAIN, ZipStream
from waybill.exporter.errors import LimitExceeded

_GIB = 1 << 30


def _archive(entries: dict[str, list[bytes]], **options: bool) -> bytes:
    stream = ZipStream(**options)
    written = []
    for name, pieces in entries.items():
        written.append(stream.open(name))
        written += [stream.add(Block.of(piece)) for piece in pieces]
        written.append(stream.close())
    return b"".join([*written, stream.finish()])


class _Gibibyte(bytes):
    """Nothing, that counts as much: archives of 4 GiB in no memory."""

    def __len__(self) -> int:
        return _GIB


class _Sparse(io.RawIOBase):
    """A file of these chunks, with zeros where a chunk only counts."""

    def __init__(self, chunks: list[bytes]) -> None:
        self._chunks: list[tuple[int, bytes]] = []
        self._size = self._position = 0
        for chunk in chunks:
            self._chunks.append((self._size, bytes.join(b"", [chunk])))
            self._size += len(chunk)

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._position = offset + (0, self._position, self._size)[whence]
        return self._position

    def tell(self) -> int:
        return self._position

    def read(self, size: int = -1) -> bytes:
        start = self._position
        stop = self._size if size < 0 else min(self._size, start + size)
        found = bytearray(stop - start)
        for at, chunk in self._chunks:
            first, last = max(at, start), min(at + len(chunk), stop)
            if first < last:
                found[first - start : last - start] = chunk[first - at : last - at]
        self._position = stop
        return bytes(found)


@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20),
        st.lists(st.binary(max_size=200), max_size=4),
        max_size=5,
    ).filter(lambda entries: len({name.casefold() for name in entries}) == len(entries))
)
def test_with_zipfile_any_pieces_come_back_whole(entries: dict[str, list[bytes]]) -> None:
    with zipfile.ZipFile(io.BytesIO(_archive(entries))) as archive:
        assert archive.testzip() is None
        assert [info.orig_filename for info in archive.infolist()] == list(entries)
        for name, pieces in entries.items():
            assert archive.read(name) == b"".join(pieces)


def test_with_unzip_small_and_streamed_entries_are_whole(tmp_path: Path) -> None:
    stream = ZipStream()
    data = stream.file("first.txt", b"whole") + stream.open("导出.csv")
    data += stream.add(Block.of(b"a,b\r\n" * 1_000)) + stream.add(Block.of(b"")) + stream.close()
    (tmp_path / "a.zip").write_bytes(data + stream.finish())
    done = subprocess.run(["unzip", "-tqq", tmp_path / "a.zip"], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_an_archive_without_entries_is_an_archive() -> None:
    with zipfile.ZipFile(io.BytesIO(ZipStream().finish())) as archive:
        assert archive.namelist() == []


def test_nothing_tells_when_an_archive_was_made() -> None:
    assert _archive({"a": [b"x"]}) == _archive({"a": [b"x"]})
    with zipfile.ZipFile(io.BytesIO(_archive({"a": [b"x"]}))) as archive:
        assert archive.infolist()[0].date_time == (1980, 1, 1, 0, 0, 0)


def test_a_small_entry_has_its_lengths_in_front() -> None:
    data = ZipStream().file("a", b"hello")
    flags, length, raw_length = struct.unpack_from("<6xH10x2L", data)
    assert flags & 0x08 == 0
    assert raw_length == 5
    assert len(data) == 30 + 1 + length


@pytest.mark.parametrize("second", ["a", "A"])
def test_two_entries_of_one_name_are_a_mistake(second: str) -> None:
    stream = ZipStream()
    stream.file("a", b"")
    with pytest.raises(ValueError, match="two entries"):
        stream.open(second)


def test_calls_out_of_order_are_a_mistake() -> None:
    stream = ZipStream()
    for call in (stream.close, lambda: stream.add(Block.of(b""))):
        with pytest.raises(RuntimeError):
            call()
    stream.open("a")
    for call in (stream.finish, lambda: stream.open("b"), lambda: stream.file("b", b"")):
        with pytest.raises(RuntimeError):
            call()


def test_an_entry_may_be_almost_four_gib_and_no_more() -> None:
    stream = ZipStream(zip64=True)
    stream.open("a")
    stream.add(Block(0, Checksum(MAX_PLAIN), b"", Checksum()))
    with pytest.raises(LimitExceeded, match="4 GiB"):
        stream.add(Block(0, Checksum(1), b"", Checksum()))


def _with_gibibytes(stream: ZipStream, count: int) -> list[bytes]:
    chunks = []
    for number in range(count):
        chunks += [
            stream.open(f"big {number}"),
            stream.add(Block(0, Checksum(), _Gibibyte(), Checksum(_GIB))),
            stream.close(),
        ]
    return chunks


def test_without_zip64_nothing_begins_or_ends_beyond_four_gib() -> None:
    stream = ZipStream()
    _with_gibibytes(stream, 4)
    with pytest.raises(LimitExceeded, match="4 GiB"):
        stream.open("one more")
    with pytest.raises(LimitExceeded, match="4 GiB"):
        stream.finish()


def test_with_zip64_zipfile_finds_entries_beyond_four_gib() -> None:
    stream = ZipStream(zip64=True)
    chunks = _with_gibibytes(stream, 5)
    chunks += [stream.file("last", b"found"), stream.finish()]
    with zipfile.ZipFile(_Sparse(chunks)) as archive:
        assert len(archive.namelist()) == 6
        assert archive.getinfo("last").header_offset > MAX_PLAIN
        assert archive.read("last") == b"found"


def test_an_archive_that_may_pass_four_gib_but_does_not_is_a_plain_one() -> None:
    assert _archive({"a": [b"x"]}, zip64=True) == _archive({"a": [b"x"]})
