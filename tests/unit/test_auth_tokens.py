"""R16: what a token must be before anybody believes it, with the shared secret."""

from __future__ import annotations

import base64
import json
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest

from waybill.api.problems.errors import Unauthenticated
from waybill.api.session.development_tokens import mint
from waybill.api.session.tokens import TokenVerifier
from waybill.exporter.datasets.principal import Principal
from waybill.infra.config.errors import BadSettings
from waybill.infra.config.logs import JsonLines
from waybill.infra.config.settings import Settings, load

SECRET = "a secret of the tests, long enough for HS256"
OTHER_SECRET = "another secret of the tests, as long as the first"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load(home=tmp_path, jwt_secret=SECRET)


def claims(**changes: Any) -> dict[str, Any]:
    """Claims of a good token, with some of them changed, or left out by None."""
    now = datetime.now(UTC)
    good = {
        "sub": "ana",
        "tenant": "acme",
        "roles": ["sales"],
        "aud": "waybill",
        "iss": "waybill",
        "iat": now,
        "exp": now + timedelta(minutes=5),
    }
    return {name: value for name, value in (good | changes).items() if value is not None}


def signed(headers: dict[str, Any] | None = None, secret: str = SECRET, **changes: Any) -> str:
    return jwt.encode(claims(**changes), secret, algorithm="HS256", headers=headers)


def part(data: object) -> str:
    text = data if isinstance(data, str) else json.dumps(data)
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def unsigned(algorithm: str) -> str:
    body = {name: str(value) for name, value in claims(iat=None, exp=None).items()}
    return f"{part({'alg': algorithm, 'typ': 'JWT'})}.{part(body)}."


def test_a_good_token_says_who_calls_and_until_when(settings: Settings) -> None:
    identity = TokenVerifier(settings).verify(signed())

    assert identity.principal == Principal("ana", "acme", frozenset({"sales"}))
    assert timedelta(minutes=4) < identity.expires_at - datetime.now(UTC) <= timedelta(minutes=5)


def test_a_minted_token_is_a_good_one(settings: Settings) -> None:
    token = mint(settings, "bob", "acme", frozenset({"b", "a"}), timedelta(minutes=1))

    assert TokenVerifier(settings).verify(token).principal == Principal(
        "bob", "acme", frozenset({"a", "b"})
    )


@pytest.mark.parametrize(
    ("verified", "trusting", "kept"),
    [
        ({"email_verified": True}, False, True),
        ({}, False, False),
        ({}, True, True),
        ({"email_verified": False}, True, False),
        ({"email_verified": "true"}, True, False),
        ({"email_verified": 1}, True, False),
    ],
)
def test_r45_only_an_address_that_the_provider_verified_is_the_callers_own(
    tmp_path: Path, verified: dict[str, object], trusting: bool, kept: bool
) -> None:
    settings = load(home=tmp_path, jwt_secret=SECRET, trust_email_claim=trusting)
    token = signed(email="victim@stranger.example", **verified)
    email = TokenVerifier(settings).verify(token).email
    assert email == ("victim@stranger.example" if kept else None)


def test_a_minted_token_has_a_verified_address(settings: Settings) -> None:
    token = mint(settings, "ana", "acme", frozenset(), email="ana@acme.example")
    assert TokenVerifier(settings).verify(token).email == "ana@acme.example"


def test_no_token_is_minted_beside_an_identity_provider(tmp_path: Path) -> None:
    settings = load(home=tmp_path, jwks_url="https://id.example/keys")

    with pytest.raises(BadSettings, match="identity provider"):
        mint(settings, "ana", "acme", frozenset())


def test_a_token_without_roles_has_none(settings: Settings) -> None:
    assert TokenVerifier(settings).verify(signed(roles=None)).principal.roles == frozenset()


def test_clocks_may_differ_by_half_a_minute(settings: Settings) -> None:
    now = datetime.now(UTC)
    early = signed(iat=now + timedelta(seconds=20))
    late = signed(exp=now - timedelta(seconds=20))

    for token in (early, late):
        assert TokenVerifier(settings).verify(token).principal.user == "ana"


