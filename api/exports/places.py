"""The places of the caller's waiting exports in their queues, and about when they start."""

from __future__ import annotations

from functools import cache

from waybill.api.exports.schemas import Place, PlaceList
from waybill.exporter.datasets.principal import Principal
from waybill.infra.estimates.history import ASSUMED_SECONDS, usual_seconds
from waybill.infra.services import Services


def read_places(services: Services, user: Principal) -> PlaceList:
    """The places of `user`'s waiting exports."""
    load_of = cache(services.history.queue_load)

    @cache
    def seconds_of(task_type: str, chosen: str) -> float:
        past = services.history.past_exports(user.tenant, task_type, chosen)
        seconds = usual_seconds(past)
        return ASSUMED_SECONDS if seconds is None else seconds

    items = []
    for place in services.requests.places(user):
        seconds = load_of(place.queue).seconds_until_a_slot(
            place.ahead,
            seconds_of(place.task_type, place.format),
            services.settings.concurrency,
        )
        items.append(
            Place(
                task_id=place.task_id,
                position=place.ahead + 1,
                starts_in_seconds=seconds,
                paused=place.is_paused,
            )
        )
    return PlaceList(items=items)
