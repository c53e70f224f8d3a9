"""What `waybill doctor` says of tokens and of the provider that people log in at."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest

from tests.support.servers.oidc_provider import CLIENT, running_provider
from waybill.api.cli.doctor.claims import check_claims, read_token
from waybill.api.cli.doctor.identity_provider import check_login
from waybill.api.problems.errors import IdentityProviderDown
from waybill.exporter.errors import InvalidRequest
from waybill.infra.bootstrap import Stack
from waybill.infra.config.settings import load

SECRET = "a secret of the tests, long enough for HS256"


def described(home: Path, secret: str = SECRET, **claims: Any) -> str:
    settings = load(
        home=home,
        jwt_secret=SECRET,
        jwt_tenant_claim="org.id",
        jwt_roles_claim="groups",
        jwt_attributes="region",
    )
    now = datetime.now(UTC)
    good = {"sub": "ann", "aud": "waybill", "iss": "waybill", "iat": now}
    token = jwt.encode(good | {"exp": now + timedelta(minutes=5)} | claims, secret, "HS256")
    with Stack(settings) as stack:
        return check_claims(stack, token)


def test_a_good_token_is_described(tmp_path: Path) -> None:
    found = described(tmp_path, org={"id": 7}, groups=["sales"], region="EU")
    assert found == (
        "user ann, tenant 7; roles sales; region = EU; mail none that is verified; "
        "the API accepts it"
    )


def test_a_claim_that_is_missing_is_named(tmp_path: Path) -> None:
    assert "claim groups is missing; claim region is missing" in described(tmp_path, org={"id": 7})
    with pytest.raises(InvalidRequest) as refusal:
        described(tmp_path, tenant="acme")
    assert refusal.value.message == (
        "Claim org.id is missing. It has aud, exp, iat, iss, sub, tenant."
    )


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"secret": SECRET * 2}, "its signature is another's"),
        ({"aud": "payroll"}, "claim aud is not WAYBILL_JWT_AUDIENCE"),
        ({"exp": datetime(2020, 1, 1, tzinfo=UTC)}, "it has expired (exp)"),
    ],
)
def test_a_token_that_is_refused_says_why(tmp_path: Path, change: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidRequest, match="The API refuses it") as refusal:
        described(tmp_path, org={"id": 7}, **change)
    assert why in refusal.value.message


def test_what_is_no_token_is_said_to_be_none(tmp_path: Path) -> None:
    with Stack(load(home=tmp_path)) as stack, pytest.raises(InvalidRequest, match="no JWT"):
        check_claims(stack, "nonsense")


def test_a_token_is_read_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(" a.b.c\n"))
    assert (read_token("-"), read_token("d.e.f")) == ("a.b.c", "d.e.f")


def test_the_provider_that_people_log_in_at_is_asked(tmp_path: Path) -> None:
    more = {"oidc_client_id": CLIENT, "public_url": "http://127.0.0.1:1"}
    with running_provider() as provider:
        with Stack(load(home=tmp_path, oidc_issuer=provider.url, **more)) as stack:
            assert check_login(stack) == f"at {provider.url} answers, with 1 keys"
        gone = provider.url
    with (
        Stack(load(home=tmp_path, oidc_issuer=gone, **more)) as stack,
        pytest.raises(IdentityProviderDown, match="does not answer: ConnectError"),
    ):
        check_login(stack)
    with Stack(load(home=tmp_path)) as stack:
        assert check_login(stack) == "by access tokens and login links"
