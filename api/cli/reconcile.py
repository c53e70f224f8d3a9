"""`waybill reconcile`: the bucket against the database, in both directions."""

from __future__ import annotations

import getpass
from dataclasses import asdict
from datetime import timedelta
from typing import Annotated

import typer

from waybill.api.cli.console import JsonFlag, emit
from waybill.infra.bootstrap import Stack
from waybill.infra.config.settings import load
from waybill.infra.files.reconcile import Differences
from waybill.infra.tasks.audit import Actor

#: Of each kind of difference, as many keys are printed as text; `--json` has a thousand.
_SHOWN = 20


def reconcile(
    fix: Annotated[
        bool,
        typer.Option(
            "--fix", help="Delete orphans, abort uploads; expire tasks whose file is gone."
        ),
    ] = False,
    older_than: Annotated[
        float, typer.Option(min=0.0, help="Hours: younger orphans and uploads stay.")
    ] = 24.0,
    read: Annotated[
        bool, typer.Option("--read", help="Read every file to its end, and check its SHA-256.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Compare the bucket with the database; exit 1 if they differ and nothing was fixed."""
    with Stack(load()) as stack:
        stack.check_database(tables=True)
        found = stack.reconciler.run(
            fix=fix,
            older_than=timedelta(hours=older_than),
            read=read,
            actor=Actor.command_line(getpass.getuser()),
        )
        prefix = stack.owner.prefix
    lines = _lines(found, prefix, fix=fix, read=read)
    emit({"prefix": prefix, **asdict(found)}, "\n".join(lines), as_json=as_json)
    if (found.found and not fix) or found.refused or found.unreadable:
        raise typer.Exit(1)


def _lines(found: Differences, prefix: str, *, fix: bool, read: bool) -> list[str]:
    lines = [
        f"{found.objects:,} objects under {prefix}, {found.files:,} files of finished tasks.",
        f"{found.orphans:,} objects on no record, {found.orphan_bytes:,} bytes"
        f" ({found.orphans_young:,} too young to be deleted).",
        *_named(found.orphan_keys, found.orphans),
        "The store does not list open uploads to us."
        if found.uploads is None
        else f"{found.uploads:,} uploads on no record that never ended.",
        f"{found.missing:,} files are gone or have another size.",
        *_named(found.missing_keys, found.missing),
    ]
    if read:
        lines += [
            f"{found.bytes_read:,} bytes read: {found.damaged:,} files have other bytes.",
            *_named(found.damaged_keys, found.damaged),
            f"{found.unreadable:,} files are listed and not returned; --fix leaves these alone.",
            *_named(found.unreadable_keys, found.unreadable),
        ]
    if fix:
        lines.append(
            f"Deleted {found.deleted:,} objects, aborted {found.uploads_aborted:,} uploads, and"
            f" expired {found.tasks_expired:,} tasks, which can be retried."
        )
    elif found.found:
        lines.append(
            "Nothing was changed. --fix deletes orphans, aborts uploads and expires tasks."
        )
    if found.refused:
        lines.append(f"The store does not let us delete {found.refused:,} objects.")
    return lines


def _named(keys: list[str], count: int) -> list[str]:
    shown = [f"  {key}" for key in keys[:_SHOWN]]
    return shown if count <= _SHOWN else [*shown, f"  … and {count - _SHOWN:,} more"]
