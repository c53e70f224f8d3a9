"""The identity provider: what its discovery document says, and the exchange of a code for claims.

The document and the keys are fetched in the background, so only the exchange itself waits.
"""

from __future__ import annotations

import base64
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlencode

from authlib.oauth2.rfc6749.parameters import prepare_grant_uri

from waybill.api.problems.errors import IdentityProviderDown, Unauthenticated
from waybill.api.session.oidc.failures import REFUSED, UNREACHABLE, LoginFailed
from waybill.api.session.oidc.http import ProviderHttp, is_safe_address
from waybill.api.session.oidc.id_token import verified_claims
from waybill.api.session.provider_keys import ProviderKeys
from waybill.infra.config.errors import BadSettings
from waybill.infra.config.settings import Settings

log = logging.getLogger(__name__)

_WELL_KNOWN = "/.well-known/openid-configuration"
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_OPTIONAL_ENDPOINTS = ("userinfo_endpoint", "end_session_endpoint")
#: Providers change their endpoints with notice, and their keys without.
_KEEP = timedelta(hours=1)
#: Refused unread: nothing that a provider gives is as long.
_MAX_CODE_CHARS = 4096

CALLBACK = "/session/oidc/callback"


@dataclass(frozen=True, slots=True)
class Attempt:
    """What one login was begun with: random texts that come back, and the place to continue at."""

    state: str
    nonce: str
    #: The secret behind the code challenge. (RFC 7636)
    verifier: str
    after: str


@dataclass(frozen=True, slots=True)
class Login:
    """A login that came about."""

    claims: Mapping[str, Any]
    #: A hint for the provider's logout page.
    id_token: str = field(repr=False)
    #: For the userinfo endpoint.
    access_token: str | None = field(repr=False)


