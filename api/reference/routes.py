"""``/docs``: the API's reference as a page of our own, made from the OpenAPI document.

It needs no script and asks no other host, so the content security policy of all pages holds.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from fastapi import APIRouter, Request, Response
from markupsafe import Markup, escape

from waybill.api.explanations.codes import PROBLEM_CODES
from waybill.api.http.admission import AdmittedRoute
from waybill.api.pages.rendering import PageSetupDep, render

router = APIRouter(include_in_schema=False, route_class=AdmittedRoute)


@router.get("/docs")
def reference(request: Request, setup: PageSetupDep) -> Response:
    """Every operation by tag: parameters, bodies with examples, answers, and all error codes."""
    document = request.app.openapi()
    named = partial(_schema, document)
    return render(
        setup,
        "reference.html",
        document=document,
        groups=[(tag, list(_operations(document, tag["name"]))) for tag in document["tags"]],
        schemas=dict(sorted(document["components"]["schemas"].items())),
        schema_of=named,
        type_of=_type,
        prose=_prose,
        example_of=partial(_example, named),
        codes=sorted(PROBLEM_CODES.items()),
        examples=document["components"]["examples"],
    )


def _operations(
    document: Mapping[str, Any], tag: str
) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if tag in operation.get("tags", ()):
                yield method.upper(), path, operation


def _schema(
    document: Mapping[str, Any], schema: Mapping[str, Any]
) -> tuple[str, Mapping[str, Any]]:
    """The name and the whole of a schema that may be a reference."""
    name = schema.get("$ref", "").rpartition("/")[2]
    return name, document["components"]["schemas"][name] if name else schema


def _prose(text: str) -> Markup:
    """A text with `code` in it, escaped."""
    parts = (escape(part) for part in text.split("`"))
    # Every second part stood between two of them.
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if number % 2 else part
        for number, part in enumerate(parts)
    )


def _type(schema: Mapping[str, Any]) -> str:
    """A schema in a few words: ``array of TaskBody``, ``string or null``."""
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if parts := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(dict.fromkeys(map(_type, parts)))
    if schema.get("type") == "array":
        return f"array of {_type(schema.get('items', {}))}"
    if "const" in schema:
        return json.dumps(schema["const"])
    words = str(schema.get("type", "any value"))
    return f"{words} ({schema['format']})" if "format" in schema else words


def _example(named: Any, content: Mapping[str, Any]) -> str:
    """The example of a body as text; empty without one."""
    example = content.get("example", named(content.get("schema", {}))[1].get("example"))
    if example is None or isinstance(example, str):
        return example or ""
    return json.dumps(example, indent=2, ensure_ascii=False)
