"""Kinds of values that settings have, and what is said of a bad one. Never the value itself."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, SecretStr


def _empty_is_none(value: object) -> object:
    return None if value == "" else value


def _seconds(value: object) -> object:
    if isinstance(value, timedelta):
        return value
    try:
        return timedelta(seconds=float(str(value)))
    except (ValueError, OverflowError):
        raise ValueError("must be a number of seconds") from None


def _growing(value: str) -> str:
    try:
        delays = [float(item) for item in value.split(",")]
    except ValueError:
        raise ValueError("must be seconds separated by commas") from None
    if not all(0 < delay <= 86_400 for delay in delays) or delays != sorted(delays):
        raise ValueError("must be growing numbers of seconds, each up to a day")
    return value


Seconds = Annotated[timedelta, BeforeValidator(_seconds)]
OptionalText = Annotated[str | None, BeforeValidator(_empty_is_none)]
OptionalSecret = Annotated[SecretStr | None, BeforeValidator(_empty_is_none)]
#: Growing seconds, separated by commas; `ladder` reads them.
Delays = Annotated[str, AfterValidator(_growing)]


def ladder(delays: str) -> tuple[timedelta, ...]:
    """The steps of a `Delays` value."""
    return tuple(timedelta(seconds=float(item)) for item in delays.split(","))
