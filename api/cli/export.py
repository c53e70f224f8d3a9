"""`waybill export`: one export without API, broker or task, from any database to any file."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from waybill.api.cli.attributes import attributes_of
from waybill.api.cli.console import JsonFlag, emit
from waybill.api.cli.csv_options import read_csv_options
from waybill.api.cli.file_choices import read_columns, read_sort
from waybill.api.cli.file_password import read_password
from waybill.api.cli.progress import progress_bar
from waybill.exporter.blocks.file_keys import FileKeys
from waybill.exporter.datasets.dataset import Dataset
from waybill.exporter.datasets.principal import Principal
from waybill.exporter.errors import InvalidRequest
from waybill.exporter.formats.csv.profiles import PROFILES
from waybill.exporter.formats.registry import FORMATS
from waybill.exporter.ports import Source
from waybill.exporter.run import ExportProgress, ExportResult, OpenSink
from waybill.infra.bootstrap import Stack
from waybill.infra.config.settings import load
from waybill.infra.exports.options import RequestOptions
from waybill.infra.exports.plan import ExportPlan, plan_export
from waybill.infra.sources import open_source
from waybill.infra.sources.names import ROWS
from waybill.infra.sources.operator_queries import table_query, text_query
from waybill.infra.worker.run_plan import run_plan
from waybill.storage.local import leaves_nothing, local_upload
from waybill.storage.store import SignedLink

_FRAME_SECONDS = 0.1


def export(
    name: Annotated[str | None, typer.Argument(help="A declared dataset.")] = None,
    output: Annotated[
        str,
        typer.Option(
            "-o",
            "--output",
            help="A file, - for standard output, or s3://bucket/key for a signed link.",
        ),
    ] = "",
    param: Annotated[list[str] | None, typer.Option(help="A parameter, as key=value.")] = None,
    attribute: Annotated[
        list[str] | None,
        typer.Option(
            help="An attribute for row rules, as name=value; several of a name make a list. "
            'Numbers, booleans and lists are those of JSON: 7 is a number, "7" a text.',
        ),
    ] = None,
    format_name: Annotated[
        str | None, typer.Option("--format", help=f"One of {', '.join(FORMATS)}.")
    ] = None,
    source: Annotated[str | None, typer.Option(help="Database URL to read from.")] = None,
    table: Annotated[str | None, typer.Option(help="Export this table or view.")] = None,
    query: Annotated[str | None, typer.Option(help="Export this read-only query.")] = None,
    csv_profile: Annotated[
        str | None, typer.Option(help=f"How CSV is written: one of {', '.join(PROFILES)}.")
    ] = None,
    csv: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE",
            help="One thing about CSV: delimiter, decimal, bom, guard or quoting.",
        ),
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[=LABEL]",
            help="A column of the file; repeat it, in the order wanted. Default: all.",
        ),
    ] = None,
    sort: Annotated[
        list[str] | None,
        typer.Option(metavar="[-]NAME", help="Sort by this column; -NAME for descending."),
    ] = None,
    timezone: Annotated[
        str | None, typer.Option(help="Time zone of the file, such as Europe/Berlin.")
    ] = None,
    password_file: Annotated[
        str | None,
        typer.Option(
            help="Encrypt the file with the password in the first line of this file; - reads or "
            "asks for it. The output is a .zip of the file (AES-256).",
        ),
    ] = None,
    user: Annotated[str, typer.Option(help="Try row rules and masks as this user.")] = "operator",
    tenant: Annotated[str, typer.Option(help="The tenant of that user.")] = "local",
    role: Annotated[
        list[str] | None,
        typer.Option(help="A role of that user; repeat it. Default: all of the dataset."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Export a dataset, a table or a query to a file or to S3, with a progress bar."""
    if not output:
        raise InvalidRequest("Say where to write with -o FILE, -o - or -o s3://bucket/key.")
    if sum(item is not None for item in (name, table, query)) != 1:
        raise InvalidRequest("Name one thing to export: a dataset, --table or --query.")
    if name is None and param:
        raise InvalidRequest("--param belongs to a dataset, not to --table or --query.")
    options = RequestOptions(
        csv=read_csv_options(csv_profile, csv or []),
        columns=read_columns(column or []),
        sort=read_sort(sort or []),
        timezone=timezone,
        password=password_file is not None,
    )
    bucket, key = _bucket_and_key(output)
    settings = load()
    take_keys = _keys_from(password_file, output)
    own_bucket = bucket == settings.s3_bucket
    if bucket is not None:
        settings = settings.model_copy(update={"s3_bucket": bucket})
    with Stack(settings) as stack:
        url = source or stack.database_url(ROWS)
        if name is not None:
            dataset = stack.registry[name]
            url = source or stack.database_url(dataset.reads)
        else:
            dataset = _undeclared(url, table, query)
        plan = plan_export(
            settings,
            dataset,
            Principal(
                user,
                tenant,
                frozenset(role or {*dataset.named_roles, settings.operator_role}),
                attributes_of(attribute or ()),
            ),
            dict(_pair(item) for item in param or []),
            format_name or _format_of(output.removesuffix(".zip") if password_file else output),
            filename=None if output == "-" else output.rpartition("/")[2],
            options=options,
        )
        _refuse_without_password(plan)
        _ = plan.queries
        target = _file(output, plan) if bucket is None else _object(stack, key, plan, own_bucket)
        max_row_bytes = settings.memory_budget.max_row_bytes
        outcome = _run(open_source(url), plan, target, max_row_bytes, take_keys)
        link = target.link()
    emit(
        {
            "output": output,
            "format": plan.format.name,
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
        on_stderr=target.is_stdout,
    )


def _undeclared(url: str, table: str | None, query: str | None) -> Dataset:
    """A dataset for this one export: all rows of a table, or a query of the operator's own."""
    title = table or "Query"
    return Dataset(
        title,
        lambda _params, _user: table_query(url, table) if table else text_query(query or "", url),
        title=title,
    )


def _keys_from(password_file: str | None, output: str) -> Callable[[], FileKeys] | None:
    """What gives the keys of a file with a password."""
    if password_file is None:
        return None
    if output != "-" and not output.lower().endswith(".zip"):
        raise InvalidRequest("A file with a password is a zip: let the output end in .zip.")
    return partial(FileKeys.of, read_password(password_file))


def _refuse_without_password(plan: ExportPlan) -> None:
    if plan.dataset.password and not plan.asked.password:
        raise InvalidRequest(
            f"Files of the dataset {plan.dataset.name!r} have a password: give one with"
            " --password-file."
        )


def _run(
    source: Source,
    plan: ExportPlan,
    target: _Target,
    max_row_bytes: int,
    take_keys: Callable[[], FileKeys] | None,
) -> ExportResult:
    progress = ExportProgress()
    done = threading.Event()
    with progress_bar(plan.layout.title) as bar:

        def show() -> None:
            bar.show(progress.rows_done, progress.rows_total, progress.bytes_rendered)

        def watch() -> None:
            while not done.wait(_FRAME_SECONDS):
                show()

        painter = threading.Thread(target=watch, name="progress", daemon=True)
        painter.start()
        try:
            return run_plan(
                source,
                plan,
                target.open,
                max_row_bytes=max_row_bytes,
                progress=progress,
                can_begin_again=target.can_begin_again,
                take_keys=take_keys,
            )
        finally:
            done.set()
            painter.join()
            show()


@dataclass(frozen=True, slots=True)
class _Target:
    """Where the file goes, and the link to it afterwards, when there is one."""

    open: OpenSink
    link: Callable[[], SignedLink | None]
    is_stdout: bool = False
    can_begin_again: bool = True


def _file(output: str, plan: ExportPlan) -> _Target:
    is_stdout = _is_stdout(output)
    text = plan.media_type.startswith("text/")
    if is_stdout and not text and sys.stdout is not None and sys.stdout.isatty():
        raise InvalidRequest(
            f"{plan.format.name} is no text for a terminal: write to a file, or to a pipe."
        )
    return _Target(
        lambda _stream: local_upload(output), lambda: None, is_stdout, leaves_nothing(output)
    )


def _is_stdout(output: str) -> bool:
    """Whether `output` names standard output: ``-``, or the same open file."""
    if output == "-":
        return True
    try:
        return os.path.samestat(Path(output).stat(), os.fstat(1))
    except OSError:
        return False


def _object(stack: Stack, key: str, plan: ExportPlan, own_bucket: bool) -> _Target:
    # A bucket of another owner is written to, and otherwise left as it is.
    if own_bucket:
        stack.store.ensure_bucket()
    return _Target(
        lambda _stream: stack.store.open_upload(key, content_type=plan.media_type),
        lambda: stack.store.presign(
            key,
            filename=plan.filename,
            content_type=plan.media_type,
            ttl=stack.settings.link_ttl,
        ),
    )


def _bucket_and_key(output: str) -> tuple[str | None, str]:
    """The target in S3; no bucket for a file."""
    if not output.startswith("s3://"):
        return None, output
    bucket, _, key = output.removeprefix("s3://").partition("/")
    if not bucket or not key or key.endswith("/"):
        raise InvalidRequest("The target has to look like s3://bucket/key.")
    return bucket, key


def _format_of(output: str) -> str:
    """The format with the extension of `output`; the longest extension wins (``.csv.gz``)."""
    fitting = [item for item in FORMATS.values() if output.lower().endswith("." + item.extension)]
    if not fitting:
        raise InvalidRequest(f"Say which format with --format: one of {', '.join(FORMATS)}.")
    return max(fitting, key=lambda item: len(item.extension)).name


def _pair(text: str) -> tuple[str, str]:
    key, separator, value = text.partition("=")
    if not separator or not key:
        raise InvalidRequest("A --param has to look like key=value.")
    return key, value