def minutes(count: float) -> datetime:
    return datetime.now(UTC) + timedelta(minutes=count)


R16_TOKENS = {
    "alg none": lambda: unsigned("none"),
    "alg None": lambda: unsigned("None"),
    "alg empty": lambda: unsigned(""),
    "another secret": lambda: signed(secret=OTHER_SECRET),
    "HS384": lambda: jwt.encode(claims(), SECRET + SECRET, algorithm="HS384"),
    "a signature cut off": lambda: signed().rpartition(".")[0] + ".",
    "a changed payload": lambda: ".".join(
        [signed().split(".")[0], part({"sub": "root"}), signed().split(".")[2]]
    ),
    "another audience": lambda: signed(aud="payroll"),
    "another issuer": lambda: signed(iss="https://evil.example"),
    "expired": lambda: signed(exp=minutes(-2)),
    "not valid yet": lambda: signed(nbf=minutes(5)),
    "issued in the future": lambda: signed(iat=minutes(5)),
    "no exp": lambda: signed(exp=None),
    "no iat": lambda: signed(iat=None),
    "no sub": lambda: signed(sub=None),
    "no aud": lambda: signed(aud=None),
    "no iss": lambda: signed(iss=None),
    "no tenant": lambda: signed(tenant=None),
    "tenant is a list": lambda: signed(tenant=["acme"]),
    "tenant is a boolean": lambda: signed(tenant=True),
    "tenant is empty": lambda: signed(tenant=""),
    "tenant holds NUL": lambda: signed(tenant="ac\0me"),
    "user holds a line break": lambda: signed(sub="ana\r\nroot"),
    "user is 300 characters": lambda: signed(sub="a" * 300),
    "roles is a number": lambda: signed(roles=7),
    "roles is an object": lambda: signed(roles={"admin": True}),
    "a role is a number": lambda: signed(roles=[1]),
    "exp is a text": lambda: signed(exp="tomorrow"),
    "exp is huge": lambda: signed(exp=10**30),
    "kid is a path, and the alg another": lambda: (
        f"{part({'alg': 'RS256', 'kid': '../../dev/null'})}.{part({})}.{part('x')}"
    ),
    "a critical header nobody knows": lambda: signed(headers={"crit": ["x"], "x": 1}),
    "an encrypted token": lambda: ".".join([part({"alg": "dir", "enc": "A256GCM"}), *"aaaa"]),
    "a bomb": lambda: f"{part({'alg': 'RSA-OAEP', 'zip': 'DEF'})}." + "A" * 1_000_000 + ".a.a.a",
    "a header nested deeply": lambda: f"{part('[' * 5000)}.{part({})}.x",
    "a payload nested deeply": lambda: f"{part({'alg': 'HS256'})}.{part('[' * 5000)}.x",
    "a header that is a list": lambda: f"{part([])}.{part({})}.x",
    "not ASCII": lambda: "ä.ö.ü",
    "half a surrogate pair": lambda: "\ud800.a.b",
    "nothing": lambda: "",
}


@pytest.mark.parametrize("case", R16_TOKENS)
def test_r16_a_token_with_this_fault_is_refused(settings: Settings, case: str) -> None:
    with pytest.raises(Unauthenticated):
        TokenVerifier(settings).verify(R16_TOKENS[case]())


@pytest.mark.parametrize("header", ["jku", "x5u"])
def test_r16_a_header_that_names_a_place_for_keys_is_not_followed(
    settings: Settings, header: str
) -> None:
    address = {header: "http://127.0.0.1:1/keys"}

    # The address is simply not looked at: the right signature is good, a wrong one is not.
    assert TokenVerifier(settings).verify(signed(headers=address)).principal.user == "ana"
    with pytest.raises(Unauthenticated):
        TokenVerifier(settings).verify(signed(headers=address, secret=OTHER_SECRET))


