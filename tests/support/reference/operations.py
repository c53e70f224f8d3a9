"""The page of the HTTP API: every operation and body, out of its OpenAPI document."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from waybill.api.app import create_app
from waybill.infra.bootstrap import Stack
from waybill.infra.config.settings import load
from waybill.storage.memory import MemoryStore

_HEAD = """\
# HTTP API

A running server has this at `/openapi.json`, for programs that generate clients, and as a page with
every example at `/docs`. Send a bearer token (`Authorization: Bearer …`) or the session cookie of
the page. Errors are problem documents with a stable [code](errors.md).
"""
_PROBLEM = "[Problem](#problem)"
Document = Mapping[str, Any]


def http_page() -> str:
    """The page."""
    with (
        tempfile.TemporaryDirectory() as home,
        Stack(
            load(home=Path(home), jwt_secret="no secret at all" * 2), store=MemoryStore()
        ) as stack,
    ):
        document = create_app(stack.services(checks={})).openapi()
    return "\n".join([_HEAD, *_operations(document), *_bodies(document)]) + "\n"


def _operations(document: Document) -> Iterator[str]:
    for tag in document["tags"]:
        yield f"## {tag['name'].capitalize()}\n\n{tag['description']}\n"
        for path, item in document["paths"].items():
            for method, operation in item.items():
                if tag["name"] in operation.get("tags", ()):
                    yield from _operation(f"{method.upper()} {path}", operation)


def _operation(name: str, operation: Document) -> Iterator[str]:
    yield f"### `{name}`\n\n{operation.get('description', operation['summary'])}\n"
    if parameters := operation.get("parameters"):
        yield "| parameter | in | type | meaning |\n|---|---|---|---|"
        for one in parameters:
            cells = (f"`{one['name']}`", one["in"], _type(one["schema"]), one["description"])
            yield _row(cells)
        yield ""
    if body := operation.get("requestBody"):
        kinds = (_type(part["schema"]) for part in body["content"].values())
        yield f"Body: {', '.join(kinds)}.\n"
    yield "| answer | meaning | body |\n|---|---|---|"
    problems = []
    for status, answer in sorted(operation["responses"].items()):
        content = answer.get("content", {})
        kinds = [_type(part.get("schema", {})) for part in content.values()]
        if kinds == [_PROBLEM]:
            problems.append(status)
        else:
            yield _row((status, answer["description"], ", ".join(dict.fromkeys(kinds))))
    if problems:
        yield _row((", ".join(problems), "Refused, with a code.", _PROBLEM))
    yield ""


def _bodies(document: Document) -> Iterator[str]:
    yield "## Bodies\n"
    for name, schema in sorted(document["components"]["schemas"].items()):
        yield f"### {name}\n\n{schema['description']}\n"
        if properties := schema.get("properties"):
            yield "| name | type | meaning |\n|---|---|---|"
            for key, item in properties.items():
                yield _row((f"`{key}`", _type(item), item["description"]))
            yield ""
        elif values := schema.get("enum"):
            yield f"One of {', '.join(f'`{value}`' for value in values)}.\n"


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(' '.join(cell.split()).replace('|', '&#124;') for cell in cells)} |"


def _type(schema: Document) -> str:
    """A schema in a few words, with a link to a body."""
    if name := schema.get("$ref", "").rpartition("/")[2]:
        return f"[{name}](#{name.lower()})"
    if parts := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(dict.fromkeys(map(_type, parts)))
    if schema.get("type") == "array":
        return f"array of {_type(schema.get('items', {}))}"
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    return str(schema.get("format") or schema.get("type") or "any value")
