"""The rows of a MySQL result as Arrow arrays, cut out of the bytes on the wire.

PyMySQL makes a Python object of every packet and of every value, which takes five times as long as
all that follows. Here Python finds where each row begins, and Arrow finds the values of one column
of all rows at once. (MySQL, "Client/Server Protocol", "Text Resultset": a packet for each row, a
value for each column of it with its length before it.)
"""

from __future__ import annotations

import struct
from array import array
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pymysql import err
from pymysql.constants import CR
from pymysql.protocol import MysqlPacket

from waybill.infra.sources.batches import MAX_BYTES, MAX_ROWS

#: Three bytes of length and a number that counts the packets, from 0 to 255 and over again.
_HEADER = 4
_header = struct.Struct("<I").unpack_from

#: The length that says: the row goes on in the next packet.
_GOES_ON = 0xFFFFFF

#: The first byte of a packet that is no row. A row may begin with the first one too, but is longer.
_END, _END_LENGTH = 0xFE, 9
_ERROR = 0xFF

#: Asked of the socket at once.
_CHUNK = 1 << 18

#: The first byte of a value: up to 250 its length, then a null, then how long its length is.
_NULL = 251
_LENGTH_BYTES = {252: 2, 253: 3, 254: 8}


class WireRows:
    """Reads what is left of one unbuffered result of PyMySQL, to its end.

    PyMySQL must not read from that result any more, nor close it while it believes it active.
    """

    def __init__(self, result: Any) -> None:
        self._result = result
        self._connection = result.connection
        self._width: int = result.field_count
        self._data = bytearray()
        self._at_end = False

    def fetch(self) -> list[pa.BinaryArray]:
        """One array for each column, of at most `MAX_ROWS` values; no array at the end.

        The rows are those that begin within `MAX_BYTES`, so one large row is read with few others.

        Raises:
            pymysql.err.Error: the server ended the statement, or the connection was lost.
        """
        data, size = self._data, len(self._data)
        begins, ends = array("q"), array("q")
        place = 0
        while not self._at_end and len(begins) < MAX_ROWS and place < MAX_BYTES:
            begin = end = place + _HEADER
            if begin <= size:
                end += _header(data, place)[0] & _GOES_ON
            # Without a call for each of the many rows that are there, and are one packet.
            if begin == end or end > size or end - begin == _GOES_ON:
                end = self._receive_row(place)
                size = len(data)
            first = data[begin] if begin < end else _ERROR
            if first == _ERROR or (first == _END and end - begin < _END_LENGTH):
                self._finish(bytes(memoryview(data)[begin:end]))
            else:
                begins.append(begin)
                ends.append(end)
            place = end
        if not begins:
            return []
        block = bytes(memoryview(data)[: ends[-1]])
        del data[:place]
        return _columns(block, begins, ends, self._width)

    def _receive_row(self, place: int) -> int:
        """Where the row that begins at `place` ends, now that all of it has been received.

        One that goes on behind further headers is put together.
        """
        length = self._receive_packet(place)
        end = place + _HEADER + length
        while length == _GOES_ON:
            length = self._receive_packet(end)
            del self._data[end : end + _HEADER]
            end += length
        return end

    def _receive_packet(self, place: int) -> int:
        """The length of the packet at `place`, now that all of it has been received."""
        self._receive_up_to(place + _HEADER)
        length = int(_header(self._data, place)[0] & _GOES_ON)
        self._receive_up_to(place + _HEADER + length)
        return length

    def _receive_up_to(self, size: int) -> None:
        while len(self._data) < size:
            try:
                received = self._connection._rfile.read1(max(size - len(self._data), _CHUNK))
            except (OSError, ValueError, AttributeError):
                # The connection failed, or was closed to end the statement.
                received = b""
            if not received:
                raise err.OperationalError(CR.CR_SERVER_LOST, "Lost connection while reading rows")
            self._data += received

    def _finish(self, packet: bytes) -> None:
        """Take the packet behind the last row; raise the error that it may be."""
        self._at_end = True
        self._result.unbuffered_active = False
        self._result.connection = None
        last = MysqlPacket(packet, self._connection.encoding)
        if last.is_error_packet():
            last.raise_for_error()


def _columns(
    block: bytes, begins: array[int], ends: array[int], width: int
) -> list[pa.BinaryArray]:
    """The values of each column, of rows that stand in `block` from `begins` to `ends`.

    Raises:
        pymysql.err.OperationalError: the values do not fill the rows.
    """
    buffer = pa.py_buffer(block)
    data = pa.UInt8Array.from_buffers(pa.uint8(), len(block), [None, buffer])
    rows = len(begins)
    every_other = pa.array(range(0, 2 * rows - 1, 2), pa.int64())
    place = _int64s(begins)
    columns = []
    try:
        for _ in range(width):
            begin, end, is_null = _values(data, place)
            columns.append(
                (
                    begin,
                    end,
                    every_other if is_null is None else pc.if_else(is_null, None, every_other),
                )
            )
            place = end
    except pa.ArrowIndexError:
        place = None
    if place is None or not place.equals(_int64s(ends)):
        raise err.OperationalError(CR.CR_MALFORMED_PACKET, "Malformed packet")
    return [_cut(buffer, begin, end, taken) for begin, end, taken in columns]


def _values(
    data: pa.UInt8Array, place: pa.Int64Array
) -> tuple[pa.Int64Array, pa.Int64Array, pa.BooleanArray | None]:
    """Where the values at `place` in `data` begin and end, and which of them are null."""
    first = data.take(place)
    begin = pc.add(place, 1)
    length = first.cast(pa.int64())
    if pc.max(first).as_py() < _NULL:
        return begin, pc.add(begin, length), None
    is_null = pc.equal(first, _NULL)
    length = pc.if_else(is_null, 0, length)
    for code, size in _LENGTH_BYTES.items():
        is_long = pc.equal(first, code)
        if not is_long.true_count:
            continue
        long = pa.scalar(0, pa.int64())
        for position in range(size):
            byte = data.take(pc.if_else(is_long, pc.add(begin, position), place))
            long = pc.add(long, pc.shift_left(byte.cast(pa.int64()), 8 * position))
        length = pc.if_else(is_long, long, length)
        begin = pc.if_else(is_long, pc.add(begin, size), begin)
    if pc.min(length).as_py() < 0:
        raise pa.ArrowIndexError
    return begin, pc.add(begin, length), is_null


def _cut(
    buffer: pa.Buffer, begin: pa.Int64Array, end: pa.Int64Array, taken: pa.Int64Array
) -> pa.BinaryArray:
    """The values from `begin` to `end`, in an array of their own.

    Arrow's offsets are where one value ends and the next begins. With those of the values and of
    what is between them, values are every other one.
    """
    offsets = pc.bit_wise_or(begin, pc.shift_left(end, 32)).buffers()[1]
    with_gaps = pa.BinaryArray.from_buffers(
        pa.binary(), 2 * len(begin) - 1, [None, offsets, buffer]
    )
    return with_gaps.take(taken)


def _int64s(numbers: array[int]) -> pa.Int64Array:
    return pa.Int64Array.from_buffers(pa.int64(), len(numbers), [None, pa.py_buffer(numbers)])
