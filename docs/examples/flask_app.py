"""Flask with a session of SQLAlchemy: a route closes a month, another one opens the task centre.

DATABASE_URL=postgresql+psycopg://localhost/shop flask --app docs/examples/flask_app.py run
"""

from __future__ import annotations

import os

import sqlalchemy as sa
from flask import Flask, redirect
from login_link import export_link
from sqlalchemy.orm import Session, sessionmaker
from werkzeug.wrappers import Response

import waybill

engine = sa.create_engine(os.environ["DATABASE_URL"])
new_session = sessionmaker(engine)
app = Flask(__name__)


def current_user() -> waybill.Principal:
    """Your login."""
    return waybill.Principal("ann", "acme", frozenset({"finance"}))


@app.post("/closings/<month>")
def close_month(month: str) -> tuple[dict[str, str], int]:
    """Close a month."""
    user = current_user()
    session: Session
    with new_session.begin() as session:
        insert = sa.text("INSERT INTO closings (tenant, month) VALUES (:tenant, :month)")
        session.execute(insert, {"tenant": user.tenant, "month": month})
        export = waybill.submit(session, "closing", params={"month": month}, user=user)
    return {"export": str(export.id)}, 202


@app.get("/exports")
def exports() -> Response:
    """Open the task centre, logged in."""
    return redirect(export_link(current_user()))
