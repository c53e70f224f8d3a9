"""The plan of one export: what is read, for whom, and how its file looks.

`plan_export` is the only function that makes one. The API plans what it stores as a task, a
worker plans what it runs, and `waybill export` plans what it writes, so the three cannot differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property, partial
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import BaseModel

from waybill.exporter.datasets.about_texts import about_text
from waybill.exporter.datasets.dataset import Dataset, Query
from waybill.exporter.datasets.filter_names import filter_names
from waybill.exporter.datasets.filter_texts import every_filter
from waybill.exporter.datasets.layout import Column, Layout
from waybill.exporter.datasets.principal import Principal
from waybill.exporter.datasets.texts import DEFAULT_LANGUAGE, text_in
from waybill.exporter.datasets.watermark import Watermark
from waybill.exporter.errors import InvalidRequest
from waybill.exporter.filenames import render_filename, with_filters
from waybill.exporter.formats.csv.options import CsvOptions, options_of
from waybill.exporter.formats.csv.profiles import PROFILES
from waybill.exporter.formats.parquet_profiles import PARQUET_PROFILES
from waybill.exporter.formats.registry import FORMATS, WORKBOOK_FORMAT, Format, format_named
from waybill.infra.config.settings import Settings
from waybill.infra.exports.options import RequestOptions, zone_named
from waybill.infra.exports.projection import projected
from waybill.infra.tasks.file_keys import PASSWORD_OPTION, has_password

#: What a file with a password is, in every format.
_PROTECTED_EXTENSION = "zip"
_PROTECTED_MEDIA_TYPE = "application/zip"

#: A request that asks for nothing in particular.
NO_OPTIONS = RequestOptions()


@dataclass(frozen=True)
class ExportPlan:
    """One export, checked and ready to run. Make it with `plan_export`."""

    dataset: Dataset
    params: BaseModel
    principal: Principal
    format: Format
    filename: str
    #: None where there is no task: on the command line, and before the task is stored.
    task_id: UUID | None
    #: What was asked beside that; `stored_options` is what a task keeps.
    asked: RequestOptions
    _settings: Settings = field(repr=False)

    @property
    def extension(self) -> str:
        """The extension of its file."""
        return _PROTECTED_EXTENSION if self.asked.password else self.format.extension

    @property
    def media_type(self) -> str:
        """The ``Content-Type`` of its file."""
        return media_type_of(self.format.name, {PASSWORD_OPTION: self.asked.password})

    @property
    def entry_name(self) -> str:
        """The name of the file inside one with a password."""
        stem = self.filename.removesuffix(f".{_PROTECTED_EXTENSION}")
        return f"{stem}.{self.format.extension}"

    @cached_property
    def query(self) -> Query:
        """The statement to read. The dataset's function is called by the first use, and once.

        Raises what that function raises, and `InvalidRequest` for a column that its query lacks.
        """
        query = self.dataset.query(self.params, self.principal)
        return projected(
            query,
            self.asked.columns,
            self.asked.sort,
            sheet_by=self.sheet_by,
            hidden=self.dataset.hidden_from(self.principal),
            masked=self.dataset.masked_for(self.principal),
        )

    @cached_property
    def sheets(self) -> tuple[ExportPlan, ...]:
        """A plan for each dataset of a workbook, in the order of its sheets; else none."""
        asked = RequestOptions(timezone=self.asked.timezone, language=self.asked.language)
        return tuple(replace(self, dataset=dataset, asked=asked) for dataset in self.dataset.sheets)

    @cached_property
    def queries(self) -> tuple[Query, ...]:
        """All that is read: `query`, or one statement for each sheet of a workbook."""
        return tuple(sheet.query for sheet in self.sheets) or (self.query,)

    @property
    def language(self) -> str:
        """The language of the dataset's texts in the file."""
        return self.asked.language or DEFAULT_LANGUAGE

    @property
    def timezone(self) -> ZoneInfo:
        """The zone in which the file shows moments."""
        asked = self.asked.timezone
        return ZoneInfo(self._settings.timezone) if asked is None else zone_named(asked)

    @property
    def sheet_by(self) -> str | None:
        """The column that gives each of its values a sheet, if the file has that column."""
        chosen, column = [item.name for item in self.asked.columns], self.dataset.sheet_by
        shown = column is not None and self._declared(column).is_open_to(self.principal)
        return column if shown and (not chosen or column in chosen) else None

    @cached_property
    def param_values(self) -> dict[str, Any]:
        """The parameters as JSON with all defaults, as a task stores them.

        Not those that do not exist for the caller, who sees the task.
        """
        closed = self.dataset.closed_params(self.principal)
        return self.params.model_dump(mode="json", exclude=set(closed))

    @cached_property
    def options(self) -> dict[str, Any]:
        """What was asked, where the installation's default differs; for the task."""
        asked = self.asked
        if asked.timezone == self._settings.timezone:
            asked = replace(asked, timezone=None)
        if not self.dataset.is_translated:
            asked = replace(asked, language=None)
        profile = self.format.csv_profile
        if profile is None or profile == PROFILES[self._settings.csv_profile]:
            return asked.stored()
        return {"csv": options_of(profile).model_dump(exclude_none=True), **asked.stored()}

    @cached_property
    def layout(self) -> Layout:
        """How the file looks, and what its "About this export" sheet says."""
        dataset = self.dataset
        return Layout(
            title=dataset.title_in(self.language),
            columns=self._columns(),
            hidden=dataset.hidden_from(self.principal),
            timezone=self.timezone,
            sheet_by=self.sheet_by,
            decorate=dataset.decorate,
            rows_above=dataset.rows_above_headings,
            template=dataset.template,
            about=self._about() if dataset.about else (),
            language=self.language,
            watermark=Watermark.of(dataset.watermark, self.principal),
            watermark_row=dataset.watermark_row,
        )

    @cached_property
    def single_flight_key(self) -> str | None:
        """Equal for two exports of one tenant that make the same file; None: it shares no run."""
        if (
            self.asked.password
            or self.dataset.is_personal
            or (self.dataset.about and self.asked.reason)
        ):
            return None
        # It compiles SQL, which the command line never needs.
        from waybill.infra.exports.single_flight_key import key_of_workbook, single_flight_keys

        if self.sheets:
            return key_of_workbook(
                self.dataset,
                [sheet.single_flight_key for sheet in self.sheets],
                self.param_values,
                self.principal,
                self.layout,
            )
        return single_flight_keys(self._settings).key_of(
            self.dataset,
            self.query,
            self.param_values,
            self.principal,
            self.format,
            self.layout,
            self.asked.sharding,
        )

    def _columns(self) -> dict[str, Column]:
        """How each column is shown, with the labels of the request."""
        # Programs get values as they are, and names for columns instead of labels.
        for_people = self.format.is_workbook or self.format.csv_profile is not None
        declared = {
            name: column.seen_by(self.principal, self.language, labels_values=for_people)
            for name, column in self.dataset.columns.items()
            if not column.is_hidden_from(self.principal)
        }
        renamed = {
            item.name: replace(declared.get(item.name, Column()), label=item.label, renamed=True)
            for item in self.asked.columns
            if item.label is not None
        }
        return {**declared, **renamed}

    def _about(self) -> tuple[tuple[str, str], ...]:
        say = partial(about_text, self.language)
        filters = every_filter(self.dataset, self.params, self.principal, self.language)
        named = [say("pair", name=name, value=value) for name, value in filters]
        lines = [
            (say("export"), self.dataset.title_in(self.language)),
            (say("owner"), self.principal.user),
            (say("filters"), say("separator").join(named) or say("no_filters")),
            (say("zone"), self.timezone.key),
        ]
        if self.asked.columns:
            labels = [item.label or self._label(item.name) for item in self.asked.columns]
            lines.append((say("columns"), ", ".join(labels)))
        if self.asked.sort:
            order = [(self._label(key.column), key.descending) for key in self.asked.sort]
            keys = [say("descending", column=name) if down else name for name, down in order]
            lines.append((say("sort"), say("separator").join(keys)))
        if self.asked.reason:
            lines.append((say("reason"), self.asked.reason))
        if self.task_id is not None:
            lines.append((say("task"), str(self.task_id)))
        return tuple(lines)

    def _label(self, name: str) -> str:
        return text_in(self._declared(name).label, self.language) or name

    def _declared(self, name: str) -> Column:
        return self.dataset.columns.get(name, Column())


