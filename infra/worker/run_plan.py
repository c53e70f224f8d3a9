"""Running a plan of an export: as one table, or as a workbook of several datasets."""

from __future__ import annotations

from collections.abc import Callable

from waybill.exporter.blocks.file_keys import FileKeys
from waybill.exporter.formats.protected import Protection
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
    take_keys: Callable[[], FileKeys] | None = None,
) -> ExportResult:
    """Export what `plan` says; see `run_export` and `run_workbook`.

    `take_keys` gives other keys for each file that is begun with a password.

    Raises:
        ValueError: the file has a password, and there are no keys.
    """
    protection = _protection(plan, take_keys)
    if plan.sheets:
        return run_workbook(
            source,
            [SheetQuery(sheet.query, sheet.layout) for sheet in plan.sheets],
            plan.layout,
            open_sink,
            progress=progress,
            stop=stop,
            max_row_bytes=max_row_bytes,
            wrap=protection.encrypt if protection else None,
        )
    return run_export(
        source,
        plan.query,
        protection.encoder(plan.format) if protection else plan.format.encode,
        plan.layout,
        open_sink,
        progress=progress,
        stop=stop,
        max_row_bytes=max_row_bytes,
        can_begin_again=can_begin_again,
    )


def _protection(plan: ExportPlan, take_keys: Callable[[], FileKeys] | None) -> Protection | None:
    if not plan.asked.password:
        return None
    if take_keys is None:
        # Never the file without its password.
        raise ValueError("an export with a password got no keys")
    return Protection(take_keys, plan.entry_name)
