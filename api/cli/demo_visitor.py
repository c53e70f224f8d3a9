"""Somebody who tries the demo: asks for an export, watches it, downloads it, counts its rows.

Uses what a user would: a plain HTTP client, and a reader of XLSX that is not ours. Both come
with the extra ``demo``, which is why this module is imported only when it is needed.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import openpyxl

from waybill.api.cli.console import err, out, progress_bar
from waybill.api.session.development_tokens import mint
from waybill.exporter.errors import IncompleteExport, WaybillError
from waybill.infra.config.settings import Settings

#: Somebody who may export the sample's datasets.
_USER, _TENANT, _ROLES = "demo", "acme", frozenset({"sales", "support", "admin"})
_POLL_SECONDS = 0.2


class DemoFailed(WaybillError):
    """The demo's export did not succeed."""

    code = "demo_failed"


@dataclass(frozen=True, slots=True)
class Visitor:
    """Does what a user does, with a plain HTTP client."""

    address: str
    settings: Settings

    def walk(self, *, check: bool) -> None:
        """Ask for an export, watch it, show the link; with `check`, download and count."""
        token = mint(self.settings, _USER, _TENANT, _ROLES, timedelta(hours=12))
        with httpx.Client(
            base_url=self.address, headers={"Authorization": f"Bearer {token}"}, timeout=30
        ) as client:
            task = self._watch(client, self._ask(client))
            link = client.get(
                f"/api/export-tasks/{task['id']}/download", headers={"Accept": "application/json"}
            )
        url = _body(link)["url"]
        out.print(f"\n  Task centre   {self.address}/", markup=False)
        out.print(f"  Log in with   {token}", markup=False)
        out.print(f"  Signed link   {url}\n", markup=False)
        if check:
            self._check(url, task)
        else:
            err.print("Serving until Ctrl-C.")

    def _ask(self, client: httpx.Client) -> dict[str, Any]:
        body = {"type": "orders", "format": "xlsx", "params": {}}
        return _body(client.post("/api/export-tasks", json=body))

    def _watch(self, client: httpx.Client, task: dict[str, Any]) -> dict[str, Any]:
        with progress_bar("Exporting orders") as (bar, row):
            while task["status"] in ("PENDING", "PROCESSING"):
                time.sleep(_POLL_SECONDS)
                task = _body(client.get(f"/api/export-tasks/{task['id']}"))
                progress = task["progress"]
                bar.update(
                    row,
                    completed=progress["rows_done"],
                    total=progress["rows_total"],
                    made=progress["bytes_uploaded"],
                )
        if task["status"] != "SUCCESS":
            reason = task["last_error"] or {"code": task["status"], "message": "no reason given"}
            raise DemoFailed(f"The export ended as {reason['code']}: {reason['message']}")
        return task

    def _check(self, url: str, task: dict[str, Any]) -> None:
        path = self.settings.home / "demo.xlsx"
        try:
            _download(url, path)
            rows = _count_rows(path, progress_total=task["rows"])
        finally:
            path.unlink(missing_ok=True)
        if rows != task["rows"]:
            raise IncompleteExport(f"openpyxl reads {rows:,} rows of {task['rows']:,}.")
        err.print(f"Downloaded {task['size_bytes']:,} bytes; openpyxl counts {rows:,} rows.")


def _body(response: httpx.Response) -> dict[str, Any]:
    if response.is_error:
        raise DemoFailed(f"The API answered {response.status_code}: {response.text[:200]}")
    body: dict[str, Any] = response.json()
    return body


def _download(url: str, path: Path) -> None:
    with httpx.stream("GET", url, timeout=60) as response, path.open("wb") as file:
        response.raise_for_status()
        for chunk in response.iter_bytes():
            file.write(chunk)


def _count_rows(path: Path, progress_total: int) -> int:
    """Data rows of the first sheet's kind, as somebody else's reader sees them."""
    workbook = openpyxl.load_workbook(path, read_only=True)
    rows = 0
    try:
        with progress_bar("Reading it back with openpyxl", progress_total) as (bar, row):
            for sheet in workbook.worksheets:
                if sheet.title.startswith("About"):
                    continue
                for number, _ in enumerate(sheet.iter_rows(values_only=True)):
                    rows += number > 0
                    if number % 5_000 == 0:
                        bar.update(row, completed=rows)
    finally:
        workbook.close()
    return rows
