"""The cipher and the archive of protected files, piece by piece."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Generator
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from waybill.exporter.blocks.block import Block, Checksum
from waybill.exporter.blocks.counter_cipher import CounterCipher
from waybill.exporter.blocks.encrypted_zip import EncryptedZip
from waybill.exporter.blocks.file_keys import FileKeys
from waybill.exporter.errors import IncompleteExport
from waybill.exporter.formats.encoding import Tally
from waybill.exporter.formats.protected import Protection

KEY = bytes(range(32))
STRIDE = 1 << 20


def _by_the_book(text: bytes, first_counter: int = 1) -> bytes:
    """Counter mode, one block of 16 bytes after the other."""
    encryptor = Cipher(algorithms.AES(KEY), modes.ECB()).encryptor()  # noqa: S305 - that is its definition
    counters = b"".join(
        (first_counter + n).to_bytes(16, "little") for n in range(-(-len(text) // 16))
    )
    stream = encryptor.update(counters)
    return bytes(a ^ b for a, b in zip(text, stream, strict=False))


@given(st.lists(st.binary(max_size=100), max_size=20))
def test_pieces_of_any_length_are_encrypted_as_one_text(pieces: list[bytes]) -> None:
    cipher = CounterCipher(KEY)
    assert b"".join(map(cipher.update, pieces)) == _by_the_book(b"".join(pieces))


@pytest.mark.parametrize("first", [STRIDE - 1, STRIDE, STRIDE + 1, 3 * STRIDE - 5])
def test_the_key_stream_goes_on_behind_a_mebibyte(first: int) -> None:
    cipher, tail = CounterCipher(KEY), b"0123456789" * 10
    text = bytes(first) + tail
    whole = cipher.update(memoryview(text)[:first]) + cipher.update(tail)
    at = first - first % 16
    assert whole[at:] == _by_the_book(text[at:], at // 16 + 1)
    assert CounterCipher(KEY).update(whole) == text


def test_each_file_of_a_password_has_other_keys_which_are_in_no_text_of_them() -> None:
    one, other = FileKeys.of("a long password"), FileKeys.of("a long password")
    assert one.salt != other.salt
    assert one.encryption != other.encryption
    assert FileKeys.unpacked(one.packed) == one
    assert repr(one) == f"FileKeys(salt={one.salt!r})"
    with pytest.raises(ValueError, match="82 bytes, not 81"):
        FileKeys.unpacked(one.packed[:-1])


def test_a_block_that_has_changed_since_it_was_made_is_not_encrypted() -> None:
    archive = EncryptedZip("a.csv", FileKeys.of("password"), deflated=True)
    block = Block.of(b"a,b\r\n" * 100)
    archive.open()
    with pytest.raises(IncompleteExport, match="before they were encrypted"):
        archive.add(replace(block, data=block.data[:-1] + b"\x01"))


def test_an_encoder_has_to_have_made_the_file_that_was_encrypted() -> None:
    tally = Tally()

    def encode() -> Generator[bytes, None, None]:
        yield b"one"
        yield b"two"
        tally.file = Checksum.of(b"onetwO")

    with pytest.raises(IncompleteExport, match="before they were encrypted"):
        list(Protection(lambda: FileKeys.of("password"), "a.bin").encrypt(encode(), tally))


def test_the_directory_says_that_it_is_encrypted_and_how_long_it_is() -> None:
    archive = EncryptedZip("a.csv", FileKeys.of("password"), deflated=True)
    text = b"a,b\r\n" * 1_000
    data = archive.open() + archive.add(Block.of(text)) + archive.finish()
    (entry,) = zipfile.ZipFile(io.BytesIO(data)).infolist()
    assert entry.flag_bits & 0x01
    assert (entry.filename, entry.file_size, entry.CRC) == ("a.csv", len(text), 0)
    assert archive.checksum == Checksum.of(data)


def test_a_text_of_more_than_4_gib_has_lengths_of_zip64() -> None:
    archive = EncryptedZip("a.csv", FileKeys.of("password"), deflated=True)
    counted = Block.of(b"a,b\r\n")
    large = replace(counted, raw=Checksum(5 << 30, 0))
    data = archive.open() + archive.add(large) + archive.finish()
    (entry,) = zipfile.ZipFile(io.BytesIO(data)).infolist()
    assert entry.file_size == 5 << 30
