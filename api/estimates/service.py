"""Estimates for the API: rows, size and duration of an export, and when it would start."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import timedelta

from waybill.api.estimates.schemas import BetterFormatBody, Estimate
from waybill.api.exports.schemas import ExportRequest
from waybill.api.exports.service import plan_request
from waybill.exporter.datasets.principal import Principal
from waybill.exporter.formats.file_shape import Shape, better_format, shape_of
from waybill.infra.estimates.estimator import ExportEstimate
from waybill.infra.estimates.history import ASSUMED_SECONDS, usual_seconds
from waybill.infra.estimates.model import USUAL_COLUMNS, estimate_bytes
from waybill.infra.exports.plan import ExportPlan
from waybill.infra.services import Services

#: Timeout of the planner, and again of the count. A user waits for the answer.
_TIMEOUT = timedelta(seconds=0.5)


def estimate_export(services: Services, user: Principal, request: ExportRequest) -> Estimate:
    """Estimate the export that `request` asks for, in about a second, and store nothing.

    Raises:
        UnknownDataset, PermissionDenied, InvalidRequest: as when it is submitted.
    """
    plan = plan_request(services, user, request)
    estimate = services.estimator.estimate(
        user,
        plan.dataset,
        plan.queries,
        plan.param_values,
        plan.format.name,
        within=_TIMEOUT,
        options=plan.options,
    )
    load = services.history.queue_load(plan.dataset.queue)
    shape = _shape(plan, estimate)
    return Estimate(
        type=plan.dataset.name,
        format=plan.format.name,
        rows=estimate.rows,
        rows_known_by=estimate.rows_known_by,
        rows_problem=estimate.rows_problem,
        rows_limit=services.settings.max_rows_per_export,
        files=shape.files if shape else None,
        sheets=shape.sheets if shape else None,
        bytes=estimate.size_bytes,
        seconds=estimate.seconds,
        calibrated=bool(estimate.past),
        queue_position=load.waiting,
        queue_running=load.running,
        queue_workers=load.workers,
        starts_in_seconds=load.seconds_until_a_slot(
            load.waiting,
            _seconds_of_one(estimate),
            services.settings.concurrency,
        ),
        better_format=_better(plan, estimate, shape),
    )


def _shape(plan: ExportPlan, estimate: ExportEstimate) -> Shape | None:
    if estimate.rows is None:
        return None
    columns = estimate.columns or USUAL_COLUMNS
    plain = estimate_bytes("csv", estimate.rows, columns, ())
    split = plan.sheet_by is not None or any(sheet.sheet_by for sheet in plan.sheets)
    shape = shape_of(plan.format.name, estimate.rows, plain, sheet_by=split)
    least = len(plan.sheets)
    return replace(shape, sheets=max(shape.sheets, least)) if shape.sheets else shape


def _better(
    plan: ExportPlan, estimate: ExportEstimate, shape: Shape | None
) -> BetterFormatBody | None:
    if plan.sheets or shape is None or estimate.rows is None or estimate.size_bytes is None:
        return None
    found = better_format(
        plan.format.name, shape, estimate.rows, estimate.columns, estimate.size_bytes
    )
    return BetterFormatBody(**asdict(found)) if found else None


def _seconds_of_one(estimate: ExportEstimate) -> float:
    past = usual_seconds(estimate.past)
    return (estimate.seconds or ASSUMED_SECONDS) if past is None else past
