"""Protected files of every format, opened by 7-Zip and libarchive."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import duckdb
import openpyxl
import pyarrow as pa
import pytest

from tests.support.encoded import encode_table
from tests.support.seven_zip import (
    Refused,
    listed_by_7zip,
    read_with_7zip,
    read_with_libarchive,
)
from waybill.exporter.blocks.block import Block, Checksum
from waybill.exporter.blocks.encrypted_zip import EncryptedZip
from waybill.exporter.blocks.file_keys import FileKeys
from waybill.exporter.formats.protected import Protection
from waybill.exporter.formats.registry import FORMATS

PASSWORD = "bh7k-49mq-xs2t-vp6w-e3nz"
ROWS = 60_000


@dataclass(frozen=True)
class Protected:
    """One protected file, and the file of the same rows without a password."""

    path: Path
    plain: bytes


def _table(rows: int) -> pa.Table:
    return pa.table(
        {
            "id": pa.array(range(rows), pa.int64()),
            "name": pa.array([f"名前 {n} {n * 2654435761 % 2**32:x}" for n in range(rows)]),
        }
    )


def _protected(name: str, rows: int, folder: Path) -> Protected:
    chosen = FORMATS[name]
    protection = Protection(lambda: FileKeys.of(PASSWORD), f"订单.{chosen.extension}")
    plain, tally = encode_table(chosen.encode, _table(rows))
    data, protected = encode_table(protection.encoder(chosen), _table(rows))
    assert (protected.rows, protected.warnings) == (tally.rows, tally.warnings)
    path = folder / "订单.zip"
    path.write_bytes(data)
    return Protected(path, plain)


@pytest.mark.parametrize("rows", [0, 1, ROWS])
@pytest.mark.parametrize("name", list(FORMATS))
def test_by_two_readers_the_file_is_the_one_without_a_password(
    name: str, rows: int, tmp_path: Path
) -> None:
    file = _protected(name, rows, tmp_path)
    assert read_with_7zip(file.path, PASSWORD) == file.plain
    assert read_with_libarchive(file.path, PASSWORD) == file.plain
    listed = listed_by_7zip(file.path)
    assert listed["Path"] == f"订单.{name}"
    assert listed["Size"] == str(len(file.plain))
    assert listed["Encrypted"] == "+"
    assert listed["Method"].startswith("AES-256 ")
    assert listed["Method"].endswith("Deflate" if name == "csv" else "Store")


def test_a_workbook_and_a_parquet_file_open_with_what_was_read(tmp_path: Path) -> None:
    workbook = read_with_7zip(_protected("xlsx", 3, tmp_path).path, PASSWORD)
    sheet = openpyxl.load_workbook(io.BytesIO(workbook)).active
    assert sheet is not None
    assert [row[0] for row in sheet.values] == ["id", 0, 1, 2]
    target = tmp_path / "rows.parquet"
    target.write_bytes(read_with_7zip(_protected("parquet", ROWS, tmp_path).path, PASSWORD))
    rows = duckdb.read_parquet(str(target)).aggregate("count(*), sum(id)").fetchall()
    assert rows == [(ROWS, ROWS * (ROWS - 1) // 2)]


def test_a_csv_file_is_compressed_inside(tmp_path: Path) -> None:
    file = _protected("csv", ROWS, tmp_path)
    assert file.path.stat().st_size < len(file.plain) * 0.7


@pytest.mark.parametrize("wrong", ["", PASSWORD.upper(), PASSWORD + " ", PASSWORD[:-1]])
def test_a_wrong_password_opens_nothing(wrong: str, tmp_path: Path) -> None:
    file = _protected("xlsx", 3, tmp_path)
    for read in (read_with_7zip, read_with_libarchive):
        with pytest.raises(Refused):
            read(file.path, wrong)


@pytest.mark.parametrize("name", ["xlsx", "csv"])
def test_a_changed_bit_of_the_ciphertext_is_found(name: str, tmp_path: Path) -> None:
    file = _protected(name, 1_000, tmp_path)
    data = bytearray(file.path.read_bytes())
    for at in (200, len(data) // 2, len(data) - 250):
        changed = bytearray(data)
        changed[at] ^= 0x10
        file.path.write_bytes(changed)
        with pytest.raises(Refused):
            read_with_7zip(file.path, PASSWORD)


def test_the_file_holds_nothing_of_the_text_or_the_password(tmp_path: Path) -> None:
    data = _protected("csv", 1_000, tmp_path).path.read_bytes()
    assert PASSWORD.encode() not in data
    # Of 2 KB of the plain file, no 8 bytes are in the archive.
    plain = _protected("jsonl.gz", 1_000, tmp_path)
    archive = plain.path.read_bytes()
    assert not any(plain.plain[at : at + 8] in archive for at in range(0, 2_000, 8))


@pytest.mark.slow
def test_7zip_lists_a_file_of_more_than_4_gib(tmp_path: Path) -> None:
    path, piece = tmp_path / "large.zip", bytes(64 << 20)
    block = Block(0, Checksum.of(piece), piece, Checksum.of(piece))
    archive = EncryptedZip("large.bin", FileKeys.of(PASSWORD), deflated=False)
    pieces = 65
    with path.open("wb") as file:
        file.write(archive.open())
        for _ in range(pieces):
            # Only its place is kept: a sparse file takes no space on the disk.
            file.seek(len(archive.add(block)), io.SEEK_CUR)
        file.write(archive.finish())
        assert file.tell() == archive.checksum.size_bytes > 1 << 32
    listed = listed_by_7zip(path)
    assert listed["Size"] == str(pieces * len(piece))
    assert listed["Packed Size"] == str(pieces * len(piece) + 28)
