"""OpenAPI examples: a problem document for each code, and a request for each format."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from waybill.api.explanations import explain
from waybill.api.explanations.codes import PROBLEM_CODES
from waybill.api.problems.documents import MEDIA_TYPE
from waybill.exporter.formats.registry import FORMATS

_REFERENCE = "#/components/examples/{name}"


def add_problem_examples(document: dict[str, Any]) -> None:
    """Give each problem of each operation the examples of all codes with its status."""
    examples = document["components"].setdefault("examples", {})
    by_status: dict[str, dict[str, Any]] = {}
    for code, (status, _) in sorted(PROBLEM_CODES.items()):
        examples[code] = {"summary": explain(code, "en").cause, "value": _problem(code, status)}
        by_status.setdefault(str(status.value), {})[code] = {"$ref": _REFERENCE.format(name=code)}
    for operations in document["paths"].values():
        for operation in operations.values():
            for status, answer in operation["responses"].items():
                if content := answer.get("content", {}).get(MEDIA_TYPE):
                    content["examples"] = by_status.get(status, {})


def add_format_examples(document: dict[str, Any], path: str) -> None:
    """Give the request of ``POST path`` an example for each format."""
    content = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
    content["examples"] = {
        name: {
            "summary": name,
            "value": {"type": "orders", "format": name, "params": {"city": "Lisbon"}}
            | ({"csv": {"profile": "excel-semicolon"}} if name.startswith("csv") else {}),
        }
        for name in FORMATS
    }


def _problem(code: str, status: HTTPStatus) -> dict[str, Any]:
    return {
        "type": f"urn:waybill:problem:{code}",
        "title": status.phrase,
        "status": status.value,
        "code": code,
        "detail": explain(code, "en").cause,
        "request_id": "3f0c8b9a51d2e764",
    }