def media_type_of(format_name: str, options: Mapping[str, Any] | None) -> str:
    """The ``Content-Type`` of the file of a task with this format and these options."""
    return _PROTECTED_MEDIA_TYPE if has_password(options) else format_named(format_name).media_type


def plan_export(
    settings: Settings,
    dataset: Dataset,
    principal: Principal,
    params: Mapping[str, Any],
    format_name: str,
    *,
    filename_pattern: str = "",
    filename: str | None = None,
    options: RequestOptions = NO_OPTIONS,
    task_id: UUID | None = None,
) -> ExportPlan:
    """Check an export and plan it. Nothing is read, and the dataset's function is not called yet.

    `params` are raw values. `filename` is the finished name of the file; without it, the name is
    made of `filename_pattern`, or of the dataset's own pattern with the filters, and today's date.

    Raises:
        PermissionDenied: `principal` may not export `dataset`.
        InvalidRequest: a parameter, the format, an option of it or the pattern is wrong. Whether
            there are columns of the names in `options` is known when `ExportPlan.query` is made.
    """
    dataset.authorise(principal)
    parsed = dataset.parse(params, principal)
    file_format = _format(settings, format_name, options.csv)
    if filename is None:
        pattern = filename_pattern or with_filters(dataset.filename)
        filename = render_filename(
            _without_zip(pattern, file_format) if options.password else pattern,
            name=dataset.name,
            today=datetime.now(ZoneInfo(options.timezone or settings.timezone)).date(),
            extension=file_format.extension,
            filters=filter_names(parsed),
        )
        if options.password:
            filename = filename[: -len(file_format.extension)] + _PROTECTED_EXTENSION
    if dataset.sheets:
        _check_workbook(dataset, file_format, options)
    elif options.columns and dataset.decorate is not None and file_format.is_workbook:
        raise InvalidRequest(
            f"The workbook of {dataset.name!r} is laid out for all its columns. Leave the choice"
            " out, or take another format.",
            field="columns",
        )
    return ExportPlan(dataset, parsed, principal, file_format, filename, task_id, options, settings)


