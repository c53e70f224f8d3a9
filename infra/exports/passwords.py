"""Passwords of files: made here, or given by who asks for the file."""

from __future__ import annotations

import secrets

from waybill.exporter.errors import InvalidRequest

#: Without the characters that people confuse: 0 and o, 1, i and l.
_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"
_GROUPS, _GROUP = 5, 5

#: The format derives keys so fast that short passwords are found by trying.
MIN_PASSWORD_CHARS = 16
#: 7-Zip takes no longer ones.
MAX_PASSWORD_CHARS = 99
_LEAST_DIFFERENT = 8


def new_password() -> str:
    """A random password of 123 bits, easy to read out: five groups of five characters."""
    groups = ("".join(secrets.choice(_ALPHABET) for _ in range(_GROUP)) for _ in range(_GROUPS))
    return "-".join(groups)


def check_password(password: str) -> None:
    """Refuse a password that is easily found, or that not every reader takes. No text shows it.

    Raises:
        InvalidRequest.
    """
    if not all(" " <= character <= "~" for character in password):
        problem = (
            "Use letters, digits and signs of ASCII: programs encode others in different ways."
        )
    elif password != password.strip():
        problem = "It begins or ends with a space, which gets lost when it is copied."
    elif len(password) > MAX_PASSWORD_CHARS:
        problem = f"It has more than {MAX_PASSWORD_CHARS} characters, which 7-Zip does not take."
    elif len(password) < MIN_PASSWORD_CHARS or len(set(password)) < _LEAST_DIFFERENT:
        problem = (
            f"It is too weak: the zip format lets millions of passwords be tried each second. Take"
            f" {MIN_PASSWORD_CHARS} characters or more, {_LEAST_DIFFERENT} of them different, or"
            " have one made."
        )
    else:
        return
    raise InvalidRequest(f"This password cannot be used. {problem}", field="password")
