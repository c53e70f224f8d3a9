"""The OpenAPI document is complete, and /docs is a page of ours that shows all of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from starlette.testclient import TestClient

from tests.support.servers.task_api import SECRET, TASKS
from waybill.api.app import create_app
from waybill.api.explanations.codes import PROBLEM_CODES
from waybill.api.problems.documents import MEDIA_TYPE
from waybill.api.reference.descriptions import TAGS
from waybill.exporter.formats.registry import FORMATS
from waybill.infra.bootstrap import Stack
from waybill.infra.config.settings import load
from waybill.storage.memory import MemoryStore


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    settings = load(home=tmp_path_factory.mktemp("reference"), jwt_secret=SECRET)
    with Stack(settings, store=MemoryStore()) as stack:
        yield create_app(stack.services(checks={}))


@pytest.fixture(scope="module")
def document(app: Any) -> dict[str, Any]:
    return app.openapi()


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield f"{method} {path}", operation


def test_everything_is_described(document: dict[str, Any]) -> None:
    bare = [
        f"{name}.{key}"
        for name, schema in document["components"]["schemas"].items()
        for key, item in [("", schema), *schema.get("properties", {}).items()]
        if not item.get("description", "").strip()
    ]
    for name, operation in operations(document):
        parts = [operation, *operation.get("parameters", ()), *operation["responses"].values()]
        bare += [f"{name} {part.get('name', '')}" for part in parts if not part.get("description")]
    assert bare == []


def test_operation_ids_are_short_and_unique_and_tags_are_explained(
    document: dict[str, Any],
) -> None:
    ids = [operation["operationId"] for _, operation in operations(document)]
    assert len(set(ids)) == len(ids)
    assert [name for name in ids if not re.fullmatch(r"[a-z][a-zA-Z]{2,24}", name)] == []
    used = {tag for _, operation in operations(document) for tag in operation["tags"]}
    assert used == set(TAGS) == {tag["name"] for tag in document["tags"]}


def test_each_problem_code_and_each_format_has_an_example(document: dict[str, Any]) -> None:
    problem = {"$ref": "#/components/schemas/Problem", "components": document["components"]}
    examples = document["components"]["examples"]
    assert set(examples) == set(PROBLEM_CODES)
    for example in examples.values():
        Draft202012Validator(problem).validate(example["value"])
    for name, operation in operations(document):
        for status, answer in operation["responses"].items():
            if content := answer.get("content", {}).get(MEDIA_TYPE):
                assert content["examples"], f"{name} {status}"
    body = document["paths"][TASKS]["post"]["requestBody"]["content"]["application/json"]
    request = {**body["schema"], "components": document["components"]}
    assert set(body["examples"]) == set(FORMATS)
    for example in body["examples"].values():
        Draft202012Validator(request).validate(example["value"])


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    def references(item: Any) -> Iterator[str]:
        if isinstance(item, dict):
            if isinstance(item.get("$ref"), str):
                yield item["$ref"]
            item = list(item.values())
        if isinstance(item, list):
            for part in item:
                yield from references(part)

    for reference in set(references(document)):
        _, kind, name = reference.removeprefix("#/").split("/")
        assert name in document["components"][kind], reference


def test_the_page_shows_all_of_it_and_asks_no_other_host(
    app: Any, document: dict[str, Any]
) -> None:
    answer = TestClient(app).get("/docs", headers={"Accept": "text/html"})
    text = answer.text
    assert answer.status_code == 200
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert re.findall(r"(?:src|href)=\"(?:https?:)?//|<script|style=", text) == []
    identifiers = re.findall(r' id="([^"]+)"', text)
    assert len(set(identifiers)) == len(identifiers)
    shown = set(identifiers)
    assert {operation["operationId"] for _, operation in operations(document)} <= shown
    assert {f"code-{code}" for code in PROBLEM_CODES} <= shown
    assert {f"schema-{name}" for name in document["components"]["schemas"]} <= shown
    anchors = set(re.findall(r'href="#([^"]+)"', text))
    assert anchors - shown == set()
    styles = re.findall(r'href="(/static/[^"]+)"', text)
    assert Path(styles[-1]).name == "reference.css"
