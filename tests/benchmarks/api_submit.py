"""Accepting exports, against a bare FastAPI application that inserts one row.

Ours checks the token, the rights and the parameters, looks for a live twin, and commits the
task, its audit row and its wake-up. The peer checks the body against a model and inserts.
Both run in uvicorn on PostgreSQL, and get the same requests from the same clients.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from fastapi import Depends, FastAPI
from pydantic import BaseModel, ConfigDict
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from tests.benchmarks.http_load import send_all
from tests.benchmarks.process import Figures
from tests.support.servers.task_api import TASKS, running_api, serve

_WARM_UP = 50
_TENANTS, _USERS = 2, ("ann", "bob", "cem", "dina")


class Request(BaseModel):
    """The body of both, for the peer."""

    type: str
    format: str
    params: dict[str, Any]


class Answer(Request):
    """The peer's answer."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    status: str
    created_at: datetime


class _Base(DeclarativeBase):
    pass


class _Task(_Base):
    __tablename__ = "bare_task"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    type: Mapped[str]
    format: Mapped[str]
    params: Mapped[dict[str, Any]] = mapped_column(JSONB)
    status: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(
        sa.DateTime(timezone=True), server_default=sa.func.now()
    )


def ours(database: str, requests: int) -> Figures:
    """Requests a second."""
    with tempfile.TemporaryDirectory() as home, running_api(database, Path(home)) as api:
        # One user may not have as many exports at once.
        tenants = [api.tenant() for _ in range(_TENANTS)]
        tokens = [api.token(tenant, user) for user in _USERS for tenant in tenants]
        return _measure(api.url + TASKS, tokens, requests)


def peer(database: str, requests: int) -> Figures:
    """Requests a second."""
    with _bare_application(database) as app, serve(app) as url:
        return _measure(f"{url}/tasks", ["none"], requests)


def _measure(url: str, tokens: list[str], requests: int) -> Figures:
    bodies = [
        {"type": "orders", "format": "xlsx", "params": {"city": f"city {number}"}}
        for number in range(_WARM_UP + requests)
    ]
    send_all(url, tokens, bodies[:_WARM_UP])
    seconds = send_all(url, tokens, bodies[_WARM_UP:])[-1]
    return {"seconds": seconds, "requests_per_second": requests / seconds}


@contextmanager
def _bare_application(database: str) -> Iterator[FastAPI]:
    engine = sa.create_engine(database, pool_size=10, max_overflow=10)
    _Base.metadata.create_all(engine)

    def open_session() -> Iterator[Session]:
        with Session(engine) as session:
            yield session

    app = FastAPI()

    @app.post("/tasks", status_code=202)
    def submit(request: Request, session: Session = Depends(open_session)) -> Answer:
        task = _Task(id=uuid4(), status="PENDING", **request.model_dump())
        session.add(task)
        session.commit()
        session.refresh(task)
        return Answer.model_validate(task)

    try:
        yield app
    finally:
        engine.dispose()
