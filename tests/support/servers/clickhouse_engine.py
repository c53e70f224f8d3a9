"""ClickHouse's own engine in a process of its own: questions come on stdin, answers go to stdout.

chDB runs one query at a time and cannot end one, so the server before it ends the process.
"""

from __future__ import annotations

import pickle
import re
import struct
import sys
from typing import IO, Any

_LENGTH = struct.Struct("<Q")
_CODE = re.compile(r"Code: (\d+)\.")


def send(stream: IO[bytes], message: Any) -> None:
    """Write one message."""
    data = pickle.dumps(message)
    stream.write(_LENGTH.pack(len(data)) + data)
    stream.flush()


def receive(stream: IO[bytes]) -> Any:
    """Read one message.

    Raises:
        EOFError: the other side is gone.
    """
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        raise EOFError
    return pickle.loads(stream.read(*_LENGTH.unpack(head)))  # noqa: S301 - our own process


def main(folder: str) -> None:
    """Answer until nobody asks any more."""
    import chdb

    connection = chdb.connect(folder)
    while True:
        try:
            sql, output, values = receive(sys.stdin.buffer)
        except EOFError:
            break
        try:
            answer = (200, connection.query(sql, output, params=values).bytes())
        except RuntimeError as error:
            found = _CODE.search(str(error))
            answer = (int(found[1]) if found else 1000, str(error).encode())
        send(sys.stdout.buffer, answer)
        if answer[0] != 200:
            # What a failed query had written would stand before the next one's answer.
            break


if __name__ == "__main__":
    main(sys.argv[1])
