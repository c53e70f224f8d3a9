"""Requests to the identity provider: in time, of limited size, over TLS, and without redirects."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx2

from waybill.api.session.oidc.failures import UNREACHABLE, LoginFailed
from waybill.infra.config.addresses import is_loopback

#: From the start of a request to the end of its answer.
_SECONDS = 8
_MAX_BYTES = 1024 * 1024


def is_safe_address(address: object) -> bool:
    """Whether a provider may name this address: https://, or http:// on this machine."""
    if not isinstance(address, str) or not address.isascii():
        return False
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
    except ValueError:
        return False
    if not host or parts.username is not None or parts.fragment:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))


class ProviderHttp:
    """Asks one identity provider. Safe to use from any thread."""

    def __init__(self) -> None:
        # The system's authorities, and those of SSL_CERT_FILE.
        self._client = httpx2.Client(
            timeout=_SECONDS / 2, verify=ssl.create_default_context(), follow_redirects=False
        )

    def close(self) -> None:
        """Ask no more."""
        self._client.close()

    def get(self, address: str, token: str | None = None) -> dict[str, Any]:
        """The JSON object at `address`; with `token` as a bearer token.

        Raises:
            LoginFailed: there is none.
        """
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return self._ask("GET", address, headers=headers)

    def post(
        self, address: str, form: Mapping[str, str], headers: Mapping[str, str]
    ) -> dict[str, Any]:
        """The JSON object that answers `form`.

        Raises:
            LoginFailed: there is none.
        """
        return self._ask("POST", address, data=dict(form), headers=dict(headers))

    def _ask(self, method: str, address: str, **options: Any) -> dict[str, Any]:
        what = f"{method} {urlsplit(address).path}"
        if not is_safe_address(address):
            raise LoginFailed(UNREACHABLE, f"{what} is no https:// address")
        options["headers"] = {"Accept": "application/json", **options["headers"]}
        body, until = bytearray(), time.monotonic() + _SECONDS
        try:
            with self._client.stream(method, address, **options) as answer:
                for chunk in answer.iter_bytes():
                    body += chunk
                    if len(body) > _MAX_BYTES or time.monotonic() > until:
                        raise LoginFailed(UNREACHABLE, f"{what} answers too much or too slowly")
        except (httpx2.HTTPError, ssl.SSLError) as error:
            kind = type(error).__name__
            raise LoginFailed(UNREACHABLE, f"{what} does not answer: {kind}") from error
        try:
            found = json.loads(body)
        except (ValueError, RecursionError):
            found = None
        if answer.status_code != httpx2.codes.OK or not isinstance(found, dict):
            stated = _stated_error(found)
            raise LoginFailed(UNREACHABLE, f"{what} answers {answer.status_code}{stated}")
        return found


def _stated_error(found: object) -> str:
    """The provider's error code, which is one word. Its description may hold anything."""
    code = found.get("error") if isinstance(found, dict) else None
    plain = isinstance(code, str) and len(code) <= 64 and code.replace("_", "").isalnum()
    return f" {code}" if plain else ""
