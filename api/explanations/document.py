"""``docs/errors.md``, made from the tables: ``python -m waybill.api.explanations.document``."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from waybill.api.explanations import explain
from waybill.api.explanations.codes import COMMAND_CODES, PROBLEM_CODES, TASK_CODES

_HEAD = """\
# Errors

Made by `make docs`; do not edit. Codes are stable: they are never reworded, so programs may
branch on them. The words come in English and Chinese, by `Accept-Language`.
"""
_TASKS = """
## What a task can end with

`last_error` of a task holds `code`, `message`, `cause`, `remedy` and `retry_helps`.
"""
_PROBLEMS = """
## Problem documents

Every error of the API is `application/problem+json` (RFC 9457) with one of these as `code`.
`http_error` stands for any other refusal of the web framework, with that refusal's status.
"""
_COMMANDS = """
## On the command line and in the log
"""


def document() -> str:
    """The whole page. ``docs/errors.md`` holds this, and a test says so."""
    parts = [
        _HEAD,
        _TASKS,
        _table(("code",), ((code,) for code in TASK_CODES)),
        _PROBLEMS,
        _table(
            ("code", "status"), ((code, f"{status}") for code, (status, _) in PROBLEM_CODES.items())
        ),
        _COMMANDS,
        _table(("code",), ((code,) for code in COMMAND_CODES)),
    ]
    return "".join(parts)


def _table(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    names = (*columns, "cause", "what to do", "again?", "原因", "处理办法")
    lines = ["", _line(names), "|" + "---|" * len(names)]
    for code, *more in sorted(rows):
        english, chinese = explain(code, "en"), explain(code, "zh")
        again = "yes" if english.retry_helps else "no"
        words = (english.cause, english.remedy, again, chinese.cause, chinese.remedy)
        lines.append(_line((f"`{code}`", *more, *words)))
    return "\n".join(lines) + "\n"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.stdout.write(document())
