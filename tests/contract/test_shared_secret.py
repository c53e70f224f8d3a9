"""The secret that processes share through the task database, and the cursors signed with it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from sqlalchemy.engine import Engine

from waybill.api.http.cursors import Cursors, ListFilter
from waybill.exporter.datasets.principal import Principal
from waybill.infra.bootstrap import Stack
from waybill.infra.config.settings import load
from waybill.infra.db.shared_secret import shared_secret
from waybill.storage.memory import MemoryStore

ANA = Principal("ana", "acme", frozenset())


def test_processes_that_ask_at_the_same_time_agree_on_one_secret(engine: Engine) -> None:
    with ThreadPoolExecutor(8) as threads:
        drawn = set(threads.map(lambda _: shared_secret(engine, "cursors"), range(8)))

    assert len(drawn) == 1
    assert {len(secret) for secret in drawn} == {32}
    assert shared_secret(engine, "another") not in drawn


def test_a_cursor_of_one_process_is_good_at_another_with_a_home_of_its_own(
    engine: Engine, tmp_path: Path
) -> None:
    def cursors(home: str) -> Cursors:
        settings = load(home=tmp_path / home, jwks_url="https://id.example/keys")
        stack = Stack(settings, engine=engine, store=MemoryStore())
        services = stack.services()
        return Cursors(lambda: services.cursor_key)

    position = (datetime(2026, 1, 2, tzinfo=UTC), uuid4())
    cursor = cursors("one").write(ANA, ListFilter(), *position)

    assert cursors("two").read(ANA, ListFilter(), cursor) == position
    # Nothing was written there: an API with an identity provider needs no home.
    assert list(tmp_path.glob("*/*")) == []
