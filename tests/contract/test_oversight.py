"""Reads of operators in the audit log: once an hour each, in a number that is bounded."""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Engine

from waybill.exporter.datasets.principal import Principal
from waybill.infra.tasks.oversight import OversightReads
from waybill.infra.tasks.queries.admin import AdminQueries
from waybill.infra.tasks.queries.scope import ALL_TENANTS, Scope

OLGA = Principal("olga", "ops", frozenset({"waybill-operator"}))


def recorded(engine: Engine, scope: Scope = ALL_TENANTS) -> list[dict[str, Any]]:
    """The details, oldest first."""
    found = AdminQueries(engine).audit(scope, action="oversight_read")
    return [entry.detail or {} for entry in reversed(found)]


def test_r35_the_same_read_is_recorded_again_in_the_next_hour(engine: Engine):
    now = [1.0]
    reads = OversightReads(engine, clock=lambda: now[-1])

    for second, tenants in ((1, ["acme"]), (2, ["acme", "ops", None]), (3600, ["acme"] * 2)):
        now.append(second)
        reads.note(OLGA, "tasks", tenants, {"type": "orders", "tenant": None})

    assert recorded(engine) == [{"read": "tasks", "filter": {"type": "orders"}}] * 2
    assert recorded(engine, Scope("acme")) == recorded(engine)
    assert recorded(engine, Scope("ops")) == []


def test_r35_a_flood_of_filters_is_recorded_up_to_a_bound(engine: Engine):
    reads = OversightReads(engine, per_hour=3, clock=lambda: 1.0)

    for number in range(9):
        reads.note(OLGA, "tasks", ["acme"], {"type": str(number)})

    assert [detail["filter"]["type"] for detail in recorded(engine)] == ["0", "1", "2"]
    assert recorded(engine)[-1]["note"] == "further reads of this hour are not recorded"


def test_r35_an_export_of_the_log_names_its_tenant_or_all(engine: Engine):
    reads = OversightReads(engine)

    reads.note_export(OLGA, "waybill-audit", {"tenant": "acme", "action": None})
    reads.note_export(OLGA, "waybill-audit", {"tenant": None, "action": "cancel"})
    reads.note_export(OLGA, "waybill-audit", {"tenant": "ops"})

    assert [detail["filter"] for detail in recorded(engine)] == [
        {"tenant": "acme"},
        {"tenant": "all", "action": "cancel"},
    ]
    assert len(recorded(engine, Scope("acme"))) == len(recorded(engine, Scope("ops"))) == 1
