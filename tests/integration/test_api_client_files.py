"""The Python client and files: whole and checked, or not there, from a real object store."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.support.client_waits import api_with_files, running
from tests.support.eventually import wait_for
from tests.support.servers.task_api import NO_TLS, TaskApi, serve
from tests.support.servers.tcp_proxy import Direction, TcpProxy
from waybill.api.app import create_app
from waybill.client import (
    DamagedDownload,
    ExportFailed,
    ExportTask,
    FileGone,
    StoreRefused,
    Unreachable,
    Waybill,
)
from waybill.infra.tasks.model import TaskProgress
from waybill.storage.config import S3Config
from waybill.storage.s3 import S3Store

CONTENT = "id,city\r\n1,Łódź\r\n".encode() * 50_000


@pytest.fixture(scope="module")
def api(s3_config: S3Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TaskApi]:
    with api_with_files(s3_config, tmp_path_factory.mktemp("client")) as api:
        yield api


@pytest.fixture
def waybill(api: TaskApi) -> Iterator[Waybill]:
    with Waybill(api.url, api.token(api.tenant()), tls=NO_TLS) as client:
        yield client


def store_file(api: TaskApi, task: ExportTask, content: bytes = CONTENT) -> str:
    """What a worker does: the bytes into the store, their checksum onto the row. Its key."""
    key = api.key_of(task.id)
    with api.services.store.open_upload(key, content_type="text/csv") as upload:
        upload.write(content)
    api.finish(running(task), key=key, sha256=hashlib.sha256(CONTENT).hexdigest())
    return key


def test_from_submit_to_the_file(api: TaskApi, waybill: Waybill, tmp_path: Path) -> None:
    task = waybill.submit(
        "orders",
        format="csv",
        params={"city": "Łódź"},
        filename="cities",
        csv={"delimiter": ";"},
        timezone="Asia/Shanghai",
    )
    assert task.timezone == "Asia/Shanghai"
    assert task.csv is not None
    assert task.csv["delimiter"] == ";"
    shown: list[ExportTask] = []
    claims: list[Any] = []

    def go_on(seen: ExportTask) -> None:
        shown.append(seen)
        if not claims:
            claims.append(api.begin(running(task), TaskProgress(3, 9, 7, None)))
        elif seen.status == "PENDING":
            store_file(api, task)
        elif seen.progress.rows_done == 3:
            api.runs.release(claims[0])

    done = waybill.wait(task.id, on_change=go_on)
    path = waybill.download(task.id, tmp_path)

    # A claim and its first progress may be one change or two; so may a claim and its end.
    states = [status for status, _ in groupby(item.status for item in shown)]
    assert states[:3] == ["PENDING", "PROCESSING", "PENDING"]
    assert states[-1] == "SUCCESS"
    assert (done.params["city"], done.completeness and done.completeness.rows_written) == (
        "Łódź", 1200
    )  # fmt: skip
    assert path == tmp_path / "cities.csv"
    assert path.read_bytes() == CONTENT
    assert [item.name for item in tmp_path.iterdir()] == ["cities.csv"]


def test_a_damaged_file_replaces_nothing(api: TaskApi, waybill: Waybill, tmp_path: Path) -> None:
    task = waybill.submit("orders", format="csv")
    store_file(api, task, CONTENT[:-1] + b"x")
    target = tmp_path / "orders.csv"
    target.write_text("of yesterday")
    with pytest.raises(DamagedDownload):
        waybill.download(task.id, target)
    assert [item.name for item in tmp_path.iterdir()] == ["orders.csv"]
    assert target.read_text() == "of yesterday"


def test_f90_a_file_that_is_gone_is_an_error_of_the_clients_own(
    api: TaskApi, waybill: Waybill, tmp_path: Path
) -> None:
    task = waybill.submit("orders", format="csv")
    key = store_file(api, task)
    link = waybill.download_link(task.id)
    api.services.store.delete(key)

    with pytest.MonkeyPatch.context() as patch:
        # It is deleted between the link and its use.
        patch.setattr(waybill, "download_link", lambda _id: link)
        with pytest.raises(StoreRefused) as refused:
            waybill.download(task.id, tmp_path)
    assert (refused.value.status, refused.value.code) == (404, "NoSuchKey")
    with pytest.raises(FileGone) as gone:
        waybill.download(task.id, tmp_path)
    assert gone.value.code == "file_missing"
    with pytest.raises(ExportFailed) as ended:
        waybill.wait(task.id)
    assert ended.value.code == "file_missing"
    assert list(tmp_path.iterdir()) == []
    assert waybill.retry(task.id).status == "PENDING"


def test_a_download_that_breaks_off_replaces_nothing_and_takes_no_token_along(
    api: TaskApi, waybill: Waybill, s3_config: S3Config, tmp_path: Path
) -> None:
    port = httpx2.URL(s3_config.endpoint_url or "").port or 0
    with TcpProxy(port) as network:
        public = replace(s3_config, public_endpoint_url=f"http://127.0.0.1:{network.port}")
        store = S3Store(public)
        services = copy(api.services)
        services.store = store
        with serve(create_app(services)) as url:
            token = api.token(api.tenant())
            with Waybill(url, token, tls=NO_TLS) as far:
                task = far.submit("orders", format="csv")
                store_file(api, task)
                network.cut_after(100_000, Direction.TO_CLIENT)
                with pytest.raises(Unreachable):
                    far.download(task.id, tmp_path / "orders.csv")
                assert list(tmp_path.iterdir()) == []
                network.heal()
                # SeaweedFS refuses a request that has both a signature and a token.
                assert far.download(task.id, tmp_path / "orders.csv").read_bytes() == CONTENT
        store.close()


def test_the_readme_s_client_works(
    api: TaskApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    [example] = re.findall(r"```python\n(from [^`]*waybill\.client.*?)```", readme, re.DOTALL)
    token = api.token(api.tenant())
    monkeypatch.chdir(tmp_path)

    def work() -> None:
        with Waybill(api.url, token, tls=NO_TLS) as near:
            store_file(api, wait_for(lambda: list(near.list()))[0])

    code = compile(example.replace("http://127.0.0.1:8000", api.url), "README.md", "exec")
    with ThreadPoolExecutor(1) as pool:
        worker = pool.submit(work)
        exec(code, {"token": token})
        worker.result()
    assert (tmp_path / "berlin.csv").read_bytes() == CONTENT
