"""FastAPI: Waybill under ``/exports``, with the application's own login.

WAYBILL_DATASETS=shop_exports WAYBILL_SOURCE_URL=… uvicorn mounted_app:app
"""

from __future__ import annotations

from fastapi import FastAPI, HTTPException, Request

import waybill


def current_user(request: Request) -> waybill.Principal:
    """Your login, instead of a cookie that anybody can write."""
    user = request.cookies.get("user")
    if user is None:
        raise HTTPException(401)
    return waybill.Principal(user, tenant="acme", roles=frozenset({"finance"}))


exports = waybill.create_app(get_principal=current_user)
app = FastAPI(lifespan=exports.lifespan)
app.mount("/exports", exports)
