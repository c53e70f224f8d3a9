"""Types of settings: how a text becomes a value, and the message for one that does not.

No message repeats the value, which may be a secret.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode

from waybill.infra.config.addresses import host_and_port
from waybill.infra.config.memory import check_memory, check_size

#: Of a mail address. (RFC 5321, 4.5.3.1.3, without the angle brackets.)
MAX_MAIL_ADDRESS_CHARS = 254


def _empty_is_none(value: object) -> object:
    return None if value == "" else value


def _seconds(value: object) -> timedelta:
    if isinstance(value, timedelta):
        return value
    try:
        return timedelta(seconds=float(str(value)))
    except (ValueError, OverflowError):
        raise ValueError("must be a number of seconds") from None


def _days(value: object) -> timedelta:
    if isinstance(value, timedelta):
        return value
    try:
        return timedelta(days=int(str(value)))
    except (ValueError, OverflowError):
        raise ValueError("must be a whole number of days") from None


def _delays(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        delays = [float(item) for item in value.split(",")]
    except ValueError:
        raise ValueError("must be seconds separated by commas") from None
    if not all(0 < delay <= 86_400 for delay in delays) or delays != sorted(delays):
        raise ValueError("must be growing numbers of seconds, each up to a day")
    return tuple(timedelta(seconds=delay) for delay in delays)


def _check_address(value: str | None) -> str | None:
    if value is not None:
        host_and_port(value)
    return value


Seconds = Annotated[timedelta, BeforeValidator(_seconds)]
Days = Annotated[timedelta, BeforeValidator(_days)]
#: Growing delays, written as seconds separated by commas.
Delays = Annotated[tuple[timedelta, ...], NoDecode, BeforeValidator(_delays)]
#: Times in a period; 0 is no limit. Tokens come back after whole microseconds, so more could not be
#: told apart.
PerPeriod = Annotated[int, Field(ge=0, le=1_000_000)]
OptionalText = Annotated[str | None, BeforeValidator(_empty_is_none)]
#: A memory budget as `waybill.infra.config.memory` reads it.
MemoryText = Annotated[str, AfterValidator(check_memory)]
#: A size as `waybill.infra.config.memory.size_in_bytes` reads it.
SizeText = Annotated[str, AfterValidator(check_size)]
#: A host and a port to listen on.
OptionalAddress = Annotated[OptionalText, AfterValidator(_check_address)]
OptionalSecret = Annotated[SecretStr | None, BeforeValidator(_empty_is_none)]


def comma_separated(text: str) -> list[str]:
    """The entries of a comma-separated setting, in lower case and without empty ones."""
    return [item.strip().lower() for item in text.split(",") if item.strip()]


#: Makes a reserved domain an ordinary one.
_LABEL = ".example"


def mail_domain(address: str) -> str | None:
    """The domain of a plain mail address, in lower case; None when it is no such address.

    Plain means ASCII, without a display name, quotes or comments. Reserved domains such as
    ``.local`` are accepted: company networks use them.
    """
    # email-validator would turn a foreign domain into ASCII and accept it.
    if not address.isascii():
        return None
    # Imported here: it takes 70 ms, and most processes have no address among their settings.
    from email_validator import EmailNotValidError, validate_email

    try:
        checked = validate_email(
            # One more label, since the library has no option to accept reserved domains.
            address + _LABEL,
            allow_smtputf8=False,
            check_deliverability=False,
            globally_deliverable=False,
            strict=True,
        )
    except EmailNotValidError:
        return None
    return checked.ascii_domain.removesuffix(_LABEL)
