"""The Python client against a real server, a real object store, and a network that breaks."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx2
import pytest

from tests.support.client_waits import running, while_waiting, without_streams
from tests.support.servers.ports import free_ports
from tests.support.servers.task_api import NO_TLS, TaskApi
from tests.support.servers.tcp_proxy import Direction, TcpProxy
from waybill.api.client import client as client_module
from waybill.api.client.errors import read
from waybill.client import (
    ApiError,
    Conflict,
    ExportFailed,
    ExportTask,
    NotAllowed,
    NotFound,
    StillRunning,
    Unreachable,
    Waybill,
)
from waybill.storage.config import S3Config


@pytest.fixture
def waybill(api: TaskApi) -> Iterator[Waybill]:
    with Waybill(api.url, api.token(api.tenant()), tls=NO_TLS) as client:
        yield client


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """How long the client would have waited each time."""
    seconds: list[float] = []
    monkeypatch.setattr(client_module, "sleep", seconds.append)
    return seconds


def test_a_submit_is_one_task_even_when_its_answer_is_lost(
    api: TaskApi, slept: list[float]
) -> None:
    token = api.token(api.tenant())
    with (
        TcpProxy(httpx2.URL(api.url).port or 0) as network,
        Waybill(f"http://127.0.0.1:{network.port}", token, tls=NO_TLS) as waybill,
    ):
        # The request arrives; the answer breaks off, once.
        network.cut_after(20, Direction.TO_CLIENT)
        broken = network.accepted

        def mend(_seconds: float) -> None:
            api.fail(running(next(near.list())))
            network.heal()

        with Waybill(api.url, token, tls=NO_TLS) as near, pytest.MonkeyPatch.context() as patch:
            patch.setattr(client_module, "sleep", mend)
            task = waybill.submit("orders")
            # The first one has failed in the meantime: nothing but the key knows them as one.
            assert [item.id for item in near.list()] == [task.id]
        assert network.accepted == broken + 2
    assert task.status == "FAILED"


def test_two_submits_are_two_requests_unless_they_share_a_key(
    api: TaskApi, waybill: Waybill
) -> None:
    first = waybill.submit("orders", idempotency_key="night-1")
    api.fail(running(first))
    again = waybill.submit("orders", idempotency_key="night-1")
    other = waybill.submit("orders")
    assert (again.id, again.deduplicated) == (first.id, True)
    assert other.id != first.id


def test_lists_are_read_to_their_end(api: TaskApi, waybill: Waybill) -> None:
    tasks = [waybill.submit("orders", filename=str(number)) for number in range(7)]
    waybill.cancel(tasks[2].id)
    assert [task.id for task in waybill.list(page_size=3)] == [task.id for task in tasks[::-1]]
    assert [task.id for task in waybill.list(status=["CANCELLED"])] == [tasks[2].id]
    assert list(waybill.list(type="ledger")) == []


def test_an_estimate_starts_nothing(waybill: Waybill) -> None:
    estimate = waybill.estimate("orders", format="csv", params={"city": "Berlin"})

    # Other tests' exports may wait in the same queue.
    assert estimate.queue_position >= 0
    assert (estimate.rows is None) == (estimate.bytes is None)
    assert list(waybill.list()) == []
    with pytest.raises(ApiError, match="unknown_dataset"):
        waybill.estimate("secrets")
    misspelled: Any = {"colums": ["id"]}
    with pytest.raises(TypeError, match="no argument 'colums'"):
        waybill.estimate("orders", **misspelled)


def test_whoever_wants_to_be_told_can_say_so(waybill: Waybill) -> None:
    with pytest.raises(ApiError, match="bad_notify"):
        waybill.submit("orders", notify={"webhook": "https://inside.example/hook"})
    assert waybill.submit("orders", notify={"webhook": "https://hooks.example/hook"}).ended is False


def test_cancel_retry_and_delete(waybill: Waybill) -> None:
    task = waybill.cancel(waybill.submit("orders").id)
    new = waybill.retry(task.id)
    waybill.delete(task.id)
    with pytest.raises(NotFound) as caught:
        waybill.get(task.id)
    assert (task.status, new.status, caught.value.code) == (
        "CANCELLED",
        "PENDING",
        "task_not_found",
    )


def test_a_wait_that_is_over_says_that_the_export_goes_on(
    api: TaskApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        now[0] += seconds

    monkeypatch.setattr(client_module, "sleep", sleep)
    monkeypatch.setattr(client_module, "monotonic", lambda: now[0])
    with (
        without_streams(api) as url,
        Waybill(url, api.token(api.tenant()), tls=NO_TLS) as waybill,
    ):
        task = waybill.submit("orders")
        with pytest.raises(StillRunning, match="continues on the server") as caught:
            waybill.wait(task.id, timeout=timedelta(seconds=19))
        assert waybill.get(task.id).status == "PENDING"
    assert caught.value.task.id == task.id
    # Three streams are tried. Polls are as the server asked, and cut to what is left.
    assert pauses == [2, 4, 8, 2, 2, 1]


def test_an_export_that_fails_raises_its_code(api: TaskApi, waybill: Waybill) -> None:
    failed = waybill.submit("orders")
    api.fail(running(failed))
    cancelled = waybill.cancel(waybill.submit("orders").id)
    codes = []
    for task in (failed, cancelled):
        with pytest.raises(ExportFailed) as caught:
            waybill.wait(task.id)
        codes.append(caught.value.code)
    assert codes == ["source_unavailable", "cancelled"]


def test_a_wait_outlives_a_server_that_is_away(
    api: TaskApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        TcpProxy(httpx2.URL(api.url).port or 0) as network,
        Waybill(f"http://127.0.0.1:{network.port}", lambda: token, tls=NO_TLS) as waybill,
    ):
        token = api.token(api.tenant())
        task = waybill.submit("orders")
        network.refuse()
        pauses = while_waiting(
            monkeypatch,
            lambda: None,
            lambda: None,
            lambda: (network.heal(), api.finish(running(task))),
        )
        assert waybill.wait(task.id).status == "SUCCESS"
    assert pauses == [2, 4, 8]


def test_refusals_are_typed_and_carry_code_and_fields(api: TaskApi, waybill: Waybill) -> None:
    with pytest.raises(ApiError) as invalid:
        waybill.submit("orders", params={"at_least": -1})
    with pytest.raises(NotAllowed) as forbidden:
        waybill.submit("ledger", params={"year": 2020})
    with pytest.raises(Conflict) as early:
        waybill.download_link(waybill.submit("orders").id)
    with Waybill(api.url, "no token", tls=NO_TLS) as nobody, pytest.raises(NotAllowed) as unknown:
        next(nobody.list())
    codes = [caught.value.code for caught in (invalid, forbidden, early, unknown)]
    assert codes == ["invalid_request", "permission_denied", "file_not_ready", "unauthenticated"]
    assert invalid.value.errors[0]["pointer"] == "#/params/at_least"
    assert invalid.value.request_id


def test_a_server_that_is_not_there_is_unreachable(api: TaskApi, slept: list[float]) -> None:
    [port] = free_ports(1)
    with (
        Waybill(f"http://127.0.0.1:{port}", "token", tls=NO_TLS) as waybill,
        pytest.raises(Unreachable),
    ):
        waybill.get(UUID(int=1))
    assert slept == [2, 4]


def test_another_server_s_answer_is_no_answer(s3_config: S3Config, slept: list[float]) -> None:
    with (
        Waybill(s3_config.endpoint_url or "", "token", tls=NO_TLS) as waybill,
        pytest.raises(ApiError) as caught,
    ):
        waybill.get(UUID(int=1))
    assert caught.value.code.startswith("http_")


@pytest.mark.parametrize("hostile", ["../../admin/tasks", "x", "", "1/download"])
def test_nothing_but_an_id_becomes_a_part_of_an_address(waybill: Waybill, hostile: str) -> None:
    with pytest.raises(ValueError, match="UUID"):
        waybill.get(hostile)


def test_the_client_brings_nothing_of_the_server_along() -> None:
    code = "import sys, waybill.client; print(*sorted(sys.modules))"
    modules = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    ours = {name for name in modules if name.split(".")[0] == "waybill"}
    client = {
        "waybill.api",
        *(
            f"waybill.api.client{name}"
            for name in ("", ".async_client", ".client", ".calls", ".answers", ".errors")
        ),
    }
    assert ours == {"waybill", "waybill.client", "waybill.timing", *client}
    assert not {"fastapi", "starlette", "sqlalchemy", "polars", "boto3"} & set(modules)


def test_an_answer_of_somebody_else_is_an_error_of_ours() -> None:
    with pytest.raises(ApiError) as caught:
        read(ExportTask, httpx2.Response(200, text="<html>Log in to the guest network</html>"))
    assert caught.value.code == "unreadable_answer"
