"""Who asks for saved exports and schedules, as a parameter of their routes."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends

from waybill.api.context import ServicesDep
from waybill.api.session.auth import Caller
from waybill.infra.schedules.saved_exports import Viewer


def _viewer(user: Caller, services: ServicesDep) -> Viewer:
    services.schedule_owners.saw(user)
    return services.viewer(user)


ViewerDep = Annotated[Viewer, Depends(_viewer)]
