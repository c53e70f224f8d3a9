"""Guards of logins elsewhere and of pages of other origins, R57, R58, R61 and R62 of the matrix."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jwt
from starlette.requests import Request

from tests.support.mutations.mutation import Mutation, always, nothing
from waybill.api.http.cookies import cookie_of
from waybill.api.session.oidc import attempts
from waybill.api.session.oidc.provider import Attempt
from waybill.infra.config.settings import Settings

OIDC = "waybill.api.session.oidc"
TEST = "integration/test_api_oidc.py::test_r57_"
FAULT = f"{TEST}an_answer_with_this_fault_logs_nobody_in"
MOUNTED = "integration/test_api_mounted.py::test_r61_"
EMBED = "integration/test_api_embed.py::test_r62_"
AUTH = "waybill.api.session.auth"
PROXY = "integration/test_api_proxy_login.py::test_r58_"

_decode = jwt.decode_complete


def decoded_without(argument: str, claim: str) -> Callable[..., Any]:
    """What verifies an ID token, but for one of its claims."""

    def decode(token: str, key: Any, **given: Any) -> Any:
        del given[argument]
        options = {**given.pop("options"), f"verify_{claim}": False}
        return _decode(token, key, options=options, **given)

    return decode


class UncheckedClaims(dict[str, Any]):
    """Claims of an ID token that nobody compares with the login."""

    def __init__(self, claims: Any, *_: Any, **__: Any) -> None:
        super().__init__(claims)

    def validate(self, **_: Any) -> None:
        """Find nothing wrong."""


def first_attempt_of(_state: str, request: Request, settings: Settings) -> Attempt:
    """`take` without its check of the state: the first login that this browser has begun."""
    [name, *_] = [name for name in request.cookies if name.startswith("waybill_login_")]
    text = cookie_of(request, name)
    return Attempt(*attempts._serializer(settings).loads(text))


LOGIN_GUARDS = {
    "r57 the state of a login": Mutation(
        f"{OIDC}.routes.take",
        first_attempt_of,
        f"{TEST}the_state_of_one_tab_does_not_answer_for_another",
    ),
    "r57 the nonce of a login": Mutation(
        f"{OIDC}.id_token.CodeIDToken", UncheckedClaims, f"{FAULT}[nonce]"
    ),
    "r57 a code challenge": Mutation(
        f"{OIDC}.routes.create_s256_code_challenge",
        always("x" * 43),
        f"{TEST}the_request_has_pkce_state_and_nonce_and_no_two_are_alike",
    ),
    "r57 the issuer of an ID token": Mutation(
        "jwt.decode_complete", decoded_without("issuer", "iss"), f"{FAULT}[issuer]"
    ),
    "r57 the audience of an ID token": Mutation(
        "jwt.decode_complete", decoded_without("audience", "aud"), f"{FAULT}[audience for us]"
    ),
    "r57 the issuer of an answer": Mutation(
        f"{OIDC}.provider.Provider.is_issuer", always(True), f"{FAULT}[mix-up]"
    ),
    "r57 a place of our own": Mutation(
        f"{OIDC}.routes.own_path",
        str,
        f"{TEST}a_login_continues_on_this_host_only[https://evil.example/-/]",
    ),
    "r58 networks of the proxy": Mutation(
        "waybill.infra.config.proxy_login.ProxyLoginSettings.is_login_proxy",
        always(True),
        f"{PROXY}from_another_address_the_headers_are_ignored[alone]",
    ),
    "r58 the address of the connection": Mutation(
        "waybill.api.session.proxy_login.peer_of",
        lambda scope: dict(scope["headers"]).get(b"x-forwarded-for", b"").decode(),
        f"{PROXY}from_another_address_the_headers_are_ignored[forwarded]",
    ),
    "r58 one value of a header": Mutation(
        "waybill.api.session.proxy_login._values",
        lambda scope, name: [value for key, value in scope["headers"] if key == name][:1],
        f"{PROXY}headers_that_are_not_those_of_one_person_name_nobody[two users]",
    ),
    "r57 only roles of the map": Mutation(
        "waybill.api.session.claims.our_roles",
        lambda stated, _names: frozenset(stated),
        f"{TEST}a_role_that_the_map_does_not_name_is_none",
    ),
    "r61 a refusal of the host": Mutation(
        f"{AUTH}.host_refused", always(False), f"{MOUNTED}what_the_hosts_login_says_holds"
    ),
    "r61 pages of other sites": Mutation(
        f"{AUTH}._check_sender",
        nothing,
        f"{MOUNTED}a_page_of_another_site_uses_no_login_of_the_host",
    ),
    "r62 the one thing that other origins may start": Mutation(
        f"{AUTH}.starts_export", always(True), f"{EMBED}it_does_nothing_else"
    ),
    "r62 a named origin": Mutation(
        f"{AUTH}._check_sender", nothing, f"{EMBED}other_origins_get_nothing[https://evil.example]"
    ),
}
