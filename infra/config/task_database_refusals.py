"""Why the task database refuses a statement, or lets nobody in: one sentence for each reason.

Anybody may read the sentences at ``/readyz``: they repeat no name, address or value.
"""

from __future__ import annotations

from waybill.infra.config.database_refusals import refusal_reason

DISK_FULL = "The disk of the task tables is full."
#: Why PostgreSQL refuses a statement. (SQLSTATE)
_POSTGRES_REFUSALS = {
    "25006": "The task database takes no writes: it is a standby, or set to read-only.",
    "42501": "The user of WAYBILL_DATABASE_URL may not write to the task tables.",
    "53100": DISK_FULL,
    "57014": "The task database does not answer in time.",
}
#: What is wrong with an SQLite file, by the beginning of the result code.
_SQLITE_REFUSALS = {
    "SQLITE_CANTOPEN": "The SQLite file of the task tables cannot be opened or made.",
    "SQLITE_NOTADB": "The file of the task tables is no SQLite database.",
    "SQLITE_CORRUPT": "The SQLite file of the task tables is damaged. Restore a backup.",
    "SQLITE_READONLY": "The SQLite file of the task tables cannot be written.",
    "SQLITE_BUSY": "The SQLite file of the task tables is locked by another process.",
    "SQLITE_FULL": DISK_FULL,
    "SQLITE_IOERR": "The disk with the SQLite file of the task tables has an error.",
}


def known_reason(error: Exception) -> str | None:
    """The sentence for an error of SQLAlchemy's, or of the driver below it; None for unknown ones.

    No stack trace would say more.
    """
    cause = getattr(error, "orig", None) or error
    code = getattr(cause, "sqlite_errorname", None)
    if code is not None:
        texts = (text for start, text in _SQLITE_REFUSALS.items() if code.startswith(start))
        return next(texts, None)
    state = getattr(cause, "sqlstate", None)
    if state in _POSTGRES_REFUSALS:
        return _POSTGRES_REFUSALS[state]
    return refusal_reason(str(cause), database="The task database", url="WAYBILL_DATABASE_URL")
