"""Paging: the limits of every list, and whether another part follows the one that was read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, TypeVar

from fastapi import Path, Query
from pydantic import StringConstraints

MAX_PAGE_SIZE = 100
#: The database reads and discards every row before an offset. Longer lists have cursors.
MAX_PAGE = 1_000
#: The largest id that every supported database can hold.
MAX_ID = 2**63 - 1

#: Query parameters and path parameters that several lists share.
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE_SIZE)]
PageNumber = Annotated[int, Query(ge=1, le=MAX_PAGE)]
RowId = Annotated[int, Path(ge=1, le=MAX_ID)]
PlainText = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]

Item = TypeVar("Item")


def split_page(found: Sequence[Item], limit: int) -> tuple[list[Item], bool]:
    """The first `limit` rows, and whether more follow. Read `limit` + 1 rows to find out."""
    return list(found[:limit]), len(found) > limit
