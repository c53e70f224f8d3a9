"""One SQL statement out of the text an operator pasted: no byte order mark, no last semicolon.

Only as much of SQL is read as tells a semicolon from one in a string, a quoted name or a comment.
What is a query, and what it may do, is for the server to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from waybill.exporter.errors import InvalidRequest

_DOLLAR_QUOTE = re.compile(r"\$(?:[^\W\d]\w*)?\$")
_WORD = re.compile(r"[^\W\d][\w$]*")


@dataclass(frozen=True, slots=True)
class Syntax:
    """In what the databases differ, as far as it decides where a statement ends."""

    #: A backslash inside any string, or in PostgreSQL only in one after an ``E``.
    backslash_escapes: bool = False
    dollar_quotes: bool = False
    nested_comments: bool = False
    #: MySQL: ``#`` begins a comment, and ``--`` only with a blank behind it.
    hash_comments: bool = False
    #: ``[name]``, which elsewhere is the subscript of an array.
    bracketed_names: bool = False
    #: What a query may begin with, in lower case.
    first_words: frozenset[str] = frozenset({"select", "with", "values", "table"})


#: By SQLAlchemy's name of the database; any other is read as standard SQL.
SYNTAXES = {
    "postgresql": Syntax(dollar_quotes=True, nested_comments=True),
    "mysql": Syntax(backslash_escapes=True, hash_comments=True),
    "mariadb": Syntax(backslash_escapes=True, hash_comments=True),
    "sqlite": Syntax(bracketed_names=True),
    "clickhouse": Syntax(
        backslash_escapes=True,
        dollar_quotes=True,
        nested_comments=True,
        first_words=frozenset({"select", "with", "from"}),
    ),
    "duckdb": Syntax(
        dollar_quotes=True, first_words=frozenset({"select", "with", "values", "table", "from"})
    ),
}
STANDARD = Syntax()


def one_query(text: str, syntax: Syntax = STANDARD) -> str:
    """The one query in `text`, without what is around it: comments, semicolons, a BOM.

    Comments inside it stay: some databases take hints from them.

    Raises:
        InvalidRequest: `text` has no query, begins with another statement, or has several.
    """
    text = text.lstrip("\ufeff")
    start = end = 0
    first_word = ended = None
    for begin, stop in _tokens(text, syntax):
        part = text[begin:stop]
        if part == ";":
            ended = begin if end else None
            continue
        if ended is not None:
            raise InvalidRequest(
                "Only one statement can be exported, and this text has several:"
                " something follows a semicolon."
            )
        if not end:
            start = begin
        end = stop
        if first_word is None and part != "(":
            first_word = part
    if first_word is None or first_word.lower() not in syntax.first_words:
        raise InvalidRequest("Only a query can be exported: one SELECT, or WITH … SELECT.")
    return text[start:end]


def words(text: str, syntax: Syntax = STANDARD) -> Iterator[tuple[str, str]]:
    """Each unquoted word of `text` in lower case, with the token behind it."""
    previous = None
    for begin, stop in _tokens(text, syntax):
        token = text[begin:stop]
        if previous is not None:
            yield previous.lower(), token
        previous = token if _WORD.fullmatch(token) else None
    if previous is not None:
        yield previous.lower(), ""


def _tokens(text: str, syntax: Syntax) -> Iterator[tuple[int, int]]:
    """Where each token begins and ends; blanks and comments are none. Nothing is refused."""
    place = 0
    while place < len(text):
        if text[place].isspace():
            place += 1
            continue
        stop = _comment(text, place, syntax)
        if stop is None:
            stop = _token(text, place, syntax)
            yield place, stop
        place = stop


def _comment(text: str, place: int, syntax: Syntax) -> int | None:
    """The end of the comment that begins at `place`; None when none does."""
    if text.startswith("--", place):
        behind = text[place + 2 : place + 3]
        if not syntax.hash_comments or not behind or behind.isspace():
            return _after(text, "\n", place)
    if syntax.hash_comments and text[place] == "#":
        return _after(text, "\n", place)
    if not text.startswith("/*", place):
        return None
    if syntax.hash_comments and text[place + 2 : place + 3] in {"!", "M"}:
        # What MySQL reads inside is SQL for it: the marks are tokens, and so is the rest.
        return None
    if not syntax.nested_comments:
        return _after(text, "*/", place + 2)
    depth, place = 1, place + 2
    while depth and place < len(text):
        if text.startswith("/*", place):
            depth, place = depth + 1, place + 2
        elif text.startswith("*/", place):
            depth, place = depth - 1, place + 2
        else:
            place += 1
    return place


def _token(text: str, place: int, syntax: Syntax) -> int:
    character = text[place]
    if character in "'\"`":
        return _quoted(text, place + 1, character, backslash=syntax.backslash_escapes)
    if character in "eE" and syntax.dollar_quotes and text.startswith("'", place + 1):
        return _quoted(text, place + 2, "'", backslash=True)
    if character == "[" and syntax.bracketed_names:
        return _after(text, "]", place)
    if syntax.dollar_quotes and (quote := _DOLLAR_QUOTE.match(text, place)):
        return _after(text, quote[0], quote.end())
    word = _WORD.match(text, place)
    return word.end() if word else place + 1


def _quoted(text: str, place: int, quote: str, *, backslash: bool) -> int:
    """The end of what is quoted from `place` on. A doubled quote looks like two of these."""
    while place < len(text):
        if backslash and text[place] == "\\" and quote != "`":
            place += 2
        elif text[place] == quote:
            return place + 1
        else:
            place += 1
    return len(text)


def _after(text: str, mark: str, place: int) -> int:
    found = text.find(mark, place)
    return len(text) if found < 0 else found + len(mark)
