"""The audit log leaves through the same pipeline as everything else, complete and the same."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from tests.support.task_store import ANN, BOB, new_task
from waybill.exporter.datasets.layout import Layout
from waybill.exporter.datasets.principal import Principal
from waybill.exporter.errors import PermissionDenied
from waybill.exporter.formats.csv.profiles import MACHINE
from waybill.exporter.formats.registry import format_named
from waybill.exporter.run import ExportResult, run_export
from waybill.infra.config.admin_roles import AdminRoles
from waybill.infra.exports.dataset_loader import load_datasets
from waybill.infra.sources import open_sources
from waybill.infra.sources.names import TASKS
from waybill.infra.tasks.audit_dataset import audit_dataset
from waybill.infra.tasks.lifecycle.requests import TaskRequests
from waybill.infra.tasks.queries.admin import AdminQueries
from waybill.infra.tasks.queries.scope import ALL_TENANTS

AUDIT = audit_dataset(AdminRoles())
ADMIN = Principal("root", "acme", frozenset({"admin"}))
OPERATOR = Principal("root", "acme", frozenset({"waybill-operator"}))


class Memory:
    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: bytes) -> None:
        self.data += data

    def expect(self, size_bytes: int, crc32: int) -> None:
        assert size_bytes == len(self.data)


@pytest.fixture
def log(engine: Engine) -> Engine:
    """A log of two people's doings."""
    requests = TaskRequests(engine)
    for user, city in ((ANN, "Berlin"), (BOB, "Rome"), (ANN, "Oslo")):
        task = requests.submit(user, new_task(params={"city": city})).task
        requests.cancel(user, task.id)
    return engine


def export(
    engine: Engine, tmp_path: Path, user: Principal = OPERATOR, **params: object
) -> tuple[bytes, ExportResult]:
    """The dataset as a worker runs it, where the rows' own database is another one."""
    tasks_url = engine.url.render_as_string(hide_password=False)
    sources = open_sources(f"sqlite:///{tmp_path}/rows.db", tasks_url)
    file = Memory()

    @contextmanager
    def sink(_: object) -> Iterator[Memory]:
        yield file

    AUDIT.authorise(user)
    outcome = run_export(
        sources[AUDIT.reads],
        AUDIT.query(AUDIT.parse(params), user),
        format_named("csv", csv_profile=MACHINE).encode,
        Layout(title=AUDIT.title),
        sink,
    )
    return bytes(file.data), outcome


def rows_of(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode())))


def test_the_file_holds_every_entry_in_order_as_the_api_shows_it(log: Engine, tmp_path: Path):
    entries = list(reversed(AdminQueries(log).audit(ALL_TENANTS, limit=1000)))

    data, outcome = export(log, tmp_path)

    rows = rows_of(data)
    assert outcome.rows_source == outcome.rows_written == len(entries) == 6
    shown = ("id", "tenant_id", "actor", "action", "task_id")
    assert [tuple(row[name] for name in shown) for row in rows] == [
        tuple(str(getattr(entry, name)) for name in shown) for entry in entries
    ]
    assert [datetime.fromisoformat(row["at"]) for row in rows] == [item.at for item in entries]


def test_a_range_of_the_past_gives_the_same_bytes_again(log: Engine, tmp_path: Path):
    newest = AdminQueries(log).audit(ALL_TENANTS, limit=1)[0].at
    until = (newest + timedelta(microseconds=1)).isoformat()
    first, _ = export(log, tmp_path, until=until)

    TaskRequests(log).submit(ANN, new_task(params={"city": "Later"}))
    second, _ = export(log, tmp_path, until=until)

    assert len(rows_of(first)) == 6
    assert hashlib.sha256(first).digest() == hashlib.sha256(second).digest()


def test_it_is_narrowed_like_the_page_of_the_log(log: Engine, tmp_path: Path):
    admin_queries = AdminQueries(log)
    [bobs_submit] = admin_queries.audit(ALL_TENANTS, actor="bob", action="submit")

    for params, expected in (
        ({"actor": "bob"}, 2),
        ({"action": "cancel", "tenant": "acme"}, 3),
        ({"tenant": "umbrella"}, 0),
        ({"task_id": str(bobs_submit.task_id)}, 2),
        ({"since": bobs_submit.at.isoformat()}, 4),
        ({"until": bobs_submit.at.isoformat()}, 2),
    ):
        data, _ = export(log, tmp_path, **params)
        assert len(rows_of(data)) == expected, params


def test_r35_an_admin_gets_the_entries_of_their_own_tenant_whatever_they_ask_for(
    log: Engine, tmp_path: Path
):
    stranger = Principal("mia", "umbrella", frozenset({"admin"}))
    task = TaskRequests(log).submit(stranger, new_task()).task

    def tenants(user: Principal, **params: object) -> list[str]:
        data, _ = export(log, tmp_path, user, **params)
        return [row["tenant_id"] for row in rows_of(data)]

    assert tenants(ADMIN) == ["acme"] * 6
    assert tenants(stranger) == ["umbrella"]
    assert tenants(ADMIN, tenant="umbrella") == tenants(ADMIN, task_id=str(task.id)) == []
    assert tenants(OPERATOR) == ["acme"] * 6 + ["umbrella"]


def test_r35_who_has_neither_role_may_not_export_it():
    with pytest.raises(PermissionDenied):
        AUDIT.authorise(ANN)
    with pytest.raises(PermissionDenied):
        AUDIT.query(AUDIT.parse({}), ANN)


@pytest.mark.parametrize(
    ("reader", "allowed"), [(OPERATOR, True), (ADMIN, False), (ANN, False)], ids=str
)
def test_r35_what_an_operator_exported_is_for_operators_only(reader: Principal, allowed: bool):
    refused = nullcontext() if allowed else pytest.raises(PermissionDenied)
    with refused:
        AUDIT.authorise(reader, maker=OPERATOR)
    AUDIT.authorise(OPERATOR, maker=ADMIN)


def test_every_installation_has_it_and_it_reads_the_task_database():
    loaded = load_datasets("waybill.infra.sample.datasets", AdminRoles())

    assert loaded["waybill-audit"].reads == TASKS
    assert {item.reads for item in loaded if item.name != "waybill-audit"} == {"rows"}
    assert "waybill-audit" in loaded.queues
