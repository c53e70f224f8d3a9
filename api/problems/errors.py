"""Errors of the HTTP API itself. `waybill.api.problems.documents` lists the status of each.

::

    WaybillError
    ├── Unauthenticated         no token, or one that cannot be trusted
    ├── ForeignOrigin           a page of another site used the session cookie
    ├── TokenInQuery            a secret stood in the address
    ├── BadJson, NotJson        the body cannot be read
    ├── BadCursor               a cursor was made up, or belongs to another list
    ├── FileNotReady            there is no file yet, or there will be none
    ├── FileExpired             there was a file
    ├── PrefetchRefused         a browser looked ahead at what a click would count
    ├── TooManyStreams          one user holds too many event streams
    └── IdentityProviderDown    the keys that tokens are checked with cannot be had
"""

from __future__ import annotations

from starlette.responses import Response

from waybill.exporter.errors import WaybillError


class EarlyResponse(Exception):
    """Ends a request with `response`. A dependency raises it, for example to redirect."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


class Unauthenticated(WaybillError):
    """Log in, or send a valid bearer token."""

    code = "unauthenticated"
    retry = False


class ForeignOrigin(WaybillError):
    """The request came from a page of another site."""

    code = "foreign_origin"
    retry = False


class TokenInQuery(WaybillError):
    """A token does not belong into an address; send it in the Authorization header."""

    code = "token_in_query"
    retry = False


class BadJson(WaybillError):
    """The body is not valid JSON."""

    code = "bad_json"
    retry = False


class NotJson(WaybillError):
    """The body has to be application/json, without a content encoding."""

    code = "not_json"
    retry = False


class BadCursor(WaybillError):
    """This cursor does not belong to this list; start again without one."""

    code = "bad_cursor"
    retry = False


class FileNotReady(WaybillError):
    """The export has no file to download."""

    code = "file_not_ready"


class FileExpired(WaybillError):
    """The file was deleted at the end of its retention; retry the export to get a new one."""

    code = "file_expired"
    retry = False


class PrefetchRefused(WaybillError):
    """A share link is followed by a click, and not by looking ahead."""

    code = "prefetch_refused"


class TooManyStreams(WaybillError):
    """Too many event streams of yours are open; close one, or watch all tasks by one stream."""

    code = "too_many_streams"


class IdentityProviderDown(WaybillError):
    """The identity provider does not answer, so no token can be checked."""

    code = "identity_provider_down"
