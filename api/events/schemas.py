"""Events on the wire, and their OpenAPI schema: each event has a kind and JSON as its data."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from waybill.api.exports.schemas import TaskBody


class Heartbeat(BaseModel):
    """Data of `heartbeat`: the stream is alive."""

    interval_seconds: float = Field(
        description="The next event follows within this time. After twice as long without one, "
        "close the stream and open another.",
    )


class Deleted(BaseModel):
    """Data of `deleted`."""

    id: UUID


class Reset(BaseModel):
    """Data of `reset`: the state that follows is whole. Forget what you knew."""


_TASK = {"$ref": f"#/components/schemas/{TaskBody.__name__}"}
_DATA: dict[str, dict[str, Any]] = {
    "heartbeat": Heartbeat.model_json_schema(),
    "task": _TASK,
    "deleted": Deleted.model_json_schema(),
    "reset": Reset.model_json_schema(),
}


def event_schema(*kinds: str) -> dict[str, Any]:
    """The schema of one event of a stream that sends `kinds`. (OpenAPI 3.2, 4.14.4.)"""
    return {"oneOf": [_event(kind, _DATA[kind]) for kind in kinds]}


def _event(kind: str, data: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["event", "data"],
        "properties": {
            "event": {"const": kind},
            "data": {
                "type": "string",
                "contentMediaType": "application/json",
                "contentSchema": data,
            },
            "id": {"type": "string"},
            "retry": {"type": "integer", "minimum": 0},
        },
    }
