"""Secrets that anybody can guess: those of our examples, and those of a few characters.

A secret protects something: the API's tokens, a database, a store. Where only this machine reaches
that, a weak one is accepted, so that an example runs as it is; elsewhere processes do not start
with it.
"""

from __future__ import annotations

from itertools import chain

from waybill.infra.config.addresses import is_loopback, leaves_machine, password_of
from waybill.infra.config.errors import BadSettings
from waybill.infra.config.notifications import parse_secrets
from waybill.infra.config.settings import PREFIX, Settings
from waybill.infra.config.store_settings import AWS

#: Part of every secret in our examples, and of many others'.
_PLACEHOLDERS = ("change-me", "change_me", "changeme")
#: Of 32 random hexadecimal digits, fewer than 8 are different once in 28 million draws.
_MIN_DIFFERENT_IN_KEY = 8
#: Passwords are shorter and made by people: only those of one to three characters are refused.
_MIN_DIFFERENT_IN_PASSWORD = 4


def refuse_weak_secrets(settings: Settings, listener: str | None) -> None:
    """Refuse to run with a weak secret where another machine can reach what it protects.

    `listener` is the address that the process listens on, if it listens.

    Raises:
        BadSettings: one line that names the settings.
    """
    if weak := weak_secrets(settings, listener):
        raise BadSettings(
            f"{', '.join(weak)}: an example, or easy to guess, and other machines can reach what"
            " it protects. Draw another one, for example with `openssl rand -hex 32`."
        )


def weak_secrets(settings: Settings, listener: str | None) -> list[str]:
    """The names of settings that hold a weak secret for something in reach of others.

    Without a `listener` tokens count as in reach when any address of the settings is elsewhere:
    the API that takes them is another process then, and may be on another machine.
    """
    addresses = {
        "database_url": [settings.task_database_url],
        "source_url": [settings.source_url.get_secret_value()] if settings.source_url else [],
        "amqp_url": settings.broker_urls,
        "smtp_url": [settings.smtp_url.get_secret_value()] if settings.smtp_url else [],
    }
    store = (settings.s3_endpoint_url, settings.s3_public_endpoint_url)
    store_elsewhere = AWS in store or any(map(leaves_machine, store))
    if listener is None:
        tokens_in_reach = store_elsewhere or any(
            map(leaves_machine, chain.from_iterable(addresses.values()))
        )
    else:
        tokens_in_reach = not is_loopback(listener)
    others = [settings.public_url, settings.worker_address and f"//{settings.worker_address}"]
    tokens_in_reach = tokens_in_reach or any(map(leaves_machine, others))

    found = [
        name
        for name, urls in addresses.items()
        if any(leaves_machine(url) and _is_weak_password(password_of(url)) for url in urls)
    ]
    store_secret = settings.s3_secret_access_key
    if store_elsewhere and store_secret and _is_weak_password(store_secret.get_secret_value()):
        found.append("s3_secret_access_key")
    if tokens_in_reach:
        found += _weak_keys(settings)
    return [PREFIX + name.upper() for name in found]


def _weak_keys(settings: Settings) -> list[str]:
    found = []
    if settings.jwt_secret and is_guessable(settings.jwt_secret.get_secret_value().encode()):
        found.append("jwt_secret")
    if settings.webhook_secrets and any(
        map(is_guessable, parse_secrets(settings.webhook_secrets.get_secret_value()))
    ):
        found.append("webhook_secrets")
    if settings.metrics_token and is_guessable(settings.metrics_token.get_secret_value().encode()):
        found.append("metrics_token")
    return found


def is_guessable(key: bytes) -> bool:
    """Whether `key` is an example, repeats itself, or has fewer than 8 different bytes."""
    return (
        _is_placeholder(key)
        or len(set(key)) < _MIN_DIFFERENT_IN_KEY
        or any(key == (key[:n] * len(key))[: len(key)] for n in range(1, len(key) // 2 + 1))
    )


def _is_weak_password(password: str | None) -> bool:
    if password is None:
        return False
    return _is_placeholder(password.encode()) or len(set(password)) < _MIN_DIFFERENT_IN_PASSWORD


def _is_placeholder(text: bytes) -> bool:
    return any(word.encode() in text.lower() for word in _PLACEHOLDERS)
