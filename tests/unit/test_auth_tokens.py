"""R16: what a token must be before anybody believes it, with the shared secret."""

from __future__ import annotations

import base64
import json
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
    "tenant is empty": lambda: signed(tenant=""),
    "tenant holds NUL": lambda: signed(tenant="ac\0me"),
    "user holds a line break": lambda: signed(sub="ana\r\nroot"),
    "user is 300 characters": lambda: signed(sub="a" * 300),
    "roles is a text": lambda: signed(roles="admin"),
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
