"""Where the current request came from, for what is recorded while it is answered.

Everything in Waybill may import this module; it imports nothing of Waybill.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RequestOrigin:
    """The id of a request, and the address it was sent from, as far as proxies say."""

    request_id: str
    address: str | None


#: None outside of a request: in workers, in the command line.
request_origin: ContextVar[RequestOrigin | None] = ContextVar("request_origin", default=None)
