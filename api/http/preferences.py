"""The `Prefer` header: how long a client would like to wait for the result. (RFC 7240)"""

from __future__ import annotations

import re
from datetime import timedelta

from starlette.datastructures import Headers

#: Proxies give up after a minute, and some after 30 seconds.
LONGEST_WAIT = timedelta(seconds=25)

_PREFERENCE = re.compile(
    r'\s*([\w!#$%&\'*+.^`|~-]+)\s*(?:=\s*(?:"([^"]*)"|([^\s;"]*)))?\s*(?:;.*)?'
)
_SECONDS = re.compile(r"[0-9]{1,9}")


def preferred_wait(headers: Headers) -> timedelta | None:
    """The time that ``Prefer: wait=5`` asks for, at most `LONGEST_WAIT`; None without a valid one.

    The first of several counts, and nothing of the header is ever an error. (RFC 7240, 2.)
    """
    for item in ",".join(headers.getlist("prefer")).split(","):
        found = _PREFERENCE.fullmatch(item)
        if found and found[1].lower() == "wait":
            value = found[2] or found[3] or ""
            if not _SECONDS.fullmatch(value):
                return None
            return min(timedelta(seconds=int(value)), LONGEST_WAIT)
    return None