def _without_zip(pattern: str, file_format: Format) -> str:
    """`pattern` without the extension of a file with a password, if it has that."""
    end = f".{_PROTECTED_EXTENSION}"
    has_own = pattern.casefold().endswith(f".{file_format.extension}")
    return pattern if has_own or not pattern.casefold().endswith(end) else pattern[: -len(end)]


def _check_workbook(dataset: Dataset, file_format: Format, asked: RequestOptions) -> None:
    if file_format.name not in formats_of(dataset):
        raise InvalidRequest(
            f"{dataset.name!r} has several sheets: its format is xlsx, not {file_format.name}.",
            field="format",
        )
    for name in ("columns", "sort"):
        if getattr(asked, name):
            raise InvalidRequest(
                f"{dataset.name!r} has the columns and the order of its datasets. Leave the choice"
                " out, or export one of them.",
                field=name,
            )


def formats_of(dataset: Dataset) -> list[str]:
    """The names of the formats that `dataset` can have."""
    return [WORKBOOK_FORMAT] if dataset.sheets else list(FORMATS)


def _format(settings: Settings, name: str, csv: CsvOptions | None) -> Format:
    default = PROFILES[settings.csv_profile]
    found = format_named(
        name,
        csv_profile=csv.over(default) if csv else default,
        parquet_profile=PARQUET_PROFILES[settings.parquet_profile],
    )
    if csv is not None and found.csv_profile is None:
        with_csv = ", ".join(item.name for item in FORMATS.values() if item.csv_profile)
        raise InvalidRequest(
            f"CSV options belong to {with_csv}, not to {name}. Leave them out.", field="csv"
        )
    return found
