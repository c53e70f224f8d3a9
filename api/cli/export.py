"""`waybill export`: one export without API, broker or task, from any database to any file."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from waybill.api.cli.console import emit, progress_bar, show
from waybill.exporter.datasets.dataset import Dataset, Query
from waybill.exporter.datasets.layout import Layout
from waybill.exporter.datasets.principal import Principal
from waybill.exporter.errors import InvalidRequest
from waybill.exporter.formats.csv.profiles import PROFILES
from waybill.exporter.formats.registry import FORMATS, Format, format_named
from waybill.exporter.ports import RowStream, Sink, Source
from waybill.exporter.run import ExportProgress, ExportResult, run_export
from waybill.infra.bootstrap import object_store
from waybill.infra.config.settings import TASKS, Settings, load
from waybill.infra.exports.dataset_loader import load_datasets
from waybill.infra.sources import open_source
from waybill.infra.sources.operator_queries import table_query, text_query
from waybill.storage.local import FileUpload
from waybill.storage.store import SignedLink

#: Opens the file or object that the stream is written to.
OpenSink = Callable[[RowStream], AbstractContextManager[Sink]]

#: Whoever runs the command already has the database; datasets see an administrator.
_OPERATOR = Principal("operator", "local", frozenset({"admin"}))
_FRAME_SECONDS = 0.1


def export(
    name: Annotated[str | None, typer.Argument(help="A declared dataset.")] = None,
    output: Annotated[
        str, typer.Option("-o", "--output", help="A file, or s3://bucket/key for a signed link.")
    ] = "",
    param: Annotated[list[str] | None, typer.Option(help="A parameter, as key=value.")] = None,
    format_name: Annotated[
        str | None, typer.Option("--format", help=f"One of {', '.join(FORMATS)}.")
    ] = None,
    source: Annotated[str | None, typer.Option(help="Database URL to read from.")] = None,
    table: Annotated[str | None, typer.Option(help="Export this table or view.")] = None,
    query: Annotated[str | None, typer.Option(help="Export this read-only query.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Export a dataset, a table or a query to a file or to S3, with a progress bar."""
    if not output:
        raise InvalidRequest("Say where to write with -o FILE or -o s3://bucket/key.")
    if sum(item is not None for item in (name, table, query)) != 1:
        raise InvalidRequest("Name one thing to export: a dataset, --table or --query.")
    settings = load()
    name_of_format = format_name or _format_of(output)
    chosen = format_named(name_of_format, csv_profile=PROFILES[settings.csv_profile])
    dataset = load_datasets(settings.datasets)[name] if name is not None else None
    url = source or _database_of(settings, dataset)
    statement, layout = _what(settings, url, dataset, table, query, param or [])
    with _target(settings, output, chosen) as target:
        outcome = _run(open_source(url), statement, layout, chosen, target.open)
        link = target.link()
    emit(
        {
            "output": output,
            "format": chosen.name,
            "rows": outcome.rows_written,
            "size_bytes": outcome.size_bytes,
            "sha256": outcome.sha256,
            "snapshot_at": outcome.snapshot_at.isoformat(),
            "warnings": outcome.warnings,
            **({"url": link.url, "url_expires_at": link.expires_at.isoformat()} if link else {}),
        },
        link.url
        if link
        else f"{outcome.rows_written:,} rows, {outcome.size_bytes:,} bytes: {output}",
        as_json=as_json,
    )


def _what(
    settings: Settings,
    url: str,
    dataset: Dataset | None,
    table: str | None,
    query: str | None,
    params: list[str],
) -> tuple[Query, Layout]:
    zone = ZoneInfo(settings.timezone)
    if dataset is None:
        if params:
            raise InvalidRequest("--param belongs to a dataset, not to --table or --query.")
        statement = table_query(url, table) if table else text_query(query or "")
        return statement, Layout(title=table or "Query", timezone=zone)
    chosen = dataset.parse(dict(_pair(item) for item in params))
    layout = Layout(
        title=dataset.title,
        columns=dataset.columns,
        timezone=zone,
        sheet_by=dataset.sheet_by,
        decorate=dataset.decorate,
    )
    return dataset.query(chosen, _OPERATOR), layout


def _database_of(settings: Settings, dataset: Dataset | None) -> str:
    if dataset is not None and dataset.reads == TASKS:
        return settings.task_database_url
    return settings.rows_database_url


def _run(
    source: Source,
    statement: Query,
    layout: Layout,
    chosen: Format,
    open_sink: OpenSink,
) -> ExportResult:
    progress = ExportProgress()
    done = threading.Event()
    with progress_bar(layout.title) as (bar, row):

        def watch() -> None:
            while not done.wait(_FRAME_SECONDS):
                show(bar, row, progress)

        painter = threading.Thread(target=watch, name="progress", daemon=True)
        painter.start()
        try:
            return run_export(
                source, statement, chosen.encode, layout, open_sink, progress=progress
            )
        finally:
            done.set()
            painter.join()
            show(bar, row, progress)


@dataclass(frozen=True, slots=True)
class _Target:
    """Where the file goes, and the link to it afterwards, when there is one."""

    open: OpenSink
    link: Callable[[], SignedLink | None]


@contextmanager
def _target(settings: Settings, output: str, chosen: Format) -> Iterator[_Target]:
    if not output.startswith("s3://"):
        yield _Target(lambda stream: FileUpload(Path(output)), lambda: None)
        return
    bucket, _, key = output.removeprefix("s3://").partition("/")
    if not bucket or not key or key.endswith("/"):
        raise InvalidRequest("The target has to look like s3://bucket/key.")
    with object_store(settings, bucket=bucket) as store:
        # Somebody else's bucket is written to, and otherwise left as it is.
        if bucket == settings.s3_bucket:
            store.ensure_bucket(settings.retention.days)
        yield _Target(
            lambda stream: store.open_upload(key, content_type=chosen.media_type),
            lambda: store.presign(
                key,
                filename=key.rpartition("/")[2],
                content_type=chosen.media_type,
                ttl=settings.link_ttl,
            ),
        )


def _format_of(output: str) -> str:
    """The name of the format whose extension `output` has; the longest one wins (``.csv.gz``)."""
    fitting = [item for item in FORMATS.values() if output.lower().endswith("." + item.extension)]
    if not fitting:
        raise InvalidRequest(f"Say which format with --format: one of {', '.join(FORMATS)}.")
    return max(fitting, key=lambda item: len(item.extension)).name


def _pair(text: str) -> tuple[str, str]:
    key, separator, value = text.partition("=")
    if not separator or not key:
        raise InvalidRequest("A --param has to look like key=value.")
    return key, value
