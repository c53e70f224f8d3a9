"""A finished export that is shared, and the people who click."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx2
import sqlalchemy as sa

from tests.support.servers.task_api import TASKS, TaskApi, ask
from waybill.infra.db.tables import audit_log, export_task

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


class Shared:
    """A finished export of ana's in a tenant of its own, and one link to it."""

    def __init__(self, api: TaskApi, **wanted: Any) -> None:
        self.api = api
        self.tenant = api.tenant()
        self.owner = api.person(self.tenant)
        self.task = ask(self.owner, params={"city": "Lisbon"})
        api.finish(self.task)
        self.links = f"{TASKS}/{self.task['id']}/links"
        answer = self.owner.post(self.links, json=wanted)
        assert answer.status_code == 201, answer.text
        self.link = answer.json()
        self.path = f"/d/{self.link['token']}"

    def colleague(self, user: str = "bob", roles: tuple[str, ...] = ("sales",)) -> httpx2.Client:
        return self.api.person(self.tenant, user, roles)

    def browser(self, user: str = "bob", roles: tuple[str, ...] = ("sales",)) -> httpx2.Client:
        """Somebody who is logged in to the page."""
        cookie = {"waybill_session": self.api.token(self.tenant, user, roles)}
        browser = self.api.client(cookies=cookie)
        browser.headers.update(BROWSER)
        return browser

    @property
    def uses(self) -> int:
        [link] = self.owner.get(self.links).json()["items"]
        return int(link["uses"])

    def end_file(self) -> None:
        with self.api.engine.begin() as connection:
            connection.execute(
                sa.update(export_task)
                .where(export_task.c.id == UUID(self.task["id"]))
                .values(expires_at=datetime.now(UTC) - timedelta(seconds=1))
            )

    def audited(self, action: str) -> list[sa.RowMapping]:
        with self.api.engine.connect() as connection:
            a = audit_log.c
            query = sa.select(audit_log).where(
                a.task_id == UUID(self.task["id"]), a.action == action
            )
            return list(connection.execute(query.order_by(a.id)).mappings())
