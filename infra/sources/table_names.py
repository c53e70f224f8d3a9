"""Names of tables as people type them: quoted and folded like the database's own client does it.

`meanings` says what a text can name, likeliest first; `nearest` what was perhaps meant where
there is no such table. A name is ``(schema, table)``; without a schema the session's own counts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from difflib import get_close_matches

Name = tuple[str | None, str]

#: The quotes of each kind of database: what opens a name, and what ends it.
_QUOTES = {
    "mysql": {"`": "`", '"': '"'},
    "mariadb": {"`": "`", '"': '"'},
    "sqlite": {'"': '"', "`": "`", "[": "]"},
}
_STANDARD_QUOTES = {'"': '"'}

#: What a name without quotes is taken for. Only PostgreSQL folds: MySQL's names are as the file
#: system has them, and SQLite does not mind the case.
_FOLDS: dict[str, Callable[[str], str]] = {"postgresql": str.lower}

_BARE = re.compile(r"[a-z_][a-z0-9_$]*")
_MAX_SUGGESTIONS = 3
_MAX_LENGTH = 128


def meanings(text: str, backend: str, database: str | None) -> list[Name]:
    """What `text` can name, likeliest first.

    A table whose own name has a dot wins over a schema with a table in it. After that the rules
    of the database's client hold, and last the text is taken letter for letter.
    """
    found: list[Name] = [(None, text)] if "." in text else []
    parts = split_name(text, backend)
    if parts is not None:
        if len(parts) == 3 and parts[0] == database:
            parts = parts[1:]
        if len(parts) == 1:
            found.append((None, parts[0]))
        elif len(parts) == 2:
            found.append((parts[0], parts[1]))
    found.append((None, text))
    schema, dot, table = text.partition(".")
    if dot:
        found.append((schema, table))
    return list(dict.fromkeys(found))


def split_name(text: str, backend: str) -> list[str] | None:
    """The parts of a name between its dots, unquoted and folded; None where it is not one."""
    quotes = _QUOTES.get(backend, _STANDARD_QUOTES)
    fold = _FOLDS.get(backend, str)
    parts = []
    place = 0
    while True:
        end = quotes.get(text[place : place + 1])
        if end is None:
            stop = (text.find(".", place) + len(text) + 1) % (len(text) + 1)
            part = fold(text[place:stop].strip())
        else:
            stop = place + 1
            while (stop := text.find(end, stop)) >= 0 and text.startswith(2 * end, stop):
                stop += 2
            if stop < 0:
                return None
            part = text[place + 1 : stop].replace(2 * end, end)
            stop += 1
        if not part:
            return None
        parts.append(part)
        if stop == len(text):
            return parts
        if text[stop] != ".":
            return None
        place = stop + 1


def quoted(name: Name, backend: str) -> str:
    """`name` as it can be typed: with quotes only where it needs them."""
    mark = "`" if backend in {"mysql", "mariadb"} else '"'
    return ".".join(
        part if _BARE.fullmatch(part) else mark + part.replace(mark, 2 * mark) + mark
        for part in name
        if part is not None
    )


def nearest(text: str, names: Iterable[Name], backend: str) -> list[str]:
    """The names most like `text`, as they can be typed; none where nothing is alike."""
    wanted = ".".join(split_name(text, backend) or [text]).lower()[:_MAX_LENGTH]
    bare = wanted.rpartition(".")[2]
    spelled: dict[str, list[Name]] = {}
    for name in names:
        schema, table = name
        spelled.setdefault(table.lower(), []).append(name)
        if schema is not None:
            spelled.setdefault(f"{schema}.{table}".lower(), []).append(name)
    found = [
        name
        for likeness in (wanted, bare)
        for match in get_close_matches(likeness, spelled, n=_MAX_SUGGESTIONS, cutoff=0.7)
        for name in spelled[match]
    ]
    return [quoted(name, backend) for name in dict.fromkeys(found)][:_MAX_SUGGESTIONS]
