"""Bearer token verification: signature, claims, and the identity in a token.

Algorithms are pinned here and keys come from the settings, so nothing inside a token
(`alg`, `kid`, `jku`, `x5c`) decides how that token is checked.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt

from waybill.api.problems.errors import Unauthenticated
from waybill.api.session.claims import BadClaim, email_of, missing_claims, principal_of
from waybill.api.session.provider_keys import ProviderKeys
from waybill.api.session.session_tokens import SESSION_TYPE, is_session, key_of, person_of
from waybill.api.session.token_purpose import LONGEST_TICKET_LIFE, TICKET_TYPE, other_purpose
from waybill.exporter.datasets.principal import Principal
from waybill.infra.config.settings import Settings
from waybill.infra.sessions.denylist import Denylist
from waybill.infra.sessions.revocations import IssuedToken

log = logging.getLogger(__name__)

_REQUIRED_CLAIMS = ["exp", "iat", "sub", "aud", "iss"]
#: The clocks of two servers differ by less than this. RELIABILITY.md R16 allows a minute.
_LEEWAY = timedelta(seconds=30)
#: Larger than any identity provider's token. Longer ones are refused before they are parsed.
_MAX_TOKEN_CHARS = 8192
#: Why a token is refused, by the library's error; the first that fits.
_REASONS: Mapping[type[Exception], str] = {
    jwt.ExpiredSignatureError: "it has expired (exp)",
    jwt.ImmatureSignatureError: "it is not valid yet (nbf, iat)",
    jwt.InvalidAudienceError: "claim aud is not WAYBILL_JWT_AUDIENCE",
    jwt.InvalidIssuerError: "claim iss is not WAYBILL_JWT_ISSUER",
    jwt.exceptions.InvalidSubjectError: "claim sub is no text",
    jwt.InvalidSignatureError: "its signature is another's",
    jwt.InvalidAlgorithmError: "its algorithm (alg) is not accepted",
}


@dataclass(frozen=True, slots=True)
class Identity:
    """The principal that a token stands for, and the token."""

    principal: Principal
    issued: IssuedToken
    #: Long-lived requests verify it again. Never shown in a repr. Empty for a host's own login.
    token: str = field(repr=False)
    #: The mail address, if the identity provider states one.
    email: str | None = None
    #: How they logged in, if a session token of ours says it: `ticket` or `oidc`.
    way: str | None = None

    @property
    def expires_at(self) -> datetime:
        """When the token expires."""
        return self.issued.expires_at


@dataclass(frozen=True, slots=True)
class _Person:
    """Whom claims speak of."""

    principal: Principal
    email: str | None
    way: str | None = None


class _NoAccessToken(ValueError):
    """A good token that lets nobody in; the message says why."""


class TokenVerifier:
    """Checks tokens: HS256 with the shared secret, or RS256 and ES256 with a JWKS."""

    def __init__(
        self,
        settings: Settings,
        keys: ProviderKeys | None = None,
        denylist: Denylist | None = None,
    ) -> None:
        """`keys` replace those of the settings' identity provider.

        Without a `denylist`, no token is revoked.
        """
        self._denylist = denylist
        self._audience = settings.jwt_audience
        self._issuer = settings.jwt_issuer
        self._settings = settings
        self._warned = False
        self._secret: str | None = None
        self._keys = keys
        if settings.jwks_url:
            self._keys = keys or ProviderKeys(settings.jwks_url)
        else:
            self._secret = settings.signing_secret()

    def start(self) -> None:
        """Fetch the provider's keys, if there is one, and the denylist, and keep them fresh."""
        if self._keys:
            self._keys.start()
        if self._denylist:
            self._denylist.start()

    def close(self) -> None:
        """Fetch no more."""
        if self._keys:
            self._keys.close()
        if self._denylist:
            self._denylist.close()

    def verify(self, token: str) -> Identity:
        """The identity in `token`. Waits for no network once `start` has returned.

        Raises:
            Unauthenticated: for any reason; a forger learns nothing from the answer.
            IdentityProviderDown: its keys are needed and have not been fetched.
            RevocationsUnread: the denylist has not been read yet.
        """
        return self._verified(token, self._claims, self._person)

    def verify_cookie(self, token: str) -> Identity:
        """The identity in the session cookie: a session token, or what `verify` accepts.

        Raises:
            Unauthenticated, IdentityProviderDown, RevocationsUnread: as `verify`.
        """
        if not is_session(token):
            return self.verify(token)
        return self._verified(token, self._session_claims, _in_session)

    def verify_ticket(self, ticket: str) -> Identity:
        """The identity in `ticket`, which `verify` refuses. Whether it was used is not asked.

        Raises:
            Unauthenticated, RevocationsUnread: as `verify`.
        """
        return self._verified(ticket, self._ticket_claims, self._person)

    def _verified(
        self,
        token: str,
        claims_of: Callable[[str], dict[str, Any]],
        person_of: Callable[[dict[str, Any]], _Person],
    ) -> Identity:
        if len(token) > _MAX_TOKEN_CHARS:
            raise _refused("longer than any token")
        try:
            claims = claims_of(token)
            identity = self._identity(person_of(claims), claims, token)
        except Unauthenticated:
            raise _refused("no key of WAYBILL_JWKS_URL has its id (kid)") from None
        except (BadClaim, _NoAccessToken) as error:
            raise _refused(str(error)) from None
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
            # Hostile tokens also break parsers: deep nesting, unexpected types, huge times.
            raise _refused(_reason(error)) from None
        if self.is_revoked(identity):
            raise _refused("it was revoked")
        return identity

    def is_revoked(self, identity: Identity) -> bool:
        """Whether the token of `identity` was revoked. Reads memory only.

        Raises:
            RevocationsUnread: the denylist has not been read yet.
        """
        return self._denylist is not None and self._denylist.denies(identity.issued)

    def _claims(self, token: str) -> dict[str, Any]:
        if self._keys is None:
            verified = self._decode(token, self._secret or "", ["HS256"])
        else:
            key = self._keys.find(jwt.get_unverified_header(token).get("kid"))
            verified = self._decode(token, key, ["RS256", "ES256"])
        claims: dict[str, Any] = verified["payload"]
        if why := other_purpose(verified["header"], claims):
            raise _NoAccessToken(why)
        if _life(claims) > self._settings.max_token_life:
            raise _NoAccessToken("it is valid for longer than WAYBILL_MAX_TOKEN_LIFE")
        return claims

    def _ticket_claims(self, ticket: str) -> dict[str, Any]:
        if self._secret is None:
            raise _NoAccessToken("tickets need WAYBILL_JWT_SECRET and no WAYBILL_JWKS_URL")
        verified = self._decode(ticket, self._secret, ["HS256"])
        claims: dict[str, Any] = verified["payload"]
        if verified["header"].get("typ") != TICKET_TYPE:
            raise _NoAccessToken("header typ is not that of a ticket")
        if _life(claims) > LONGEST_TICKET_LIFE:
            raise _NoAccessToken("a ticket is valid for five minutes at most")
        return claims

    def _session_claims(self, token: str) -> dict[str, Any]:
        verified = self._decode(token, key_of(self._settings), ["HS256"])
        claims: dict[str, Any] = verified["payload"]
        if verified["header"].get("typ") != SESSION_TYPE:
            raise _NoAccessToken("header typ is not that of a session")
        return claims

    def _decode(
        self, token: str, key: bytes | str | jwt.PyJWK, algorithms: list[str]
    ) -> dict[str, Any]:
        return jwt.decode_complete(
            token,
            key,
            algorithms=algorithms,
            audience=self._audience,
            issuer=self._issuer,
            leeway=_LEEWAY,
            options={"require": _REQUIRED_CLAIMS},
        )

    def _person(self, claims: dict[str, Any]) -> _Person:
        principal = principal_of(claims, self._settings)
        if not self._warned and (missing := missing_claims(claims, self._settings)):
            # Once: a token without roles is a good one, and a wrong setting shows in every token.
            self._warned = True
            log.warning(
                "a token without a claim that the settings name", extra={"missing": missing}
            )
        return _Person(principal, email_of(claims, trusted=self._settings.trust_email_claim))

    def _identity(self, person: _Person, claims: dict[str, Any], token: str) -> Identity:
        principal = person.principal
        if not self._settings.may_operate(principal.tenant):
            # Here, so that nothing behind it sees a role that this tenant cannot give.
            roles = principal.roles - {self._settings.operator_role}
            principal = replace(principal, roles=roles)
        return Identity(
            principal,
            _issued_token(principal, claims, token),
            token=token,
            email=person.email,
            way=person.way,
        )


