"""What DuckDB's errors mean, by the word they begin with; Arrow's reader keeps only that.

The rest of a text is not repeated: it quotes the query and its values.
"""

from __future__ import annotations

import re

from waybill.infra.sources.errors import SourceError, SourceRejected, SourceUnavailable

_KIND = re.compile(r"([A-Za-z][A-Za-z ]{0,40}) Error: ")

_CHANGES = "The query tries to change data; an export only reads."
_NOT_ONE_QUERY = "The query is not one valid statement that returns rows."
_FORBIDDEN = (
    "The query reads a file that the source URL does not allow. Add its folder to the URL:"
    " ?files=FOLDER. Addresses of the network cannot be allowed."
)

#: By kind: what else the text must say, and the sentence.
_REJECTED = (
    ("Permission", "", _FORBIDDEN),
    ("Missing Extension", "", "The query needs a DuckDB extension, and Waybill loads none."),
    ("Parser", "", _NOT_ONE_QUERY),
    ("Syntax", "", _NOT_ONE_QUERY),
    ("Catalog", "Function with name", "The query calls a function that DuckDB does not have."),
    ("Catalog", "", "The query names a table that does not exist."),
    ("Binder", "column", "The query names a column that does not exist."),
    ("Invalid Input", "read-only", _CHANGES),
    ("Transaction", "read-only", _CHANGES),
    ("TransactionContext", "read-only", _CHANGES),
    ("IO", "No files found", "The query names a file that does not exist."),
    ("Conversion", "", "A value cannot be converted as the query asks."),
    ("Out of Range", "", "A value is out of the range that the query asks for."),
)
_OTHER_REJECTED = frozenset(
    {"Binder", "Constraint", "Invalid Input", "Invalid Type", "Mismatch Type", "Not implemented"}
)

_UNAVAILABLE = {
    "Out of Memory": (
        "DuckDB needs more memory for this query than its limit. Raise memory_limit in the"
        " source URL."
    ),
    "IO": "DuckDB could not read its file, or one that the query names.",
}


def by_duckdb(error: Exception) -> SourceError:
    """The error for what DuckDB, or the Arrow reader above it, raised for a query."""
    text = str(error)
    match = _KIND.match(text)
    kind = match[1] if match else ""
    for known, says, sentence in _REJECTED:
        if kind == known and says in text:
            return SourceRejected(sentence)
    if kind in _OTHER_REJECTED:
        return SourceRejected(f"DuckDB refuses this query. ({kind})")
    return SourceUnavailable(_UNAVAILABLE.get(kind, "DuckDB could not answer."))


def by_opening(error: Exception, path: str | None) -> SourceError:
    """The error for the file at `path` that could not be opened; None: no file at all."""
    text = str(error)
    if path is None:
        return SourceUnavailable("DuckDB could not be started.")
    if "does not exist" in text:
        return SourceRejected(f"There is no DuckDB file {path}.")
    if "lock on file" in text or "different configuration" in text:
        return SourceUnavailable(
            f"Another program, or another part of this one, has {path} open for writing. It can be"
            " read once that is closed."
        )
    if "valid DuckDB database" in text or "version" in text or "directory" in text:
        return SourceRejected(f"{path} is no DuckDB database, or one of a newer version.")
    return SourceUnavailable(f"{path} could not be opened.")
