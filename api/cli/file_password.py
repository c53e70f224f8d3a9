"""`--password-file`: the password of a file, which never is an argument of a command."""

from __future__ import annotations

import sys
from getpass import getpass
from pathlib import Path

from waybill.exporter.errors import InvalidRequest
from waybill.infra.exports.passwords import MAX_PASSWORD_CHARS, check_password


def read_password(source: str) -> str:
    """The first line of the file `source`; of standard input for ``-``, asked for on a terminal.

    Raises:
        InvalidRequest: it cannot be read, or cannot be used.
    """
    try:
        password = _first_line(source).rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text in UTF-8"
        raise InvalidRequest(f"The password cannot be read from {source}: {reason}.") from None
    check_password(password)
    return password


def _first_line(source: str) -> str:
    # A line end, and one character more than a password may have.
    most = MAX_PASSWORD_CHARS + 3
    if source != "-":
        with Path(source).open(encoding="utf-8") as file:
            return file.readline(most)
    if sys.stdin.isatty():
        return getpass("Password of the file: ")
    return sys.stdin.readline(most)
