"""Search in a list of tasks: what is looked at, and the conditions of a search.

Each task holds its file name and the values of its filters in one case-folded text, so a search is
the same on every database and in every script. No index helps to find a part of a text: a search
reads the user's own tasks, which the index of owners bounds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import sqlalchemy as sa

from waybill.infra.db.tables import export_task

_task = export_task.c

#: Characters on record for one task. Of thousands of ids the first few hundred can be found.
MAX_CHARS = 2_000
#: Words of one search.
MAX_WORDS = 8


def search_text(filename: str, params: Mapping[str, Any]) -> str:
    """The text that a search looks at: the file name, then the values of the filters."""
    text = "\n".join([filename, *_values(params)]).casefold().replace("\0", "")
    return text[:MAX_CHARS]


def words_match(query: str) -> list[sa.ColumnElement[bool]]:
    """The conditions that a task has every word of `query`, anywhere and in any case.

    ``%`` and ``_`` are ordinary characters. Words beyond `MAX_WORDS` are ignored.
    """
    return [_has(word) for word in query.split()[:MAX_WORDS]]


def _has(word: str) -> sa.ColumnElement[bool]:
    return sa.or_(
        _task.search_text.contains(word.casefold(), autoescape=True),
        # Tasks of older versions have their file name only.
        sa.and_(_task.search_text.is_(None), _task.filename.icontains(word, autoescape=True)),
    )


def _values(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for item in value.values():
            yield from _values(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _values(item)
    elif value is not None and not isinstance(value, bool):
        yield str(value)
