"""Schedules on bare task tables, with a clock in the database that a test turns."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from tests.support.task_store import ANN, new_task
from waybill.exporter.datasets.principal import Principal
from waybill.infra.config.limits import Limits
from waybill.infra.db.engine import create_engine, read_transaction, write_transaction
from waybill.infra.db.tables import export_task, notification, schedule, schedule_run
from waybill.infra.links.share_links import DerivedTokens
from waybill.infra.schedules.cron import parse_cron
from waybill.infra.schedules.runs import RunSettings, ScheduleRuns
from waybill.infra.schedules.saved_exports import SavedExports, Viewer
from waybill.infra.schedules.schedules import Schedules
from waybill.infra.tasks.model import NewTask

REQUEST = {"type": "orders", "format": "xlsx", "params": {}}


def prepare(
    owner: Principal, request: Mapping[str, Any], timezone: str, moment: datetime
) -> NewTask:
    """A task whose parameters say for which moment it was made."""
    return new_task(params={"moment": moment.isoformat()})


def turned_clock(connection: Connection) -> datetime:
    """The time that the test has set."""
    text = connection.execute(sa.text("SELECT at FROM turned_clock")).scalar_one()
    return datetime.fromisoformat(text)


class Office:
    """People with schedules, and a clock."""

    def __init__(self, engine: Engine, now: datetime) -> None:
        self.engine = engine
        self.saved = SavedExports(engine, most_per_user=20_000)
        self.schedules = Schedules(engine, most_per_user=20_000, min_interval=timedelta(minutes=5))
        with write_transaction(engine) as connection:
            connection.execute(sa.text("CREATE TABLE turned_clock (at TEXT)"))
            connection.execute(sa.text("INSERT INTO turned_clock VALUES ('')"))
        self.turn(now)

    def turn(self, now: datetime) -> None:
        """Set the clock."""
        with write_transaction(self.engine) as connection:
            text = sa.text("UPDATE turned_clock SET at = :at")
            connection.execute(text, {"at": now.isoformat()})

    def now(self) -> datetime:
        """What the clock says."""
        with read_transaction(self.engine) as connection:
            return turned_clock(connection)

    def runs(self, doing: Any = prepare, **limits: Any) -> ScheduleRuns:
        """A scheduler."""
        return scheduler(self.engine, doing, **limits)

    def save(self, user: Principal = ANN, name: str = "Monday report", **more: Any) -> UUID:
        """A saved export of `user`'s."""
        made = self.saved.create(user, name=name, request=REQUEST, timezone="UTC", **more)
        return made.id

    def plan(
        self, cron: str, zone: str = "Europe/Berlin", user: Principal = ANN, **more: Any
    ) -> UUID:
        """A schedule of `user`'s whose first slot comes after the time of the clock."""
        saved_id = more.pop("saved_id", None) or self.save(user, name=f"{cron} {zone}")
        viewer = Viewer(user, ["orders"])
        made = self.schedules.create(
            viewer, saved_id, cron=cron, timezone=zone, notify=more.pop("notify", {})
        )
        slot = parse_cron(cron, zone).after(self.now())
        self.change(made.id, next_slot=slot, due_at=slot)
        self.see(user)
        return made.id

    def see(self, user: Principal) -> None:
        """Record that `user` was here at the time of the clock."""
        from waybill.infra.schedules.owners import record_owner

        with write_transaction(self.engine) as connection:
            record_owner(connection, turned_clock(connection), user)

    def change(self, schedule_id: UUID, **values: Any) -> None:
        """Change a schedule behind its back."""
        with write_transaction(self.engine) as connection:
            which = schedule.c.id == schedule_id
            connection.execute(sa.update(schedule).where(which).values(**values))

    def end_tasks(self, status: str = "CANCELLED") -> None:
        """End all live tasks."""
        with write_transaction(self.engine) as connection:
            live = export_task.c.status.in_(["PENDING", "PROCESSING"])
            values = {"status": status, "updated_at": datetime.now(UTC)}
            connection.execute(sa.update(export_task).where(live).values(**values))

    def row(self, schedule_id: UUID) -> sa.RowMapping:
        """The row of a schedule."""
        with read_transaction(self.engine) as connection:
            query = sa.select(schedule).where(schedule.c.id == schedule_id)
            return connection.execute(query).mappings().one()

    def recorded(self, schedule_id: UUID) -> list[sa.RowMapping]:
        """The runs of a schedule, in the order of their slots."""
        query = sa.select(schedule_run).where(schedule_run.c.schedule_id == schedule_id)
        with read_transaction(self.engine) as connection:
            return list(connection.execute(query.order_by(schedule_run.c.slot)).mappings())

    def moments(self) -> list[str]:
        """The moments for which tasks were made, in their order."""
        with read_transaction(self.engine) as connection:
            found = connection.execute(sa.select(export_task.c.params)).scalars()
            return sorted(params["moment"] for params in found)

    def notices(self) -> list[tuple[str, str]]:
        """Reader and code of each notice about a paused schedule."""
        query = sa.select(notification.c.user_id, notification.c.detail)
        with read_transaction(self.engine) as connection:
            rows = connection.execute(query.where(notification.c.event == "schedule.paused"))
            return sorted((row.user_id, row.detail["code"]) for row in rows)

    def is_idle(self) -> bool:
        """Whether nothing is due."""
        query = sa.select(schedule.c.id).where(
            schedule.c.paused_at.is_(None), schedule.c.next_slot <= self.now()
        )
        with read_transaction(self.engine) as connection:
            return connection.execute(query).first() is None


def scheduler(
    engine: Engine, doing: Any = prepare, *, failures: int = 5, limits: Limits | None = None
) -> ScheduleRuns:
    """A scheduler that goes by the clock of the test."""
    bounds = RunSettings(limits or Limits.only(), failures, timedelta(days=90))
    tokens = DerivedTokens(lambda: b"a key of the tests")
    return ScheduleRuns(engine, doing, tokens, bounds, clock=turned_clock)


def main(url: str) -> None:
    """A scheduler process, which runs until it is killed."""
    runs = scheduler(create_engine(url))
    while True:
        runs.run_due()
        time.sleep(0.02)


if __name__ == "__main__":
    main(sys.argv[1])