def _in_session(claims: dict[str, Any]) -> _Person:
    return _Person(person_of(claims), claims.get("email"), claims.get("way"))


def _life(claims: Mapping[str, Any]) -> timedelta:
    """Both times are the issuer's: no difference of clocks enters."""
    return timedelta(seconds=int(claims["exp"]) - int(claims["iat"]))


def _issued_token(principal: Principal, claims: Mapping[str, Any], token: str) -> IssuedToken:
    signed_part = token.rpartition(".")[0]
    token_id = claims.get("jti")
    return IssuedToken(
        principal.tenant,
        principal.user,
        issued_at=datetime.fromtimestamp(int(claims["iat"]), UTC),
        expires_at=datetime.fromtimestamp(int(claims["exp"]), UTC),
        fingerprint=hashlib.sha256(signed_part.encode()).hexdigest(),
        token_id=token_id if isinstance(token_id, str) else None,
    )


def _refused(why: str) -> Unauthenticated:
    """For the caller without a reason, which goes into the log, and to the doctor as a note."""
    log.info("token refused", extra={"why": why})
    refusal = Unauthenticated()
    refusal.add_note(why)
    return refusal


def _reason(error: Exception) -> str:
    """Why the library refused a token, without anything that stands in it."""
    if isinstance(error, jwt.MissingRequiredClaimError):
        return f"claim {error.claim} is missing"
    return next((text for kind, text in _REASONS.items() if isinstance(error, kind)), "no JWT")
