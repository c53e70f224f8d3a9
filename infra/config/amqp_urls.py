"""The broker's setting made into one AMQP URL for each address, text to text.

A cluster has several addresses, written in the two ways that people use: several hosts in one URL,
``amqp://user:password@a:5672,b:5672/vhost``, and whole URLs with a comma between them.
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, SecretStr

from waybill.infra.config.value_types import OptionalSecret

#: Between two whole URLs.
_NEXT_URL = re.compile(r"\s*[,;]\s*(?=amqps?://)", re.IGNORECASE)
_URL = re.compile(
    r"""
    (?P<scheme> amqps?:// )
    (?P<login> [^/?\#\s]* @ )?
    (?P<hosts> [^/?\#@\s]+ )
    (?P<rest> (?: /[^?\#,\s]* )? (?: \?[^\#,\s]* )? )
    """,
    re.VERBOSE | re.IGNORECASE,
)


def amqp_urls(text: str) -> list[str]:
    """One URL for each address in `text`, in their order and each once.

    A comma in a vhost or an option is written ``%2C``.

    Raises:
        ValueError: it is no list of AMQP URLs. Never with a part of `text`.
    """
    urls = []
    for part in _NEXT_URL.split(text.strip()):
        found = _URL.fullmatch(part)
        if found is None:
            raise ValueError("must be amqp:// or amqps:// and one host, or several with commas")
        for host in found["hosts"].split(","):
            if not host:
                raise ValueError("has a comma without a host")
            urls.append(f"{found['scheme'].lower()}{found['login'] or ''}{host}{found['rest']}")
    return list(dict.fromkeys(urls))


def _checked(value: SecretStr | None) -> SecretStr | None:
    if value is not None:
        amqp_urls(value.get_secret_value())
    return value


#: A setting that `amqp_urls` can read, or none.
OptionalAmqpUrls = Annotated[OptionalSecret, AfterValidator(_checked)]
