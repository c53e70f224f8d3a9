"""The type of timestamps in requests: RFC 3339 with a time zone."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AwareDatetime, BeforeValidator

_DATE_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}")


def _written_out(value: object) -> object:
    if value is not None and not (isinstance(value, str) and _DATE_TIME.match(value)):
        raise ValueError("Input should be a date and time with its zone, as in RFC 3339")
    return value


#: An RFC 3339 date-time with its zone. Pydantic alone also accepts a number of seconds, so that
#: `until=0.5` would mean half a second after 1970.
Timestamp = Annotated[AwareDatetime, BeforeValidator(_written_out)]
