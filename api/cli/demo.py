"""`waybill demo`: the whole stack in one process, and one export through all of it."""

from __future__ import annotations

import asyncio
import socket
from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer

from waybill.api.cli.console import progress_bar
from waybill.api.cli.serve import AddressInUse, listen, run_server
from waybill.exporter.errors import WaybillError
from waybill.infra.bootstrap import Stack, open_stack
from waybill.infra.config.settings import Settings, load
from waybill.infra.db.engine import create_engine
from waybill.infra.sample.fill import ORDERS, fill_sample, sample_size

if TYPE_CHECKING:
    from waybill.api.cli.demo_visitor import Visitor


class DemoNotInstalled(WaybillError):
    """The demo needs more packages: pip install 'waybill[demo,embedded]'."""

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
        from waybill.api.cli.demo_visitor import Visitor
    except ImportError:
        raise DemoNotInstalled from None
    settings = load()
    with open_stack(settings) as stack, closing(_listen_near(port)) as listener:
        _fill(settings, orders)
        asyncio.run(_serve_and_tour(stack, listener, Visitor, once=once))


async def _serve_and_tour(
    stack: Stack, listener: socket.socket, visitor_type: type[Visitor], *, once: bool
) -> None:
    tours: list[asyncio.Task[None]] = []

    def begin(stop: asyncio.Event) -> None:
        tours.append(asyncio.create_task(tour(stop), name="tour"))

    async def tour(stop: asyncio.Event) -> None:
        host, port = listener.getsockname()[:2]
        visitor = visitor_type(f"http://{host}:{port}", stack.settings)
        try:
            await asyncio.to_thread(visitor.walk, check=once)
        except BaseException:
            stop.set()
            raise
        if once:
            stop.set()

    await run_server(stack, listener, embedded_worker=True, ready=begin)
    await asyncio.gather(*tours)


def _fill(settings: Settings, orders: int) -> None:
    engine = create_engine(settings.rows_database_url)
    try:
        if sample_size(engine) != orders:
            with progress_bar("Filling the sample shop", orders) as (bar, row):
                fill_sample(engine, orders, lambda rows: bar.advance(row, rows))
    finally:
        engine.dispose()


def _listen_near(port: int) -> socket.socket:
    try:
        return listen("127.0.0.1", port)
    except AddressInUse:
        return listen("127.0.0.1", 0)