class Provider:
    """One provider, as the settings name it. Safe to use from any thread."""

    def __init__(self, settings: Settings, issuer: str) -> None:
        """Nothing is fetched before `start`.

        Raises:
            BadSettings: what belongs to WAYBILL_OIDC_ISSUER is not set.
        """
        if not settings.oidc_client_id:
            raise BadSettings("WAYBILL_OIDC_ISSUER needs WAYBILL_OIDC_CLIENT_ID.")
        if not settings.public_url:
            raise BadSettings(
                "WAYBILL_OIDC_ISSUER needs WAYBILL_PUBLIC_URL: the provider sends browsers back to "
                f"<public URL>{CALLBACK}."
            )
        secret = settings.oidc_client_secret
        self._secret = secret.get_secret_value() if secret else None
        self._client_id = settings.oidc_client_id
        self._scopes = settings.oidc_scopes
        self._issuer = issuer
        self._public_url = settings.public_url
        self._http = ProviderHttp()
        self._document: dict[str, Any] = {}
        self._fetched_at = 0.0
        self._keys = ProviderKeys("", fetch=self._fetch_keys)

    def start(self) -> None:
        """Fetch document and keys, and keep them fresh; waits for the first, but not for long."""
        self._keys.start()

    def close(self) -> None:
        """Fetch no more."""
        self._keys.close()
        self._http.close()

    def check(self) -> str:
        """Fetch both once; what they are, for operators.

        Raises:
            LoginFailed: for the reason in its text.
        """
        self._read_document()
        keys = self._http.get(self._document["jwks_uri"]).get("keys")
        return f"{self._document['issuer']} answers, with {len(keys or ())} keys"

    def login_address(self, attempt: Attempt, challenge: str) -> str:
        """Where a browser logs in.

        Raises:
            LoginFailed: the provider has not answered yet.
        """
        address: str = prepare_grant_uri(
            self._endpoints()["authorization_endpoint"],
            self._client_id,
            "code",
            redirect_uri=self._public_url + CALLBACK,
            scope=self._scopes,
            state=attempt.state,
            nonce=attempt.nonce,
            code_challenge=challenge,
            code_challenge_method="S256",
        )
        return address

    def logout_address(self, id_token: str | None) -> str | None:
        """Where a browser logs out of the provider, too; None where it has no such page."""
        end = self._document.get("end_session_endpoint")
        if end is None:
            return None
        query = {
            "client_id": self._client_id,
            "post_logout_redirect_uri": self._public_url + "/",
            **({"id_token_hint": id_token} if id_token else {}),
        }
        return f"{end}{'&' if '?' in end else '?'}{urlencode(query)}"

    def log_in(self, code: str, attempt: Attempt) -> Login:
        """Exchange `code` for an ID token, and check that.

        Raises:
            LoginFailed.
        """
        if not 0 < len(code) <= _MAX_CODE_CHARS:
            raise LoginFailed(REFUSED, "the provider sent no code")
        document = self._endpoints()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._public_url + CALLBACK,
            "code_verifier": attempt.verifier,
        }
        answer = self._http.post(document["token_endpoint"], *self._signed(form))
        id_token, access_token = answer.get("id_token"), answer.get("access_token")
        if not isinstance(access_token, str):
            access_token = None
        if not isinstance(id_token, str):
            raise LoginFailed(REFUSED, "the provider's answer has no ID token")
        try:
            claims = verified_claims(
                id_token,
                self._keys,
                issuer=document["issuer"],
                client_id=self._client_id,
                nonce=attempt.nonce,
                access_token=access_token,
            )
        except IdentityProviderDown:
            raise LoginFailed(UNREACHABLE, "the provider's keys could not be fetched") from None
        except Unauthenticated:
            raise LoginFailed(REFUSED, "no key of the provider has the ID token's id") from None
        return Login(claims, id_token, access_token)

    def more_claims(self, login: Login) -> Mapping[str, Any]:
        """The claims of `login` with those of the userinfo endpoint, if there is one.

        Raises:
            LoginFailed: it does not answer, or for somebody else.
        """
        address = self._document.get("userinfo_endpoint")
        if address is None or login.access_token is None:
            return login.claims
        found = self._http.get(address, login.access_token)
        # Core, 5.3.2: otherwise another person's token may have been put in its place.
        if found.get("sub") != login.claims["sub"]:
            raise LoginFailed(REFUSED, "the userinfo endpoint speaks of another person")
        return {**found, **login.claims}

    def is_issuer(self, stated: str) -> bool:
        """Whether an answer that states its issuer (RFC 9207) comes from this provider."""
        return stated == self._document.get("issuer")

    def _signed(self, form: dict[str, str]) -> tuple[dict[str, str], dict[str, str]]:
        """The form and its headers, as this provider wants to be told who asks."""
        if self._secret is None:
            return {**form, "client_id": self._client_id}, {}
        methods = self._document.get("token_endpoint_auth_methods_supported")
        if isinstance(methods, list) and "client_secret_basic" not in methods:
            named = {"client_id": self._client_id, "client_secret": self._secret}
            return {**form, **named}, {}
        # RFC 6749, 2.3.1: both are encoded as in a form first.
        pair = f"{quote(self._client_id, safe='')}:{quote(self._secret, safe='')}"
        return form, {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}

    def _endpoints(self) -> dict[str, Any]:
        if not self._document:
            self._keys.start()
        if not self._document:
            raise LoginFailed(UNREACHABLE, "the provider's discovery document was not fetched yet")
        return self._document

    def _fetch_keys(self) -> dict[str, Any]:
        """For `ProviderKeys`, which calls it in one thread only."""
        try:
            if not self._document or time.monotonic() - self._fetched_at > _KEEP.total_seconds():
                self._read_document()
            return self._http.get(self._document["jwks_uri"])
        except LoginFailed as error:
            raise IdentityProviderDown(f"WAYBILL_OIDC_ISSUER: {error}.") from error

    def _read_document(self) -> None:
        document = self._http.get(self._issuer.rstrip("/") + _WELL_KNOWN)
        stated = document.get("issuer")
        if not isinstance(stated, str) or stated.rstrip("/") != self._issuer.rstrip("/"):
            raise LoginFailed(UNREACHABLE, "the discovery document names another issuer")
        bad = [name for name in _ENDPOINTS if not is_safe_address(document.get(name))]
        bad += [
            name
            for name in _OPTIONAL_ENDPOINTS
            if name in document and not is_safe_address(document[name])
        ]
        if bad:
            raise LoginFailed(UNREACHABLE, f"its {bad[0]} is no https:// address")
        self._document, self._fetched_at = document, time.monotonic()
