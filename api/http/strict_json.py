"""Strict JSON parsing of request bodies: whatever two parsers could read differently is refused.

Duplicate keys, NaN, infinities, deep nesting, invalid UTF-8, and texts that databases cannot store
(NUL, half a surrogate pair) become a 4xx here and never reach a route.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

from fastapi import Request

from waybill.api.http.admission import AdmittedRoute
from waybill.api.problems.errors import BadJson, NotJson
from waybill.exporter.errors import InvalidRequest

#: Far more than any parameter model nests, far less than the interpreter's recursion limit.
_MAX_DEPTH = 32
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def parse_json(body: bytes) -> Any:
    """Parse `body`.

    Raises:
        BadJson: not JSON, or ambiguous JSON.
        InvalidRequest: a text contains a character that cannot be stored.
    """
    try:
        value = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_refuse_constant,
            parse_float=_finite,
        )
    except RecursionError:
        raise BadJson("The body is nested too deeply.") from None
    except ValueError as error:
        reason = "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
        raise BadJson(f"The body is not valid JSON: {reason}.") from None
    _refuse_unstorable(value)
    return value


class StrictRoute(AdmittedRoute):
    """A route that parses its body, if it has one, with `parse_json`, for callers who are known.

    The application's state has the function that finds out who calls, as `authenticate`: nothing of
    a body is read for a stranger, or said of it.
    """

    async def arrived(self, request: Request) -> Request:
        """`request` with its JSON, once it was received.

        Raises:
            BadJson, InvalidRequest: as `parse_json`.
            NotJson: the body is something else.
            What finding out who calls raises.
        """
        request.app.state.authenticate(request)
        strict = _StrictRequest(request.scope, request.receive)
        await strict.read()
        return strict


class _StrictRequest(Request):
    """A request whose JSON is parsed before the framework asks for it.

    The framework's body parser would turn our own errors into a plain 400.
    """

    async def read(self) -> None:
        content_type = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        if content_type != "application/json" or "content-encoding" in self.headers:
            raise NotJson
        self._document = parse_json(await self.body())

    async def json(self) -> Any:
        return self._document


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("an object contains the same key twice")
    return members


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _finite(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise ValueError("a number is too large")
    return value


def _refuse_unstorable(document: Any) -> None:
    waiting: list[tuple[Any, int]] = [(document, 1)]
    while waiting:
        value, depth = waiting.pop()
        if depth > _MAX_DEPTH:
            raise BadJson("The body is nested too deeply.")
        if isinstance(value, str) and _UNSTORABLE.search(value):
            raise InvalidRequest("A text contains a character that cannot be stored.")
        if isinstance(value, dict):
            waiting += ((part, depth + 1) for part in (*value, *value.values()))
        elif isinstance(value, list):
            waiting += ((part, depth + 1) for part in value)
