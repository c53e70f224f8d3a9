"""Addresses as the log may hold them: a share link's token is a secret and stays out."""

from __future__ import annotations

import re

# Also where somebody mistyped the address around a token: `//d/…`, `/D/…`, `/d/…/`.
_SHARE_LINK = re.compile(r"(/+d/+).+", re.IGNORECASE | re.DOTALL)


def loggable(path: str) -> str:
    """`path` without the token of a share link."""
    return _SHARE_LINK.sub(r"\1…", path)
