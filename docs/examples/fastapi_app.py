"""FastAPI with an asynchronous session: a route closes a month and submits its export.

pip install "sqlalchemy[asyncio]"
DATABASE_URL=postgresql+psycopg://localhost/shop uvicorn docs.examples.fastapi_app:app
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import sqlalchemy as sa
from fastapi import Depends, FastAPI
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

import waybill

engine = create_async_engine(os.environ["DATABASE_URL"])


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    """Close the connections at the end."""
    yield
    await engine.dispose()


app = FastAPI(lifespan=lifespan)


def current_user() -> waybill.Principal:
    """Your login."""
    return waybill.Principal("ann", "acme", frozenset({"finance"}))


async def session() -> AsyncIterator[AsyncSession]:
    """A session for each request."""
    async with AsyncSession(engine) as session:
        yield session


@app.post("/closings/{month}", status_code=202)
async def close_month(
    month: str,
    session: Annotated[AsyncSession, Depends(session)],
    user: Annotated[waybill.Principal, Depends(current_user)],
) -> dict[str, str]:
    """Close a month."""
    insert = sa.text("INSERT INTO closings (tenant, month) VALUES (:tenant, :month)")
    await session.execute(insert, {"tenant": user.tenant, "month": month})
    export = await waybill.submit(session, "closing", params={"month": month}, user=user)
    # What raises before this line takes back both; a dependency may have begun the transaction.
    await session.commit()
    return {"export": str(export.id)}
