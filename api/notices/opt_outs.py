"""``/opt-out/{token}``: the page behind the link in mails that somebody else asked for.

The link is the permission, and there is no login. Only POST changes something: mail scanners
follow links by GET. A mail program posts by itself for its own button (RFC 8058), with a body that
says nothing new.
"""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from waybill.api.context import ServicesDep
from waybill.api.pages.rendering import PageSetup, PageSetupDep, render
from waybill.infra.notifications.opt_outs import OPT_OUT_PATH

router = APIRouter(prefix=OPT_OUT_PATH.rstrip("/"), include_in_schema=False)


@router.get("/{token}")
def ask(token: str, setup: PageSetupDep, services: ServicesDep) -> HTMLResponse:
    """What the button does, or what it has done already. Changes nothing."""
    address = services.mail_opt_outs.address(token)
    return _page(setup, token, "out" if services.mail_opt_outs.contains(address) else "asked")


@router.post("/{token}")
def opt_out(token: str, setup: PageSetupDep, services: ServicesDep) -> HTMLResponse:
    """Send no more mails to this mailbox that others ask for."""
    services.mail_opt_outs.add(services.mail_opt_outs.address(token))
    return _page(setup, token, "out")


@router.post("/{token}/undo")
def resume(token: str, setup: PageSetupDep, services: ServicesDep) -> HTMLResponse:
    """Take it back."""
    services.mail_opt_outs.remove(services.mail_opt_outs.address(token))
    return _page(setup, token, "in")


def _page(setup: PageSetup, token: str, state: Literal["asked", "out", "in"]) -> HTMLResponse:
    return render(setup, "opt_out.html", path=OPT_OUT_PATH + token, state=state)
