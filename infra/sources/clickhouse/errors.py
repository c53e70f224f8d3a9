"""What ClickHouse's errors mean, by their number; the text may quote the query and its values.

Numbers that are not listed are taken for a fault that may pass.
"""

from __future__ import annotations

import re

from waybill.infra.sources.errors import SourceError, SourceRejected, SourceUnavailable

#: In the text that stands where the rows end, or in place of them.
_CODE = re.compile(rb"Code: (\d{1,4})\. DB::Exception")

_REFUSED = {
    46: "The query calls a function that ClickHouse does not have.",
    47: "The query names a column that does not exist.",
    60: "The query names a table that does not exist.",
    62: "The query is not one valid statement that returns rows.",
    81: "The query names a database that does not exist.",
    158: "The query reads more rows than the account may.",
    164: "The query tries to change data or settings; an export only reads.",
    179: "The query has two columns of the same name.",
    191: "The query needs larger sets of values than the account may have.",
    307: "The query reads more bytes than the account may.",
    396: "The query has more rows than the account may read.",
    452: "The account may not change a setting that an export needs.",
    497: "The database account may not read what this query asks for.",
}

#: About the query in other ways: arguments, types, values that cannot be converted, settings.
_OTHERS_REFUSED = frozenset(
    {6, 7, 8, 10, 15, 16, 19, 20, 26, 27, 34, 35, 36, 38, 41, 42, 43, 44, 48, 49, 50, 53, 63, 69}
    | {70, 72, 115, 121, 125, 127, 128, 130, 131, 137, 152, 153, 155, 162, 170, 182, 184, 190, 206}
    | {207, 208, 215, 216, 257, 321, 352, 386, 395, 403, 407, 456, 457, 475, 570}
)

_UNAVAILABLE = {
    159: "The database ended the query at its time limit.",
    160: "The database ended the query, which would be too slow for its limits.",
    192: "The database refuses the account of the source URL, or its password.",
    193: "The database refuses the account of the source URL, or its password.",
    194: "The database refuses the account of the source URL, or its password.",
    202: "The source database runs as many queries as it may.",
    241: "The query needs more memory than the database gives it.",
    394: "The query was ended on the database server.",
    516: "The database refuses the account of the source URL, or its password.",
}


class BrokenStream(Exception):
    """The rows did not come to their end; what the server said of it, if it said something."""

    def __init__(self, tail: bytes) -> None:
        super().__init__()
        found = _CODE.search(tail)
        self.code = int(found[1]) if found else None


def by_code(error: Exception) -> SourceError:
    """The error for what the driver raised, or what the server sent."""
    code = getattr(error, "code", None)
    if code in _REFUSED:
        return SourceRejected(f"{_REFUSED[code]} (ClickHouse {code})")
    if code in _OTHERS_REFUSED:
        return SourceRejected(f"The database refuses this query. (ClickHouse {code})")
    if code in _UNAVAILABLE:
        return SourceUnavailable(_UNAVAILABLE[code])
    if code is not None:
        return SourceUnavailable(f"The database could not answer. (ClickHouse {code})")
    return SourceUnavailable(
        "Nothing answers at the address of the source URL, or the connection was lost."
    )
