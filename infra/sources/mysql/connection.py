"""A connection that learns from the server what a column is, also where the wire type is a text.

MariaDB has no JSON type on the wire: a ``json`` column is a text like any other, unless a client
asks for extended metadata when it logs in. That is a bit beyond the 32 of MySQL's protocol, and
PyMySQL cannot ask for it. Servers that do not know the bit send columns as they always did.
(MariaDB Knowledge Base, "Connection", "Result Set Packets": MARIADB_CLIENT_EXTENDED_METADATA.)
"""

from __future__ import annotations

import socket
import struct
from typing import Any

import pymysql
from pymysql.connections import Connection
from pymysql.constants import CLIENT, COMMAND, FIELD_TYPE, FLAG
from pymysql.protocol import FieldDescriptorPacket

#: Bit 35 of the capabilities, in the word that MariaDB keeps the upper 32 in.
_EXTENDED_METADATA = 1 << (35 - 32)

#: What a login packet begins with: flags, largest packet, collation, 19 bytes unused, the word.
_LOGIN = struct.Struct("<IIB19xI")

#: The answer to a statement that is prepared: a zero, its number, and how many columns and
#: parameters are described after it.
_PREPARED = struct.Struct("<BIHH")

#: The collation of bytes. (MySQL manual, "The binary Collation".)
BINARY_COLLATION = 63

#: Of the longest bit literal that is a number, one of 64 bits.
_MAX_BIT_BYTES = 8

#: A server that vanishes without a word is noticed after a minute instead of after the two hours of
#: the kernel's own keepalives. (Options of the socket, where the system has them.)
_KEEPALIVES = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}

#: What ends a column's description: a length, and twelve bytes of that length.
_FIXED_BYTES = 13

#: Kinds of extended metadata: the name of a type, and that of a format.
_TYPE_NAME, _FORMAT_NAME = 0, 1


class WireField(FieldDescriptorPacket):  # type: ignore[misc]  # PyMySQL has no types
    """What the server says of one column of a result, its own type's name included."""

    _data: bytes
    _position: int
    #: The format of a text, such as ``json``; empty where the server does not say.
    format_name = ""

    @property
    def is_bytes(self) -> bool:
        """Whether a string has no character set. A column of nulls alone is of no type."""
        is_binary = self.charsetnr == BINARY_COLLATION and self.type_code != FIELD_TYPE.NULL
        return bool(is_binary and self.length)

    @property
    def is_bit_literal(self) -> bool:
        """Whether the column is a literal such as ``b'101'``, which has no type but this mark."""
        is_marked = self.type_code == FIELD_TYPE.VAR_STRING and self.flags & FLAG.UNSIGNED
        return bool(is_marked and self.is_bytes and self.length <= _MAX_BIT_BYTES)

    def _parse_field_descriptor(self, encoding: str) -> None:
        extended = self._extended_metadata()
        super()._parse_field_descriptor(encoding)
        place = 0
        while place + 2 <= len(extended):
            kind, length = extended[place], extended[place + 1]
            place += 2 + length
            if kind == _FORMAT_NAME:
                self.format_name = extended[place - length : place].decode("ascii", "replace")

    def _extended_metadata(self) -> bytes:
        """Take out of the packet what the parser of the plain protocol does not expect."""
        for _ in range(6):
            self.read_length_coded_string()
        place = self._position
        extended = b""
        if len(self._data) - place > _FIXED_BYTES:
            extended = self.read_length_coded_string() or b""
            self._data = self._data[:place] + self._data[self._position :]
        self.rewind()
        return extended


class WireConnection(Connection):  # type: ignore[misc]  # PyMySQL has no types
    """PyMySQL's connection, with `WireField` for each column of a result."""

    _is_logging_in = False
    _sock: Any

    def wait_for_answers(self, seconds: int | None) -> None:
        """Wait so long for each answer from now on, or without an end while the server lives."""
        self._read_timeout = self._current_timeout = seconds
        self._sock.settimeout(seconds)
        if self._sock.family != socket.AF_UNIX:
            for name, value in _KEEPALIVES.items():
                if (option := getattr(socket, name, None)) is not None:
                    self._sock.setsockopt(socket.IPPROTO_TCP, option, value)

    def _request_authentication(self) -> None:
        self._is_logging_in = True
        try:
            super()._request_authentication()
        finally:
            self._is_logging_in = False

    def write_packet(self, payload: bytes) -> None:
        """Send a packet; the first ones of a login ask for extended metadata."""
        if self._is_logging_in and len(payload) >= _LOGIN.size and "mariadb" in self._product:
            flags, largest, collation, _ = _LOGIN.unpack_from(payload)
            # MariaDB reads the word only from a client that does not say it is MySQL's.
            login = _LOGIN.pack(
                flags & ~CLIENT.LONG_PASSWORD, largest, collation, _EXTENDED_METADATA
            )
            payload = login + payload[_LOGIN.size :]
        super().write_packet(payload)

    def _read_packet(self, packet_type: type[Any] = pymysql.connections.MysqlPacket) -> Any:
        if packet_type is FieldDescriptorPacket:
            packet_type = WireField
        return super()._read_packet(packet_type)

    def describe(self, sql: str) -> list[WireField]:
        """The columns of a query as it stands, by preparing it: it is not run.

        As a derived table a query loses what marks a bit literal.
        """
        self._execute_command(COMMAND.COM_STMT_PREPARE, sql)
        answer = self._read_packet().get_all_data()
        _, number, columns, parameters = _PREPARED.unpack_from(answer)
        self._described(parameters)
        fields = self._described(columns)
        self._execute_command(COMMAND.COM_STMT_CLOSE, struct.pack("<I", number))
        return fields

    def _described(self, count: int) -> list[WireField]:
        fields = [self._read_packet(FieldDescriptorPacket) for _ in range(count)]
        if fields:
            self._read_packet()
        return fields

    @property
    def _product(self) -> str:
        return str(self.server_version).lower()


def fields_of(cursor: Any) -> list[WireField]:
    """The columns of the result that a driver's cursor holds."""
    return list(cursor._result.fields)