CLAIMS = {
    "roles as one text": ({}, {"roles": "sales"}, ("ana", "acme", {"sales"})),
    "a role with a space is one role": ({}, {"roles": "no admin"}, ("ana", "acme", {"no admin"})),
    "scopes": ({"roles": "scope"}, {"scope": "sales admin"}, ("ana", "acme", {"sales", "admin"})),
    "a path": (
        {"roles": "realm_access.roles"},
        {"realm_access": {"roles": ["sales"]}},
        ("ana", "acme", {"sales"}),
    ),
    "a path through a name with dots": (
        {"roles": "resource_access.my.app.roles"},
        {"resource_access": {"my.app": {"roles": ["sales"]}}},
        ("ana", "acme", {"sales"}),
    ),
    "a name with dots": (
        {"roles": "https://exports.example.com/roles"},
        {"https://exports.example.com/roles": ["sales"]},
        ("ana", "acme", {"sales"}),
    ),
    "two claims": (
        {"roles": "groups,realm_access.roles"},
        {"groups": ["sales"], "realm_access": {"roles": "admin"}},
        ("ana", "acme", {"sales", "admin"}),
    ),
    "a path that leads nowhere": (
        {"roles": "realm_access.roles"},
        {"realm_access": "none"},
        ("ana", "acme", set()),
    ),
    "another tenant": ({"tenant": "org.id"}, {"org": {"id": 42}}, ("ana", "42", {"sales"})),
    "the issuer as tenant": ({"tenant": "iss"}, {}, ("ana", "waybill", {"sales"})),
    "another user": (
        {"user": "preferred_username"},
        {"preferred_username": "ana@acme"},
        ("ana@acme", "acme", {"sales"}),
    ),
}


@pytest.mark.parametrize("case", CLAIMS)
def test_claims_are_those_that_the_settings_name(case: str, tmp_path: Path) -> None:
    names, changes, (user, tenant, roles) = CLAIMS[case]
    settings = load(
        home=tmp_path,
        jwt_secret=SECRET,
        **{f"jwt_{kind}_claim": name for kind, name in names.items()},
    )
    assert TokenVerifier(settings).verify(signed(**changes)).principal == Principal(
        user, tenant, frozenset(roles)
    )


def test_a_minted_token_has_the_claims_that_the_settings_name(tmp_path: Path) -> None:
    settings = load(
        home=tmp_path,
        jwt_secret=SECRET,
        jwt_user_claim="preferred_username",
        jwt_tenant_claim="org.id",
        jwt_roles_claim="realm_access.roles,groups",
    )
    minted = mint(settings, "bob", "acme", frozenset({"sales"}))
    assert TokenVerifier(settings).verify(minted).principal == Principal(
        "bob", "acme", frozenset({"sales"})
    )


@pytest.mark.parametrize(
    ("token", "why"),
    [
        (lambda: signed(tenant=None), "claim tenant is missing"),
        (lambda: signed(sub=None), "claim sub is missing"),
        (lambda: signed(tenant=["acme"]), "claim tenant holds something else"),
        (lambda: signed(roles={"admin": 1}), "claim roles is neither a list nor a text"),
        (lambda: signed(exp=minutes(-2)), "it has expired"),
        (lambda: signed(aud="canary-7c1f"), "claim aud is not WAYBILL_JWT_AUDIENCE"),
        (lambda: signed(iss="canary-7c1f"), "claim iss is not WAYBILL_JWT_ISSUER"),
        (lambda: signed(secret=OTHER_SECRET), "its signature is another's"),
        (lambda: "canary-7c1f", "no JWT"),
    ],
)
def test_the_log_says_why_a_token_was_refused_and_repeats_nothing_of_it(
    settings: Settings, caplog: pytest.LogCaptureFixture, token: Any, why: str
) -> None:
    with (
        caplog.at_level(logging.INFO, "waybill.api.session"),
        pytest.raises(Unauthenticated) as caught,
    ):
        TokenVerifier(settings).verify(token())

    [record] = caplog.records
    assert record.why.startswith(why)  # type: ignore[attr-defined]
    assert "canary" not in JsonLines().format(record)
    assert why not in caught.value.message


def test_tokens_without_roles_are_mentioned_once(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    verifier = TokenVerifier(settings)
    for _ in range(3):
        verifier.verify(signed(roles=None))

    [record] = caplog.records
    assert record.missing == ["roles"]  # type: ignore[attr-defined]
