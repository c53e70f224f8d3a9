"""What an error of an ADBC driver means, by its status; its text may quote the query or the URL."""

from __future__ import annotations

import adbc_driver_manager as adbc

from waybill.infra.sources.errors import (
    SourceError,
    SourceRejected,
    SourceUnavailable,
    by_sqlstate,
)

#: SQLSTATE of servers that have none. (ADBC, "Error handling": five characters.)
_NO_STATE = {None, "", "\0\0\0\0\0", "00000"}

_REJECTED = {
    adbc.AdbcStatusCode.NOT_FOUND: "The query names something that does not exist.",
    adbc.AdbcStatusCode.INVALID_ARGUMENT: "The database refuses this query.",
    adbc.AdbcStatusCode.INVALID_DATA: "The database refuses this query.",
    adbc.AdbcStatusCode.INTEGRITY: "The database refuses this query.",
    adbc.AdbcStatusCode.ALREADY_EXISTS: "The database refuses this query.",
    adbc.AdbcStatusCode.NOT_IMPLEMENTED: "The database, or its driver, cannot do what is asked.",
}
_UNAVAILABLE = {
    adbc.AdbcStatusCode.UNAUTHENTICATED: (
        "The database refuses the account of the source URL, or its password."
    ),
    adbc.AdbcStatusCode.UNAUTHORIZED: "The account of the source URL may not read this.",
    adbc.AdbcStatusCode.IO: (
        "Nothing listens at the address of the source URL, or the connection was lost."
    ),
    adbc.AdbcStatusCode.TIMEOUT: "The database ended the query at its time limit.",
}


def by_status(error: Exception) -> SourceError:
    """The error for what the driver raised."""
    state = getattr(error, "sqlstate", None)
    if state not in _NO_STATE:
        return by_sqlstate(state)
    status = getattr(error, "status_code", None)
    if status in _REJECTED:
        return SourceRejected(f"{_REJECTED[status]} ({status.name})")
    if status in _UNAVAILABLE:
        return SourceUnavailable(_UNAVAILABLE[status])
    return SourceUnavailable("The database could not answer.")
