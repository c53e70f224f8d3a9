"""The host as people see it: its own login, and Waybill under ``/exports``."""

from __future__ import annotations

import os
from html import escape
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import FastAPI, Form, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from itsdangerous import BadSignature, URLSafeSerializer

import waybill

COOKIE = "shop_session"
PEOPLE = {"ann": ("acme", ["finance"]), "bob": ("umbrella", ["finance"])}
#: The suite of the page brings datasets of its own, is its own worker, and has users of its own.
IS_FOR_THE_SUITE = "HOST_FOR_THE_SUITE" in os.environ


def sessions() -> URLSafeSerializer:
    """Signs the host's cookies."""
    return URLSafeSerializer(os.environ["HOST_SECRET"])


async def current_user(request: Request) -> waybill.Principal | None:
    """Who calls, as the host knows them."""
    try:
        user, tenant, roles = sessions().loads(request.cookies.get(COOKIE, ""))
    except BadSignature:
        if IS_FOR_THE_SUITE:
            return None
        here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        root = request.scope["root_path"].removesuffix("/exports")
        login = f"{root}/login?{urlencode({'next': here})}"
        raise HTTPException(307, headers={"Location": login}) from None
    return waybill.Principal(user, tenant, frozenset(roles))


def options() -> dict[str, Any]:
    """What people write here, or what the suite brings."""
    if not IS_FOR_THE_SUITE:
        return {"get_principal": current_user}
    import suite

    return suite.options(current_user)


exports = waybill.create_app(**options())
app = FastAPI(lifespan=exports.lifespan)
app.mount("/exports", exports)
if IS_FOR_THE_SUITE:
    import suite

    suite.add_controls(app)


@app.get("/login")
async def login(next: str = "exports/") -> HTMLResponse:  # noqa: A002 - the name in the address
    """The host's own login page."""
    field = f'<input type=hidden name=next value="{escape(next)}">'
    return HTMLResponse(
        "<!doctype html><title>Shop</title><link rel=icon href='data:,'>"
        f"<h1>The shop</h1><form method=post>{field}"
        "<label>User <input name=user></label><button>Enter the shop</button></form>"
    )


@app.post("/login")
async def enter(
    user: Annotated[str, Form()],
    next: Annotated[str, Form()],  # noqa: A002 - the name in the form
) -> RedirectResponse:
    """Begin a session of the host."""
    answer = RedirectResponse(next, 303)
    cookie = sessions().dumps([user, *PEOPLE[user]])
    answer.set_cookie(COOKIE, cookie, httponly=True, secure=True, samesite="lax")
    return answer
