"""F112: the store lists a file with its size, and does not return its bytes or returns others."""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

import pytest
from typer.testing import CliRunner

from tests.support.gated_installation import gated_installation
from tests.support.servers.s3_gate import GateRequest, Refusal, S3Gate, refuse
from tests.support.task_store import ANN, Worker, finished, new_task
from waybill.api.cli.main import app
from waybill.infra.bootstrap import Stack
from waybill.infra.files.object_keys import object_key
from waybill.infra.tasks.lifecycle.requests import TaskRequests
from waybill.infra.tasks.model import Task
from waybill.infra.tasks.tree_digest import tree_digest
from waybill.storage.s3 import S3Store

#: As many bytes as `finished` says.
DATA = b"0123456789" * 10
DIGEST = sha256(DATA).hexdigest()


class Shop:
    """An installation on a real store, behind a gate that may refuse."""

    def __init__(self, stack: Stack, store: S3Store) -> None:
        self.store = store
        self.requests, self._runs = TaskRequests(stack.engine), Worker(stack.engine)
        self._owner = stack.owner.installation

    def export(self, digest: str = DIGEST, data: bytes = DATA) -> tuple[Task, str]:
        """A finished task that announces `digest`, and the key of its file."""
        task = self.requests.submit(ANN, new_task(params={"tag": uuid4().hex})).task
        claim = self._runs.claim(task.id, "w")
        assert claim is not None
        key = object_key(self._owner, "acme", task.id, claim.fence, "csv")
        self._runs.reserve_object(claim, key)
        with self.store.open_upload(key, content_type="text/csv") as upload:
            upload.write(data)
        assert self._runs.finish(claim, finished(key, sha256=digest))
        return task, key

    def status(self, task: Task) -> str:
        return self.requests.get(ANN, task.id).status


@pytest.fixture
def shop(gate: S3Gate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    with gated_installation(gate, tmp_path, monkeypatch) as (stack, store):
        yield Shop(stack, store)


def reconcile(*arguments: str) -> tuple[int, dict[str, object]]:
    done = CliRunner().invoke(app, ["reconcile", "--json", *arguments])
    return done.exit_code, json.loads(done.output)


def test_f112_a_file_that_is_listed_and_not_returned_is_found_by_reading_and_never_expired(
    shop: Shop, gate: S3Gate
) -> None:
    (kept, _), (lost, lost_key) = shop.export(), shop.export()
    gate.rules.append(
        refuse(
            Refusal(500, "InternalError"),
            lambda request: request.method == "GET" and lost_key in request.path,
        )
    )
    assert reconcile()[0] == 0
    code, found = reconcile("--read", "--fix")
    assert (code, found["unreadable"], found["unreadable_keys"]) == (1, 1, [lost_key])
    assert (found["missing"], found["damaged"], found["tasks_expired"]) == (0, 0, 0)
    assert (shop.status(kept), shop.status(lost)) == ("SUCCESS", "SUCCESS")


def test_f112_what_is_returned_when_asked_again_is_no_difference(shop: Shop, gate: S3Gate) -> None:
    _, late_key = shop.export()
    # The first request for the file, as often as it is repeated by itself.
    refusals = iter([Refusal(500, "InternalError")] * gate.behind.attempts)

    def at_first(request: GateRequest) -> Refusal | None:
        is_read = request.method == "GET" and late_key in request.path
        return next(refusals, None) if is_read else None

    gate.rules.append(at_first)
    code, found = reconcile("--read")
    assert len(gate.refused) == gate.behind.attempts
    assert (code, found["unreadable"], found["bytes_read"]) == (0, 0, len(DATA))


def test_f112_a_file_with_other_bytes_is_expired_like_one_that_is_gone(shop: Shop) -> None:
    (kept, _), (wrong, wrong_key) = shop.export(), shop.export(data=DATA[::-1])
    code, found = reconcile("--read")
    assert (code, found["damaged_keys"], found["bytes_read"]) == (1, [wrong_key], 2 * len(DATA))
    assert shop.status(wrong) == "SUCCESS"
    code, found = reconcile("--read", "--fix")
    assert (code, found["damaged"], found["tasks_expired"]) == (0, 1, 1)
    assert (shop.status(kept), shop.status(wrong)) == ("SUCCESS", "EXPIRED")
    assert reconcile("--read")[0] == 0


def test_f112_of_a_file_in_shards_the_length_is_looked_at(shop: Shop) -> None:
    shop.export(digest=tree_digest([DIGEST]))
    assert reconcile("--read")[0] == 0
