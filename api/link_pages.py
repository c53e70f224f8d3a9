"""What a browser sees at a share link when there is no file behind it, or none yet."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus

from fastapi.responses import HTMLResponse

from api.explanations import Language, explain
from api.page import render, sign_in_page

_WORDS: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "run_again": "Run it again for me",
        "logged_in": "You are logged in.",
        "go_on": "Go on to the file",
    },
    "zh": {
        "run_again": "为我重新运行",
        "logged_in": "您已登录。",
        "go_on": "继续获取文件",
    },
}

#: Nothing else is ever gone on to after logging in, so no address leads out of this site.
_LINK = re.compile(r"/d/[A-Za-z0-9_-]{43}")

#: The address holds a secret, so no other request may name it. With `no-referrer` browsers
#: send `Origin: null` with the page's own form, and it would be refused; this names the host.
_HEADERS = {"Referrer-Policy": "strict-origin"}


def link_path(token: str) -> str:
    """Where the link of `token` is, relative to this API."""
    return f"/d/{token}"


def own_link(path: str) -> str:
    """`path` if it is one of a share link, and nothing otherwise."""
    return path if _LINK.fullmatch(path) else ""


def link_sign_in_page(static: str, token: str) -> HTMLResponse:
    """The form to log in with, which comes back to the link."""
    page = sign_in_page(static, after=own_link(link_path(token)))
    page.headers.update(_HEADERS)
    return page


def continue_page(static: str, path: str, language: Language) -> HTMLResponse:
    """Goes on to a share link by itself, after somebody logged in."""
    words = _WORDS[language]
    return render(
        "continue.html", HTTPStatus.OK, static=static, path=path, words=words, language=language
    )


def no_file_page(
    static: str, status: HTTPStatus, code: str, language: Language, *, again: str = ""
) -> HTMLResponse:
    """Why there is no file, and what to do; `again` is where a button asks for a new one."""
    page = render(
        "shared_link.html",
        status,
        static=static,
        explanation=explain(code, language),
        words=_WORDS[language],
        language=language,
        code=code,
        again=again,
    )
    page.headers.update(_HEADERS)
    return page
