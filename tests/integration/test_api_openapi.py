"""The OpenAPI document: an example for every body, each true to its schema; streams as streams."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.support.servers.task_api import TASKS, TaskApi
from waybill.api.problems.documents import MEDIA_TYPE

JSON = ("application/json", MEDIA_TYPE)
METHODS = {"get", "post", "put", "patch", "delete"}


@pytest.fixture
def document(api: TaskApi) -> dict[str, Any]:
    body: dict[str, Any] = api.client().get("/openapi.json").json()
    return body


def bodies(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every JSON body of every request and answer, by a name for people."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            assert method in METHODS
            parts = {"request": operation.get("requestBody", {}), **operation["responses"]}
            for name, part in parts.items():
                for media_type, content in part.get("content", {}).items():
                    if media_type in JSON:
                        yield f"{method} {path} {name}", content


def resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    name = schema.get("$ref", "").removeprefix("#/components/schemas/")
    return document["components"]["schemas"][name] if name else schema


def test_every_body_has_an_example_and_the_example_fits(document: dict[str, Any]) -> None:
    found = dict(bodies(document))
    assert f"post {TASKS} request" in found
    wrong = {}
    for name, content in found.items():
        schema = resolved(document, content["schema"])
        example = content.get("example", schema.get("example"))
        if example is None:
            wrong[name] = ["there is none"]
            continue
        whole = {**content["schema"], "components": document["components"]}
        errors = [error.message for error in Draft202012Validator(whole).iter_errors(example)]
        if errors or set(example) - set(schema.get("properties", example)):
            wrong[name] = errors or ["it has fields of its own"]
    assert wrong == {}


def test_streams_are_documented_as_streams(document: dict[str, Any]) -> None:
    for path in (f"{TASKS}/events", f"{TASKS}/{{task_id}}/events"):
        operation = document["paths"][path]["get"]
        [(media_type, content)] = operation["responses"]["200"]["content"].items()
        assert media_type == "text/event-stream"
        kinds = [item["properties"]["event"]["const"] for item in content["x-itemSchema"]["oneOf"]]
        assert {"heartbeat", "task", "deleted"} <= set(kinds)
        assert content["example"].startswith("event: heartbeat\ndata: ")
        assert "Last-Event-ID" in [item["name"] for item in operation["parameters"]]
        assert {"401", "429"} <= set(operation["responses"])
