"""R50: tokens that are valid for too long, or were issued for something else than access."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import jwt
import pytest

from waybill.api.http.cursors import Cursors, ListFilter
from waybill.api.problems.errors import Unauthenticated
from waybill.api.session.development_tokens import mint
from waybill.api.session.session_tokens import SESSION_TYPE
from waybill.api.session.token_purpose import TICKET_TYPE
from waybill.api.session.tokens import TokenVerifier
from waybill.exporter.datasets.principal import Principal
from waybill.exporter.errors import InvalidRequest
from waybill.infra.config.errors import BadSettings
from waybill.infra.config.settings import Settings, load

SECRET = "a secret of the tests, long enough for HS256"
NOW, SECOND = timedelta(), timedelta(seconds=1)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load(home=tmp_path, jwt_secret=SECRET)


def signed(header_type: object = "JWT", /, **changes: Any) -> str:
    """A token signed now; times may be given as what they are later than now."""
    now = datetime.now(UTC).replace(microsecond=0)
    claims = {
        "sub": "ana", "tenant": "acme", "aud": "waybill", "iss": "waybill",
        "iat": NOW, "exp": 5 * MINUTE,
    } | changes  # fmt: skip
    claims = {
        name: now + value if isinstance(value, timedelta) else value
        for name, value in claims.items()
    }
    headers = None if header_type == "JWT" else {"typ": header_type}
    return jwt.encode(claims, SECRET, algorithm="HS256", headers=headers)


def is_accepted(settings: Settings, token: str) -> bool:
    try:
        TokenVerifier(settings).verify(token)
    except Unauthenticated:
        return False
    return True


def is_ticket(settings: Settings, ticket: str) -> bool:
    try:
        TokenVerifier(settings).verify_ticket(ticket)
    except Unauthenticated:
        return False
    return True


@pytest.mark.parametrize(
    ("iat", "exp", "accepted"),
    [
        (NOW, DAY, True),
        (NOW, DAY + SECOND, False),
        (NOW, 36_500 * DAY, False),
        # Issued long ago, and valid for a moment longer: its life counts, and not what is left.
        (-2 * DAY, MINUTE, False),
        (MINUTE - DAY, MINUTE, True),
        (-(10**9), MINUTE, False),
    ],
)
def test_r50_a_token_is_valid_for_a_day_at_most(
    settings: Settings, iat: object, exp: object, accepted: bool
) -> None:
    assert is_accepted(settings, signed(iat=iat, exp=exp)) is accepted


def test_r50_the_longest_life_is_a_setting_that_development_tokens_keep_to(tmp_path: Path) -> None:
    short = load(home=tmp_path, jwt_secret=SECRET, max_token_life=3600)
    hour = timedelta(hours=1)

    assert is_accepted(short, mint(short, "ana", "acme", frozenset()))
    assert is_accepted(short, mint(short, "ana", "acme", frozenset(), hour))
    assert not is_accepted(short, signed(exp=hour + SECOND))
    with pytest.raises(InvalidRequest, match=r"WAYBILL_MAX_TOKEN_LIFE .* for 1 hours at most"):
        mint(short, "ana", "acme", frozenset(), hour * 2)
    for wrong in ("59", "2592001", "a day"):
        with pytest.raises(BadSettings, match=r"^WAYBILL_MAX_TOKEN_LIFE: "):
            load(home=tmp_path, max_token_life=wrong)


@pytest.mark.parametrize(
    ("typ", "claims", "accepted"),
    [
        ("JWT", {}, True),
        ("jwt", {}, True),
        (None, {}, True),
        ("at+jwt", {}, True),
        ("application/at+JWT", {}, True),
        ("logout+jwt", {}, False),
        ("dpop+jwt", {}, False),
        ("secevent+jwt", {}, False),
        ("id_token+jwt", {}, False),
        (7, {}, False),
        ("JWT", {"nonce": "n-0S6_WzA2Mj"}, False),
        ("JWT", {"nonce": None}, False),
        ("JWT", {"at_hash": "77QmUPtjPfzWtF2AnpK9RQ"}, False),
        ("at+jwt", {"c_hash": "77QmUPtjPfzWtF2AnpK9RQ"}, False),
        ("JWT", {"events": {"http://schemas.openid.net/event/backchannel-logout": {}}}, False),
        # Keycloak, whose old versions repeat the nonce in access tokens.
        ("JWT", {"typ": "Bearer", "nonce": "n-0S6_WzA2Mj"}, True),
        ("JWT", {"typ": "ID"}, False),
        ("JWT", {"typ": "Refresh"}, False),
        ("JWT", {"typ": ["Bearer"]}, False),
        # Amazon Cognito.
        ("JWT", {"token_use": "access"}, True),
        ("JWT", {"token_use": "id"}, False),
        ("at+jwt", {"token_use": "id"}, False),
    ],
)
def test_r50_a_token_for_another_purpose_lets_nobody_in(
    settings: Settings, typ: object, claims: dict[str, Any], accepted: bool
) -> None:
    assert is_accepted(settings, signed(typ, **claims)) is accepted


def test_r50_what_we_sign_for_other_purposes_is_no_token(settings: Settings) -> None:
    ana = Principal("ana", "acme", frozenset())
    cursor = Cursors(lambda: settings.derived_key("cursors")).write(
        ana, ListFilter(), datetime.now(UTC), uuid4()
    )
    key = settings.derived_key("cursors")
    forged = jwt.encode(jwt.decode(signed(), options={"verify_signature": False}), key)

    assert not is_accepted(settings, cursor)
    assert not is_accepted(settings, forged)


@pytest.mark.parametrize(
    ("typ", "claims", "accepted"),
    [
        (TICKET_TYPE, {}, True),
        ("JWT", {}, False),
        ("at+jwt", {}, False),
        (SESSION_TYPE, {}, False),
        (TICKET_TYPE, {"aud": "another"}, False),
        (TICKET_TYPE, {"iss": "another"}, False),
        (TICKET_TYPE, {"iat": -10 * MINUTE, "exp": -5 * MINUTE}, False),
        (TICKET_TYPE, {"exp": 6 * MINUTE}, False),
        (TICKET_TYPE, {"tenant": ""}, False),
    ],
)
def test_r55_a_ticket_is_for_us_alone_and_for_minutes(
    settings: Settings, typ: str, claims: dict[str, Any], accepted: bool
) -> None:
    assert is_ticket(settings, signed(typ, **claims)) is accepted


def test_r55_beside_an_identity_provider_no_ticket_is_accepted(tmp_path: Path) -> None:
    provider = load(home=tmp_path, jwt_secret=SECRET, jwks_url="https://id.example/keys")
    assert not is_ticket(provider, signed(TICKET_TYPE))
