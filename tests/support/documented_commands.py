"""What the documentation tells people to type: `waybill` commands, and requests to the API."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from tests.support.tutorial import fences

#: Fences of these hold commands or requests; other languages are files and what programs print.
_TYPED = {"", "sh", "console", "http"}
_CODE = re.compile(r"(?<!`)`([^`]+)`(?!`)")
#: Settings, a variable or a path may stand before it.
_WAYBILL = re.compile(r"^(?:[A-Z_]+=\S* )*(?:[A-Z]+=\$\()?(?:\S*/)?waybill ([a-z].*)", re.S)
_REQUEST = re.compile(r"\b(GET|POST|PUT|PATCH|DELETE) (/[\w/{}.…-]*)")
_COMMENT = re.compile(r"(?:^|\s)#\s.*")
#: Where another command begins, or a redirection.
_ENDS = {"|", "||", "&&", "&", ";", ">", ">>", "<", ")"}


def waybill_commands(page: str) -> Iterator[list[str]]:
    """The arguments of each `waybill` command of a page, in code spans and in fences."""
    for text in _code(page):
        if found := _WAYBILL.search(text):
            yield _arguments(found[1])


def requests(page: str) -> Iterator[tuple[str, str]]:
    """Method and path of each request to the API of a page, such as `GET /api/datasets`."""
    for text in _code(page):
        yield from _REQUEST.findall(text)


def _code(page: str) -> Iterator[str]:
    """Code spans, and the lines of fences; a line that ends with a backslash goes on."""
    typed = [body for language, title, body in fences(page) if language in _TYPED and not title]
    for body in typed:
        for line in body.replace("\\\n", " ").splitlines():
            yield _COMMENT.sub("", line)
    for span in _CODE.findall(re.sub(r"^ *```.*?^ *```$", "", page, flags=re.M | re.S)):
        yield " ".join(span.split())


def _arguments(text: str) -> list[str]:
    lexer = shlex.shlex(text, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    arguments: list[str] = []
    for word in lexer:
        if word in _ENDS:
            break
        arguments.append(word)
    return arguments
