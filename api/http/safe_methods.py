"""The methods of HTTP that change nothing. (RFC 9110, 9.2.1; TRACE is answered by no route.)"""

from __future__ import annotations

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
