"""`waybill serve` and `waybill worker`: the two long-running processes."""

from __future__ import annotations

import asyncio
import gc
import logging
import multiprocessing
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer

from waybill.api.app import create_app
from waybill.api.background import join, relay_until, watched
from waybill.api.cli.api_processes import keep_running, stop_with_parent
from waybill.api.cli.http_server import Bounds, QuietServer, server_config
from waybill.api.cli.listener import listen
from waybill.api.cli.open_files import raise_open_files_limit
from waybill.api.cli.worker_address import answering
from waybill.api.events.stream_count import StreamCount
from waybill.api.saved_exports.requests import prepare_of
from waybill.exporter.errors import InvalidRequest
from waybill.infra.bootstrap import Stack
from waybill.infra.config.logs import configure_logging
from waybill.infra.config.settings import Settings, load
from waybill.infra.config.weak_secrets import refuse_weak_secrets
from waybill.infra.metrics.recording import share_recordings
from waybill.infra.tracing.exporting import traced_process

log = logging.getLogger(__name__)

#: More than the cores of most machines; each opens up to 22 connections to the task database.
_MOST_PROCESSES = 64


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 picks a free one.")] = 8000,
    workers: Annotated[
        int, typer.Option(min=1, max=_MOST_PROCESSES, help="API processes that share the port.")
    ] = 1,
) -> None:
    """Run the API and the task centre; with the worker inside when there is no broker."""
    configure_logging(logging.INFO)
    settings = load()
    refuse_weak_secrets(settings, host)
    with Stack(settings) as stack:
        stack.prepare()
        embedded_worker = settings.amqp_url is None
        with listen(host, port) as listener:
            if workers == 1:
                with traced_process("waybill-api"):
                    asyncio.run(run_server(stack, listener, embedded_worker=embedded_worker))
            else:
                with (
                    TemporaryDirectory(prefix="waybill-metrics-") as folder,
                    traced_process("waybill-worker"),
                ):
                    share_recordings(Path(folder))
                    asyncio.run(_run_processes(stack, listener, workers, embedded_worker))


def worker(
    queue: Annotated[list[str] | None, typer.Option(help="A queue; all when not given.")] = None,
    concurrency: Annotated[
        int | None, typer.Option(min=1, max=64, help="Exports of one queue at once.")
    ] = None,
) -> None:
    """Run consumers, relay and sweeper."""
    configure_logging(logging.INFO)
    overrides = {"concurrency": concurrency} if concurrency else {}
    settings = load(**overrides)
    refuse_weak_secrets(settings, None)
    with Stack(settings) as stack:
        stack.prepare()
        queues = tuple(queue or ())
        if unknown := sorted(set(queues) - set(stack.registry.queues)):
            raise InvalidRequest(f"No dataset uses the queue {', '.join(unknown)}.")
        with traced_process("waybill-worker"):
            asyncio.run(_run_worker(stack, queues))


async def run_server(
    stack: Stack,
    listener: socket.socket,
    *,
    embedded_worker: bool,
    relays: bool = True,
    stream_count: StreamCount | None = None,
    ready: Callable[[asyncio.Event], Any] = lambda stop: None,
) -> None:
    """Serve the API until a signal, or until the event that `ready` gets is set.

    With ``relays=False`` another process publishes what this one commits, and has the broker.

    `ready` is called as soon as requests may be sent: the socket listens already, and holds the
    first of them until it is answered.
    """
    stop = stop_on_signals()
    stop_with_parent(stop)
    broker = stack.broker()
    relay = stack.relay(broker)
    bounds = Bounds.within(raise_open_files_limit())
    services = stack.services(relay.wake, stop, broker=broker if relays else None)
    app = create_app(services, most_streams=bounds.streams, stream_count=stream_count)
    server = QuietServer(server_config(app, bounds))
    # What is there by now stays. Each full run of the collector would go through all of it, and no
    # request is answered meanwhile (0.4 s, measured).
    gc.collect()
    gc.freeze()
    jobs = [asyncio.create_task(server.serve(sockets=[listener]), name="http")]
    if embedded_worker:
        service = stack.worker(broker, relay, prepare=prepare_of(services))
        jobs.append(asyncio.create_task(service.run(stop), name="worker"))
    elif relays:
        jobs.append(asyncio.create_task(relay_until(stop, relay.run()), name="relay"))
    async with watched(broker):
        try:
            ready(stop)
            await _until_stopped(stop, jobs)
        finally:
            stop.set()
            server.should_exit = True
            await join(jobs)


async def _run_processes(
    stack: Stack, listener: socket.socket, count: int, embedded_worker: bool
) -> None:
    """Serve the API in `count` processes; without a broker, this one runs the worker."""
    stop = stop_on_signals()
    arguments = [
        (stack.settings, listener, not embedded_worker, stream_count)
        for stream_count in StreamCount.of_processes(count)
    ]
    jobs = [asyncio.create_task(keep_running(_serve_as_child, arguments, stop), name="api")]
    broker = stack.broker()
    if embedded_worker:
        prepare = prepare_of(stack.services())
        service = stack.worker(broker, stack.relay(broker), prepare=prepare)
        jobs.append(asyncio.create_task(service.run(stop), name="worker"))
    try:
        await _until_stopped(stop, jobs)
    finally:
        stop.set()
        await join(jobs)
        await broker.close()


def _serve_as_child(
    settings: Settings, listener: socket.socket, relays: bool, stream_count: StreamCount
) -> None:
    """One of several API processes. What has to be prepared, its parent has prepared."""
    configure_logging(logging.INFO)
    with traced_process("waybill-api"), Stack(settings) as stack, listener:
        asyncio.run(
            run_server(
                stack, listener, embedded_worker=False, relays=relays, stream_count=stream_count
            )
        )


async def _until_stopped(stop: asyncio.Event, jobs: list[asyncio.Task[Any]]) -> None:
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait([stopping, *jobs], return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()


async def _run_worker(stack: Stack, queues: tuple[str, ...]) -> None:
    raise_open_files_limit()
    stop = stop_on_signals()
    broker = stack.broker()
    try:
        prepare = prepare_of(stack.services())
        service = stack.worker(broker, stack.relay(broker), queues=queues, prepare=prepare)
        async with answering(stack.settings):
            await service.run(stop)
    finally:
        await broker.close()


def stop_on_signals() -> asyncio.Event:
    """An event that SIGTERM or Ctrl-C sets. A second signal ends the process at once.

    Not one of several API processes, which gets two for one: a terminal and systemd signal all
    processes, and its parent does, too. It ends with its parent.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def asked(number: signal.Signals) -> None:
        if stop.is_set() and multiprocessing.parent_process() is None:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        with suppress(NotImplementedError, RuntimeError):
            loop.add_signal_handler(number, asked, number)
    return stop
