"""Previews over HTTP: what was asked, with the caller's rights and masks."""

from __future__ import annotations

from waybill.api.datasets.schemas import (
    ChoiceBody,
    ChoiceList,
    ColumnBody,
    PreviewBody,
    PreviewRequest,
)
from waybill.exporter.datasets.approval import ApprovalNeeded
from waybill.exporter.datasets.dataset import Dataset
from waybill.exporter.datasets.layout import Layout
from waybill.exporter.datasets.principal import Principal
from waybill.exporter.errors import InvalidRequest
from waybill.exporter.formats.registry import FORMATS
from waybill.exporter.stop import StopToken
from waybill.infra.exports.data_choices import choices_query
from waybill.infra.exports.dataset_columns import columns_seen
from waybill.infra.exports.options import RequestOptions
from waybill.infra.exports.plan import plan_export
from waybill.infra.exports.projection import first_rows
from waybill.infra.previews.previewer import PREVIEW_ROWS
from waybill.infra.services import Services


def preview_of(
    services: Services, user: Principal, name: str, asked: PreviewRequest, stop: StopToken
) -> PreviewBody:
    """The first rows of the dataset `name` as its spreadsheet would show them.

    Raises:
        UnknownDataset, PermissionDenied, InvalidRequest: as when it is exported.
        ApprovalNeeded.
        TooManyPreviews, PreviewTooSlow, PreviewUnavailable.
    """
    options = RequestOptions(
        columns=tuple(asked.columns or ()),
        sort=tuple(asked.sort or ()),
        timezone=asked.timezone,
        language=asked.lang,
    )
    # A format for people, so that values have their labels.
    people = next(item.name for item in FORMATS.values() if item.csv_profile)
    dataset = services.registry[name]
    dataset.authorise(user)
    if dataset.sheets:
        names = ", ".join(sheet.name for sheet in dataset.sheets)
        raise InvalidRequest(f"{name!r} is a workbook: preview one of its datasets, {names}.")
    _refuse_unapproved(dataset)
    plan = plan_export(services.settings, dataset, user, asked.params, people, options=options)
    query = first_rows(plan.query, PREVIEW_ROWS + 1)
    services.preview_log.admit(user, dataset.name)
    preview = services.previewer.read(dataset, query, plan.layout, stop)
    seen = {column.name: column for column in columns_seen(dataset, user, plan.language)}
    return PreviewBody(
        columns=[
            ColumnBody(
                name=column,
                label=plan.layout.label(column),
                type=seen[column].type if column in seen else "unknown",
                help=seen[column].help if column in seen else "",
                masked=column in seen and seen[column].masked,
            )
            for column in preview.names
        ],
        rows=[list(row) for row in preview.rows[:PREVIEW_ROWS]],
        more=len(preview.rows) > PREVIEW_ROWS,
        timezone=plan.timezone.key,
        snapshot_at=preview.snapshot_at,
    )


def choices_of(
    services: Services, user: Principal, name: str, param: str, typed: str, stop: StopToken
) -> ChoiceList:
    """Values of `param` that contain `typed`, as the dataset `name` lists them for `user`.

    Raises:
        UnknownDataset, PermissionDenied: as when it is exported.
        ApprovalNeeded.
        InvalidRequest: the dataset lists no values of it.
        TooManyPreviews, PreviewTooSlow, PreviewUnavailable.
    """
    dataset = services.registry[name]
    dataset.authorise(user)
    _refuse_unapproved(dataset)
    query = choices_query(dataset, param, user, typed, PREVIEW_ROWS + 1)
    services.preview_log.admit(user, dataset.name, param)
    found = services.previewer.read(dataset, query, Layout(), stop)
    items = [ChoiceBody(value=value or "", label=label or "") for value, label in found.rows]
    return ChoiceList(items=items[:PREVIEW_ROWS], more=len(items) > PREVIEW_ROWS)


def _refuse_unapproved(dataset: Dataset) -> None:
    """Refuse to show rows that only an approval gives out."""
    if dataset.approval is not None:
        raise ApprovalNeeded()
