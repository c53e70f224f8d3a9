"""The demo's export: submitted, watched and downloaded with the shipped client, then counted.

The rows are counted by a reader of XLSX that is not ours. It comes with the extra ``demo``, which
is why `waybill.api.cli.demo` imports this module only when it runs.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path

import openpyxl

from waybill.api.cli.console import note
from waybill.api.cli.progress import progress_bar
from waybill.api.session.development_tokens import mint
from waybill.api.session.login_links import login_link
from waybill.client import ClientError, ExportTask, Waybill
from waybill.exporter.errors import IncompleteExport, WaybillError
from waybill.infra.config.settings import Settings

#: A user who may export every dataset of the sample.
_USER, _TENANT, _ROLES = "demo", "acme", frozenset({"sales", "support"})
#: More often than `Waybill.wait` polls: a person watches the bar.
_POLL_SECONDS = 0.2


class DemoFailed(WaybillError):
    """The demo's export did not succeed."""

    code = "demo_failed"


@dataclass(frozen=True, slots=True)
class DemoExport:
    """One export of the sample's orders from the API at `address`."""

    address: str
    settings: Settings

    def run(self, *, check: bool) -> None:
        """Export, and print the link. With `check`, also download the file and count its rows.

        Raises:
            DemoFailed: the API refused, or the export ended without a file.
            IncompleteExport: the reader finds another number of rows.
        """
        # And who sees the operations page, of all tenants.
        roles = _ROLES | {self.settings.admin_role, self.settings.operator_role}
        token = mint(self.settings, _USER, _TENANT, roles)
        try:
            with Waybill(self.address, token) as client:
                task = self._watch(client, client.submit("orders", format="xlsx"))
                url = client.download_link(task.id).url
                link = login_link(self.settings, self.address, _USER, _TENANT, roles)
                sys.stdout.write(
                    f"\n  Task centre   {self.address}/\n"
                    f"  Log in, once  {link}\n"
                    f"  Token         {token}\n"
                    f"  Signed link   {url}\n\n"
                )
                sys.stdout.flush()
                if check:
                    self._check(client, task)
                else:
                    note("Serving until Ctrl-C.")
        except ClientError as error:
            raise DemoFailed(str(error)) from error

    def _watch(self, client: Waybill, task: ExportTask) -> ExportTask:
        with progress_bar("Exporting orders") as bar:
            while not task.ended:
                time.sleep(_POLL_SECONDS)
                task = client.get(task.id)
                progress = task.progress
                bar.show(progress.rows_done, progress.rows_total, progress.bytes_uploaded)
        if task.status != "SUCCESS":
            code = task.last_error.code if task.last_error else task.status
            reason = task.last_error.message if task.last_error else "no reason given"
            raise DemoFailed(f"The export ended as {code}: {reason}")
        return task

    def _check(self, client: Waybill, task: ExportTask) -> None:
        path = self.settings.home / "demo.xlsx"
        try:
            client.download(task.id, path)
            rows = _count_rows(path, task.rows)
        finally:
            path.unlink(missing_ok=True)
        if rows != task.rows:
            raise IncompleteExport(f"openpyxl reads {rows:,} rows of {task.rows:,}.")
        note(f"Downloaded {task.size_bytes:,} bytes; openpyxl counts {rows:,} rows.")


def _count_rows(path: Path, expected: int | None) -> int:
    """Data rows of all sheets but the "About" one, as openpyxl reads them."""
    workbook = openpyxl.load_workbook(path, read_only=True)
    rows = 0
    try:
        with progress_bar("Reading it back with openpyxl", expected) as bar:
            for sheet in workbook.worksheets:
                if sheet.title.startswith("About"):
                    continue
                for number, _ in enumerate(sheet.iter_rows(values_only=True)):
                    rows += number > 0
                    if number % 5_000 == 0:
                        bar.show(rows, expected)
    finally:
        workbook.close()
    return rows
