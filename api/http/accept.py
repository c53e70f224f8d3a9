"""``Accept`` and ``Accept-Language``: what a client prefers, by its weights (RFC 9110, 12.4.2)."""

from __future__ import annotations

from starlette.datastructures import Headers

_JSON, _HTML = "application/json", "text/html"


def weighted(header: str) -> list[tuple[str, float]]:
    """The entries of `header` in lower case and in their order, each with its weight.

    An entry has the weight 1 unless it states another. A weight that is no number from 0 to 1
    counts as 0.
    """
    return [_entry(item) for item in header.split(",") if item.strip()]


def accepts_only_json(headers: Headers) -> bool:
    """Whether a client takes JSON and nothing else.

    Libraries send lists such as ``application/json, text/plain, */*`` with every request, and
    then take a file as well.
    """
    accepted = {name for name, weight in _media_ranges(headers) if weight > 0}
    return _JSON in accepted and all(name == _JSON or name.endswith("+json") for name in accepted)


def prefers_html(headers: Headers) -> bool:
    """Whether a client names HTML and wants it at least as much as JSON, as browsers do."""
    weights = dict(_media_ranges(headers))
    html = weights.get(_HTML, 0.0)
    return html > 0 and html >= weights.get(_JSON, 0.0)


def _media_ranges(headers: Headers) -> list[tuple[str, float]]:
    # Several lines of one header are one list. (RFC 9110, 5.3.)
    return weighted(",".join(headers.getlist("accept")))


def _entry(item: str) -> tuple[str, float]:
    name, *parameters = (part.strip().lower() for part in item.split(";"))
    weight = 1.0
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip() == "q":
            weight = _weight(value)
    return name, weight


def _weight(text: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        return 0.0
    return weight if 0 <= weight <= 1 else 0.0
