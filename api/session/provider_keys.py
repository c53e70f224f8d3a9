"""The keys of the identity provider: fetched in the background, so that no request waits for them.

A provider that hangs takes one thread, which nobody waits for. The last good set is used for an
hour after it was fetched.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from json import JSONDecodeError
from typing import Any
from urllib.error import HTTPError, URLError

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from waybill.api.problems.errors import IdentityProviderDown, Unauthenticated

log = logging.getLogger(__name__)

_FETCH_SECONDS = 5
_REFRESH = timedelta(minutes=5)
#: After a failure.
_RETRY = timedelta(seconds=10)
#: Between two fetches that unknown key ids ask for: anybody can make them up.
_COOLDOWN = timedelta(seconds=30)
_KEEP = timedelta(hours=1)
#: NIST SP 800-131A: shorter RSA keys must not be used.
_MIN_RSA_BITS = 2048


class ProviderKeys:
    """The usable keys of a JWKS, by their id. Safe to use from any thread."""

    def __init__(
        self,
        url: str,
        clock: Callable[[], float] = time.monotonic,
        fetch: Callable[[], Any] | None = None,
    ) -> None:
        """`fetch` returns the key set, in place of the document at `url`."""
        self._fetch = fetch or jwt.PyJWKClient(url, timeout=_FETCH_SECONDS).fetch_data
        self._clock = clock
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched_at: float | None = None
        self._tried_at: float | None = None
        self._fetching = False
        #: How many fetches have ended, and what tells of it.
        self._tries = 0
        self._ended = threading.Condition()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        #: Set when a fetch is wanted before its time, and when the thread has to end.
        self._wake = threading.Event()
        self._closed = False
        #: Set when the first fetch has ended, well or not, or is not waited for any more.
        self._begun = threading.Event()

    def start(self, seconds: float = _FETCH_SECONDS) -> None:
        """Begin to fetch, and wait for the first set of keys, but no longer than `seconds`."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="identity provider", daemon=True
                )
                self._thread.start()
        self._begun.wait(seconds)
        self._begun.set()

    def close(self) -> None:
        """Fetch no more."""
        self._closed = True
        self._wake.set()

    def find(self, key_id: object) -> jwt.PyJWK:
        """The key of that id. Waits for nothing once `start` has returned.

        Raises:
            Unauthenticated: there is none.
            IdentityProviderDown: the keys, or newer ones, are being fetched.
        """
        if not self._begun.is_set():
            self.start()
        if self._fetched_at is None or self._is_past(self._fetched_at, _KEEP):
            raise IdentityProviderDown
        if not isinstance(key_id, str):
            raise Unauthenticated
        if key := self._keys.get(key_id):
            return key
        # It may be a new one. The client gets a 503 and tries again, instead of being signed out.
        if self._tried_at is not None and self._is_past(self._tried_at, _COOLDOWN):
            self._wake.set()
        if self._fetching or self._wake.is_set():
            raise IdentityProviderDown
        raise Unauthenticated

    def find_new(self, key_id: object) -> jwt.PyJWK:
        """The key of that id, out of a set that is fetched now if the last one does not have it.

        Waits for that, but not for long. Only for tokens that came from the provider itself:
        anybody else could make up ids.

        Raises:
            Unauthenticated: there is none.
            IdentityProviderDown: the keys are not at hand.
        """
        if not self._begun.is_set():
            self.start()
        if not (isinstance(key_id, str) and key_id in self._keys):
            with self._ended:
                # One that runs may have been answered before the key was there.
                enough = self._tries + (2 if self._fetching else 1)
                self._wake.set()
                self._ended.wait_for(lambda: self._tries >= enough, _FETCH_SECONDS)
        return self.find(key_id)

    def _is_past(self, moment: float, after: timedelta) -> bool:
        return self._clock() - moment > after.total_seconds()

    def _run(self) -> None:
        failing = False
        while not self._closed:
            with self._ended:
                self._fetching = True
                self._wake.clear()
            try:
                self._keys = _usable(self._fetch())
                self._fetched_at = self._clock()
                failing = False
            # A bad answer ends nothing: the last good set is kept, and the next may be good.
            except Exception as error:
                if not failing:
                    log.warning(
                        "keys of the identity provider cannot be fetched",
                        extra={"why": _reason(error)},
                    )
                failing = True
            with self._ended:
                self._tried_at = self._clock()
                self._fetching = False
                self._tries += 1
                self._ended.notify_all()
            self._begun.set()
            self._wake.wait((_RETRY if failing else _REFRESH).total_seconds())


def count_keys(url: str) -> int:
    """Fetch the keys of a provider once, and count those that may verify tokens.

    Raises:
        IdentityProviderDown: there is none, for the reason in the message.
    """
    try:
        return len(_usable(jwt.PyJWKClient(url, timeout=_FETCH_SECONDS).fetch_data()))
    except Exception as error:
        raise IdentityProviderDown(_reason(error)) from error


def _reason(error: Exception) -> str:
    """Why no keys came, in one line for operators, without the address."""
    if isinstance(error, IdentityProviderDown):
        return error.message
    cause = error.__cause__
    if isinstance(cause, HTTPError):
        return f"WAYBILL_JWKS_URL answers {cause.code}."
    if isinstance(cause, URLError):
        why = getattr(cause.reason, "strerror", None) or type(cause.reason).__name__
        if "certificate" in str(cause.reason).lower():
            why = "its certificate is not trusted (SSL_CERT_FILE names other authorities)"
        return f"WAYBILL_JWKS_URL cannot be reached: {why}."
    if isinstance(error, jwt.PyJWKClientConnectionError):
        return "WAYBILL_JWKS_URL does not answer in time, or not in HTTP."
    if isinstance(error, JSONDecodeError | UnicodeDecodeError):
        return "WAYBILL_JWKS_URL answers something else than JSON, such as a page."
    return (
        "WAYBILL_JWKS_URL answers JSON without a key for RS256 or ES256 that has an id (kid). An"
        " address that ends in openid-configuration names the right one as jwks_uri."
    )


def _usable(document: Any) -> dict[str, jwt.PyJWK]:
    """The keys of a key set that may verify tokens, by id.

    Raises:
        ValueError: there is none.
    """
    keys = {}
    for entry in document.get("keys", []):
        if (
            not isinstance(entry, dict)
            or entry.get("kty") not in ("RSA", "EC")
            or entry.get("use", "sig") != "sig"
        ):
            continue
        try:
            key = jwt.PyJWK.from_dict(entry)
        except jwt.PyJWTError:
            continue
        if isinstance(key.key, RSAPublicKey) and key.key.key_size < _MIN_RSA_BITS:
            log.warning(
                "a key of the identity provider is too short",
                extra={"key": key.key_id, "bits": key.key.key_size},
            )
            continue
        if isinstance(key.key_id, str):
            keys[key.key_id] = key
    if not keys:
        raise ValueError("no usable key")
    return keys
