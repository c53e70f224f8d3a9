"""The places of the caller's waiting exports in their queues, and about when they start."""

from __future__ import annotations

from functools import cache
from math import ceil
from statistics import median

from waybill.api.exports.schemas import Place, PlaceList
from waybill.exporter.datasets.principal import Principal
from waybill.infra.services import Services

#: Assumed duration of an export where the tenant has no past ones of its kind.
_DEFAULT_SECONDS = 10.0


def read_places(services: Services, user: Principal) -> PlaceList:
    """The places of `user`'s waiting exports."""
    load_of = cache(services.history.queue_load)

    @cache
    def usual_seconds(task_type: str, chosen: str) -> float:
        past = services.history.past_exports(user.tenant, task_type, chosen)
        timed = [one.seconds for one in past if one.seconds is not None]
        return median(timed) if timed else _DEFAULT_SECONDS

    items = []
    for place in services.requests.places(user):
        load = load_of(place.queue)
        slots = load.slots(services.settings.concurrency)
        rounds = ceil(max(0, place.ahead + load.running - slots + 1) / slots)
        seconds = ceil(rounds * usual_seconds(place.task_type, place.format))
        items.append(
            Place(task_id=place.task_id, position=place.ahead + 1, starts_in_seconds=seconds)
        )
    return PlaceList(items=items)
