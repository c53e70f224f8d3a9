"""The body of an answer, as Arrow's reader takes it: whether it was whole, and its last words.

A stream of Arrow that is cut between two batches looks finished to Arrow's reader. What ends one is
a mark of eight bytes, with nothing behind it. A query that fails halfway has a text there.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from waybill.infra.sources.clickhouse.errors import BrokenStream

#: (Arrow columnar format, "IPC Streaming Format".)
_END = b"\xff\xff\xff\xff\0\0\0\0"

_TAIL_BYTES = 16_384


class Body(io.RawIOBase):
    """What has been read of a response, as far as its last bytes tell."""

    def __init__(self, response: Any) -> None:
        self.response = response
        self.tail = b""

    def readable(self) -> bool:
        """It is."""
        return True

    def read(self, size: int | None = -1) -> bytes:
        """The next bytes; none at the end."""
        data: bytes = self.response.read(None if size is None or size < 0 else size)
        self.tail = (self.tail + data[-_TAIL_BYTES:])[-_TAIL_BYTES:]
        return data

    def check_end(self) -> None:
        """Read to the end.

        Raises:
            BrokenStream: it does not end as a stream of Arrow does.
        """
        while self.read(_TAIL_BYTES):
            pass
        if not self.tail.endswith(_END):
            raise BrokenStream(self.tail)


class Batches:
    """The record batches of a response. Its columns are known once the first bytes are there.

    Raises:
        BrokenStream: they did not come to their end.
    """

    def __init__(self, response: Any) -> None:
        self._body = Body(response)
        try:
            self._reader = pa.ipc.open_stream(pa.PythonFile(self._body, mode="r"))
        except (pa.ArrowException, OSError) as error:
            self._broken(error)
        self.schema: pa.Schema = self._reader.schema

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """These."""
        return self

    def __next__(self) -> pa.RecordBatch:
        """The next one."""
        try:
            return self._reader.read_next_batch()
        except StopIteration:
            self._body.check_end()
            raise
        except (pa.ArrowException, OSError) as error:
            self._broken(error)

    def _broken(self, error: Exception) -> Any:
        """What is left of the body says why."""
        self._body.check_end()
        raise BrokenStream(self._body.tail) from error

    def close(self) -> None:
        """Leave the rest."""
        self._body.response.close()
