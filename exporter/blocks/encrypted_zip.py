"""Encrypted zip: an archive of one file under a password, written front to back.

It is WinZip's AE-2, which 7-Zip, WinZip, Keka and libarchive read: AES-256 in counter mode, and
HMAC-SHA1 over the ciphertext instead of a CRC of the text. The name of the file and its length are
not encrypted. Other numbers are those of PKWARE's APPNOTE 6.3.
"""

from __future__ import annotations

import hmac
import struct

from waybill.exporter.blocks.block import DEFLATE_END, Block, Checksum
from waybill.exporter.blocks.counter_cipher import CounterCipher
from waybill.exporter.blocks.file_keys import FileKeys
from waybill.exporter.blocks.zip_stream import (
    CENTRAL,
    DATE,
    LOCAL,
    MAX_PLAIN,
    NAME_IS_UTF8,
    SIZES_FOLLOW,
    TIME,
    archive_end,
)
from waybill.exporter.errors import IncompleteExport

_DESCRIPTOR = struct.Struct("<4sLQQ")
_ZIP64_SIZES = struct.Struct("<2HQQ")
#: Header and length of the field, version AE-2, vendor, AES-256, how the text is packed.
_AES_EXTRA = struct.Struct("<3H2sBH")

_STORED, _DEFLATED = 0, 8
_AES_METHOD = 99
_AES_VERSION = 51
_AES_256 = 3
_ENCRYPTED = 0x01
_FLAGS = _ENCRYPTED | SIZES_FOLLOW | NAME_IS_UTF8
_SEE_ZIP64 = 0xFFFF_FFFF
_CODE_BYTES = 10


class EncryptedZip:
    """Writes one archive of one file: `open`, `add` …, `finish`. Nothing is kept in memory."""

    def __init__(self, name: str, keys: FileKeys, *, deflated: bool) -> None:
        """`keys` are used for this archive only. `deflated`: what is added is deflate data."""
        self._name = name.encode()
        self._keys = keys
        self._deflated = deflated
        self._cipher = CounterCipher(keys.encryption)
        self._code = hmac.new(keys.authentication, digestmod="sha1")
        self._raw_bytes = 0
        #: Of everything returned so far.
        self.checksum = Checksum()

    def open(self) -> bytes:
        """The first bytes."""
        # The lengths follow the file, in a descriptor of ZIP64, since nobody knows them yet.
        extra = _ZIP64_SIZES.pack(1, 16, 0, 0) + self._aes_extra()
        header = LOCAL.pack(
            b"PK\x03\x04",
            *(_AES_VERSION, _FLAGS, _AES_METHOD, TIME, DATE),
            *(0, _SEE_ZIP64, _SEE_ZIP64),
            *(len(self._name), len(extra)),
        )
        self._body_at = len(header) + len(self._name) + len(extra)
        return self._emit(header + self._name + extra + self._keys.salt + self._keys.verifier)

    def add(self, block: Block) -> bytes:
        """Append a block: its data as they are, which are deflate data where that was said.

        Raises:
            IncompleteExport: the data are not those that the block was made with.
        """
        if Checksum.of(block.data) != block.packed:
            raise IncompleteExport("Bytes of the file changed before they were encrypted.")
        self._raw_bytes += block.raw.size_bytes
        return self._encrypt(block.data)

    def finish(self) -> bytes:
        """The last bytes: the code that authenticates the file, and the directory."""
        end = self._encrypt(DEFLATE_END) if self._deflated else b""
        end += self._emit(self._code.digest()[:_CODE_BYTES])
        packed_bytes = self.checksum.size_bytes - self._body_at
        end += self._emit(_DESCRIPTOR.pack(b"PK\x07\x08", 0, packed_bytes, self._raw_bytes))
        return end + self._emit(self._directory(packed_bytes))

    def _encrypt(self, text: bytes) -> bytes:
        data = self._cipher.update(text)
        self._code.update(data)
        return self._emit(data)

    def _directory(self, packed_bytes: int) -> bytes:
        start = self.checksum.size_bytes
        large = max(packed_bytes, self._raw_bytes) > MAX_PLAIN
        extra = self._aes_extra()
        if large:
            extra = _ZIP64_SIZES.pack(1, 16, self._raw_bytes, packed_bytes) + extra
        entry = CENTRAL.pack(
            b"PK\x01\x02",
            *(_AES_VERSION, _AES_VERSION, _FLAGS, _AES_METHOD, TIME, DATE),
            0,
            _SEE_ZIP64 if large else packed_bytes,
            _SEE_ZIP64 if large else self._raw_bytes,
            *(len(self._name), len(extra)),
            *(0, 0, 0, 0, 0),
        )
        entry += self._name + extra
        return entry + archive_end(1, len(entry), start)

    def _aes_extra(self) -> bytes:
        method = _DEFLATED if self._deflated else _STORED
        return _AES_EXTRA.pack(0x9901, 7, 2, b"AE", _AES_256, method)

    def _emit(self, data: bytes) -> bytes:
        self.checksum += Checksum.of(data)
        return data
