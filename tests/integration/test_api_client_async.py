"""Following an export by its events, in both clients, and the asynchronous client as a whole."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest

from tests.support.client_waits import api_with_files, running, without_streams
from tests.support.servers.task_api import NO_TLS, TaskApi
from tests.support.servers.tcp_proxy import Direction, TcpProxy
from waybill.api.client import async_client
from waybill.api.client import client as blocking
from waybill.client import (
    AsyncWaybill,
    ExportFailed,
    ExportTask,
    NotFound,
    StillRunning,
    Waybill,
)
from waybill.infra.tasks.model import TaskProgress
from waybill.storage.config import S3Config

CONTENT = b"id,city\r\n1,Rome\r\n" * 20_000


@pytest.fixture(scope="module")
def api(s3_config: S3Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TaskApi]:
    with api_with_files(s3_config, tmp_path_factory.mktemp("client")) as api:
        yield api


@pytest.fixture
async def waybill(api: TaskApi) -> AsyncIterator[AsyncWaybill]:
    token = api.token(api.tenant())

    async def fresh() -> str:
        return token

    async with AsyncWaybill(api.url, fresh, tls=NO_TLS) as client:
        yield client


def store_file(api: TaskApi, task: ExportTask) -> None:
    key = api.key_of(task.id)
    with api.services.store.open_upload(key, content_type="text/csv") as upload:
        upload.write(CONTENT)
    api.finish(running(task), key=key, sha256=hashlib.sha256(CONTENT).hexdigest())


async def test_from_submit_to_the_file(api: TaskApi, waybill: AsyncWaybill, tmp_path: Path) -> None:
    task = await waybill.submit("orders", format="csv", params={"city": "Rome"})
    assert (await waybill.submit("orders", format="csv", params={"city": "Rome"})).deduplicated
    seen: list[str] = []

    def show(one: ExportTask) -> None:
        seen.append(one.status)
        if len(seen) == 1:
            store_file(api, task)

    done = await waybill.wait(task.id, on_change=show)
    assert (seen[0], seen[-1], done.status) == ("PENDING", "SUCCESS", "SUCCESS")
    file = await waybill.download(task.id, tmp_path)
    assert file.read_bytes() == CONTENT
    assert [one.id async for one in waybill.list(page_size=1)] == [task.id]
    assert (await waybill.estimate("orders")).queue_position >= 0
    await waybill.delete(task.id)
    with pytest.raises(NotFound):
        await waybill.get(task.id)


async def test_what_ends_without_a_file_is_followed_and_refused(
    api: TaskApi, waybill: AsyncWaybill
) -> None:
    task = await waybill.submit("orders", params={"city": "Bern"})
    api.fail(running(task))
    assert [one.status async for one in waybill.follow(task.id)] == ["FAILED"]
    with pytest.raises(ExportFailed, match="source_unavailable"):
        await waybill.wait(task.id)
    again = await waybill.retry(task.id)
    assert (await waybill.cancel(again.id)).status == "CANCELLED"
    live = await waybill.submit("orders", params={"city": "Oslo"})
    with pytest.raises(StillRunning):
        await waybill.wait(live.id, timeout=timedelta(seconds=0.3))


def test_the_blocking_client_follows_by_events_through_a_broken_line(api: TaskApi) -> None:
    with (
        TcpProxy(httpx2.URL(api.url).port or 0) as network,
        Waybill(f"http://127.0.0.1:{network.port}", api.token(api.tenant()), tls=NO_TLS) as waybill,
    ):
        task = waybill.submit("orders", format="csv")
        states = []
        for one in waybill.follow(task.id):
            states.append((one.status, one.progress.rows_done))
            if len(states) == 1:
                network.cut_after(0, Direction.TO_CLIENT)
                api.begin(running(task), TaskProgress(3, 9, 7, None))
                network.heal()
            elif len(states) == 2:
                waybill.cancel(task.id)
                break
    assert states == [("PENDING", 0), ("PROCESSING", 3)]


@pytest.mark.parametrize(
    "answer",
    [(b"text/html", b"<html>"), (b"text/event-stream", b""), (b"text/event-stream", b":\n\n")],
    ids=["a page", "an empty stream", "a stream without events"],
)
@pytest.mark.parametrize("client", ["blocking", "asynchronous"])
async def test_where_streams_do_not_get_through_it_polls(
    api: TaskApi, client: str, answer: tuple[bytes, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def at_once(_seconds: float) -> None:
        return

    class Loop:
        sleep = staticmethod(at_once)

    monkeypatch.setattr(blocking, "sleep", lambda _seconds: None)
    monkeypatch.setattr(async_client, "asyncio", Loop)
    token = api.token(api.tenant())
    with without_streams(api, *answer) as url:
        if client == "blocking":
            with Waybill(url, token, tls=NO_TLS) as waybill:
                task = waybill.submit("orders", format="csv")
                store_file(api, task)
                states = await asyncio.to_thread(
                    lambda: [one.status for one in waybill.follow(task.id)]
                )
        else:
            async with AsyncWaybill(url, token, tls=NO_TLS) as other:
                task = await other.submit("orders", format="csv")
                store_file(api, task)
                states = [one.status async for one in other.follow(task.id)]
    assert states == ["SUCCESS"]
