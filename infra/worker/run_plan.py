"""Running a plan of an export: as one table, or as a workbook of several datasets."""

from __future__ import annotations

from waybill.exporter.ports import Source
from waybill.exporter.run import ExportProgress, ExportResult, OpenSink, run_export
from waybill.exporter.stop import StopToken
from waybill.exporter.workbook_run import SheetQuery, run_workbook
from waybill.infra.exports.plan import ExportPlan


def run_plan(
    source: Source,
    plan: ExportPlan,
    open_sink: OpenSink,
    *,
    max_row_bytes: int,
    progress: ExportProgress,
    stop: StopToken | None = None,
    can_begin_again: bool = True,
) -> ExportResult:
    """Export what `plan` says; see `run_export` and `run_workbook`."""
    if plan.sheets:
        return run_workbook(
            source,
            [SheetQuery(sheet.query, sheet.layout) for sheet in plan.sheets],
            plan.layout,
            open_sink,
            progress=progress,
            stop=stop,
            max_row_bytes=max_row_bytes,
        )
    return run_export(
        source,
        plan.query,
        plan.format.encode,
        plan.layout,
        open_sink,
        progress=progress,
        stop=stop,
        max_row_bytes=max_row_bytes,
        can_begin_again=can_begin_again,
    )
