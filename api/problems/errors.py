"""Errors of the HTTP API itself. `waybill.api.problems.documents` lists the status of each.

::

    WaybillError
    ├── Unauthenticated         no token, or an invalid one
    ├── ForeignOrigin           a page of another site used the session cookie
    ├── TokenInQuery            the address contains a secret
    ├── BadJson, NotJson        the body cannot be read
    ├── BadCursor               a cursor is forged, or belongs to another list
    ├── FileNotReady            there is no file yet, or there will never be one
    ├── FileExpired             the file was deleted
    │   └── FileMissing             and not by us
    ├── PrefetchRefused         a browser prefetched a link whose visits are counted
    ├── TooManyStreams          a user has too many open event streams
    ├── Overloaded              more requests than this process can answer in time
    └── IdentityProviderDown    the keys that verify tokens cannot be fetched
"""

from __future__ import annotations

from datetime import timedelta

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
    """The address must not contain a token; send it in the Authorization header."""

    code = "token_in_query"
    retry = False


class BadJson(WaybillError):
    """The body is not valid JSON."""

    code = "bad_json"
    retry = False


class NotJson(WaybillError):
    """The body must be application/json without a content encoding."""

    code = "not_json"
    retry = False


class BadCursor(WaybillError):
    """This cursor does not belong to this list; start again without a cursor."""

    code = "bad_cursor"
    retry = False


class FileNotReady(WaybillError):
    """The export has no file to download."""

    code = "file_not_ready"


class FileExpired(WaybillError):
    """The file was deleted after its retention period; retry the export to get a new one."""

    code = "file_expired"
    retry = False


class FileMissing(FileExpired):
    """The file is no longer in the object store; retry the export to get a new one."""

    code = "file_missing"
    #: Of the export, not of the request for its file.
    retry = True


class PrefetchRefused(WaybillError):
    """Share links must not be prefetched, because each visit counts as a use."""

    code = "prefetch_refused"


class TooManyStreams(WaybillError):
    """You have too many open event streams; close one, or watch all tasks with one stream."""

    code = "too_many_streams"


class Overloaded(WaybillError):
    """More requests arrive than can be answered in time; try again later."""

    code = "overloaded"

    def __init__(self, retry_after: timedelta = timedelta(seconds=1)) -> None:
        """`retry_after`: an earlier retry will hardly succeed."""
        super().__init__()
        self.retry_after = retry_after


class IdentityProviderDown(WaybillError):
    """The identity provider does not answer, so tokens cannot be verified."""

    code = "identity_provider_down"
