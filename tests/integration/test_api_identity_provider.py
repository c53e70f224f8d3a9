"""R16 with the keys of an identity provider, which is a real HTTP server here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from jwt.algorithms import RSAAlgorithm

from tests.support.servers.identity_provider import (
    EC_KEY,
    RSA_KEY,
    THIEF_KEY,
    IdentityProvider,
    provider_token,
)
from waybill.api.problems.errors import IdentityProviderDown, Unauthenticated
from waybill.api.session.tokens import TokenVerifier
from waybill.infra.config.errors import BadSettings
from waybill.infra.config.settings import load


@pytest.fixture
def verifier(provider: IdentityProvider, tmp_path: Path) -> Iterator[TokenVerifier]:
    verifier = TokenVerifier(load(home=tmp_path, jwks_url=provider.url))
    yield verifier
    verifier.close()


def test_tokens_of_the_provider_s_keys_are_good_and_its_keys_are_kept(
    provider: IdentityProvider, verifier: TokenVerifier
) -> None:
    for _ in range(3):
        assert (
            verifier.verify(provider_token(RSA_KEY, "RS256", kid="rsa-1")).principal.user == "ana"
        )
        assert (
            verifier.verify(provider_token(EC_KEY, "ES256", kid="ec-1")).principal.tenant == "acme"
        )

    assert provider.requests == ["/keys"]


def public_key_as_secret() -> str:
    """A token signed with HS256, the key being what everybody can read."""
    pem = RSA_KEY.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    # The library refuses to sign so; a forger has no such scruples.
    algorithm = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    algorithm.prepare_key = lambda key: key  # type: ignore[method-assign]
    forger = jwt.PyJWS()
    forger.unregister_algorithm("HS256")
    forger.register_algorithm("HS256", algorithm)
    payload = jwt.decode(provider_token(RSA_KEY, "RS256"), options={"verify_signature": False})
    return forger.encode(json.dumps(payload).encode(), pem, "HS256", headers={"kid": "rsa-1"})


R16_TOKENS = {
    "HS256 with the public key": public_key_as_secret,
    "another's key under our key's id": lambda: provider_token(THIEF_KEY, "RS256", kid="rsa-1"),
    "another algorithm of the same key": lambda: provider_token(RSA_KEY, "PS256", kid="rsa-1"),
    "RSA's token under the other key's id": lambda: provider_token(RSA_KEY, "RS256", kid="ec-1"),
    "no key id": lambda: provider_token(RSA_KEY, "RS256"),
    "an unknown key id": lambda: provider_token(THIEF_KEY, "RS256", kid="rsa-2"),
    "a path as key id": lambda: provider_token(THIEF_KEY, "RS256", kid="../../../dev/null"),
    "SQL as key id": lambda: provider_token(THIEF_KEY, "RS256", kid="x' UNION SELECT 'secret"),
    "keys brought along": lambda: provider_token(
        THIEF_KEY,
        "RS256",
        kid="rsa-1",
        jwk=RSAAlgorithm.to_jwk(THIEF_KEY.public_key(), as_dict=True),
        jku="http://127.0.0.1:1/keys",
    ),
    "the development secret": lambda: provider_token("x" * 48, "HS256", kid="rsa-1"),
}


@pytest.mark.parametrize("case", R16_TOKENS)
def test_r16_a_token_with_this_fault_is_refused(
    provider: IdentityProvider, verifier: TokenVerifier, case: str
) -> None:
    with pytest.raises(Unauthenticated):
        verifier.verify(R16_TOKENS[case]())

    assert set(provider.requests) <= {"/keys"}


def test_made_up_key_ids_do_not_turn_into_requests(
    provider: IdentityProvider, verifier: TokenVerifier
) -> None:
    for number in range(20):
        with pytest.raises(Unauthenticated):
            verifier.verify(provider_token(THIEF_KEY, "RS256", kid=f"rsa-{number}00"))

    assert len(provider.requests) == 1


def test_a_provider_that_is_away_is_not_the_caller_s_fault(tmp_path: Path) -> None:
    verifier = TokenVerifier(load(home=tmp_path, jwks_url="http://127.0.0.1:9/keys"))

    with pytest.raises(IdentityProviderDown):
        verifier.verify(provider_token(RSA_KEY, "RS256", kid="rsa-1"))
    verifier.close()


@pytest.mark.parametrize("url", ["foo", "file:///etc/passwd", "https://", "id.example/keys"])
def test_a_setting_that_is_no_address_is_one_line(url: str, tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="WAYBILL_JWKS_URL: must be https:// and the address"):
        load(home=tmp_path, jwks_url=url)
