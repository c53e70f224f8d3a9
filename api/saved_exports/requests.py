"""From a saved request to an export: its dates as of a moment, checked like any other request."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from waybill.api.exports.schemas import ExportRequest
from waybill.api.exports.service import prepare_task
from waybill.exporter.datasets.principal import Principal
from waybill.exporter.errors import InvalidRequest
from waybill.infra.schedules.cron import parse_zone
from waybill.infra.schedules.relative_dates import resolved
from waybill.infra.schedules.runs import Prepare
from waybill.infra.services import Services
from waybill.infra.tasks.model import NewTask


def request_at(
    services: Services,
    user: Principal,
    saved: Mapping[str, Any],
    timezone: str,
    moment: datetime,
) -> ExportRequest:
    """The request that `saved` means for `user` at `moment`.

    Raises:
        UnknownDataset, PermissionDenied, InvalidRequest: what it names is gone, or not theirs.
    """
    dataset = services.registry[saved["type"]]
    dataset.authorise(user)
    schema = dataset.params.model_json_schema()
    params = resolved(saved.get("params", {}), schema, moment, parse_zone(timezone))
    try:
        return ExportRequest(**{**saved, "params": params})
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = "/".join(str(part) for part in first["loc"])
        raise InvalidRequest(f"{place}: {first['msg']}.", field=place) from None


def prepare_of(services: Services) -> Prepare:
    """What the runs of schedules are checked with: the same as requests of people."""

    def prepare(
        owner: Principal, request: Mapping[str, Any], timezone: str, moment: datetime
    ) -> NewTask:
        asked = request_at(services, owner, request, timezone, moment)
        return prepare_task(services, owner, asked, None, is_scheduled=True)

    return prepare
