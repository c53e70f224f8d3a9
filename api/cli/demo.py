"""`waybill demo`: the whole stack in one process, and one export through all of it."""

from __future__ import annotations

import asyncio
import socket
from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer

from waybill.api.cli.listener import AddressInUse, listen
from waybill.api.cli.progress import progress_bar
from waybill.api.cli.serve import run_server
from waybill.exporter.errors import WaybillError
from waybill.infra.bootstrap import Stack
from waybill.infra.config.settings import load
from waybill.infra.sample.fill import ORDERS, fill_sample, sample_size

if TYPE_CHECKING:
    from waybill.api.cli.demo_export import DemoExport


class DemoNotInstalled(WaybillError):
    """The demo needs more packages: pip install 'waybill-exports[demo,embedded]'."""

    code = "demo_not_installed"
    retry = False


def demo(
    once: Annotated[
        bool, typer.Option("--once", help="Check the downloaded file, then end.")
    ] = False,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to prefer.")] = 8000,
    orders: Annotated[int, typer.Option(min=1, help="Orders in the sample shop.")] = ORDERS,
) -> None:
    """Start everything, export the sample shop's orders, and print the link."""
    try:
        # It needs a reader of XLSX files, which only the extra `demo` installs.
        from waybill.api.cli.demo_export import DemoExport
    except ImportError:
        raise DemoNotInstalled from None
    with Stack(load()) as stack:
        stack.prepare()
        with closing(_listen_near(port)) as listener:
            _fill(stack, orders)
            host, chosen_port = listener.getsockname()[:2]
            export = DemoExport(f"http://{host}:{chosen_port}", stack.settings)
            asyncio.run(_serve_and_export(stack, listener, export, once=once))


async def _serve_and_export(
    stack: Stack, listener: socket.socket, export: DemoExport, *, once: bool
) -> None:
    exports: list[asyncio.Task[None]] = []

    async def run_export(stop: asyncio.Event) -> None:
        try:
            await asyncio.to_thread(export.run, check=once)
        except BaseException:
            stop.set()
            raise
        if once:
            stop.set()

    def start_export(stop: asyncio.Event) -> None:
        exports.append(asyncio.create_task(run_export(stop), name="demo export"))

    await run_server(stack, listener, embedded_worker=True, ready=start_export)
    await asyncio.gather(*exports)


def _fill(stack: Stack, orders: int) -> None:
    if sample_size(stack.rows_engine) != orders:
        with progress_bar("Filling the sample shop", orders) as bar:
            fill_sample(stack.rows_engine, orders, bar.advance)


def _listen_near(port: int) -> socket.socket:
    try:
        return listen("127.0.0.1", port)
    except AddressInUse:
        return listen("127.0.0.1", 0)
