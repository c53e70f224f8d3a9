"""R16 with the keys of an identity provider, which is a real HTTP server here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from waybill.api.problems.errors import IdentityProviderDown, Unauthenticated
from waybill.api.session.tokens import TokenVerifier
from waybill.infra.config.settings import load

RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
THIEF_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


class IdentityProvider:
    """Serves a key set that a test may change, and counts who asks."""

    def __init__(self) -> None:
        self.keys: list[dict[str, Any]] = [
            {**RSAAlgorithm.to_jwk(RSA_KEY.public_key(), as_dict=True), "kid": "rsa-1"},
            {**ECAlgorithm.to_jwk(EC_KEY.public_key(), as_dict=True), "kid": "ec-1"},
        ]
        self.requests: list[str] = []
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.requests.append(self.path)
                body = json.dumps({"keys": provider.keys}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/keys"


@pytest.fixture
def provider() -> Iterator[IdentityProvider]:
    provider = IdentityProvider()
    thread = Thread(target=provider.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield provider
    provider.server.shutdown()
    provider.server.server_close()
    thread.join(10)


@pytest.fixture
def verifier(provider: IdentityProvider, tmp_path: Path) -> TokenVerifier:
    return TokenVerifier(load(home=tmp_path, jwks_url=provider.url))


def token(key: Any, algorithm: str, **headers: Any) -> str:
    now = datetime.now(UTC)
    claims = {
        "sub": "ana",
        "tenant": "acme",
        "roles": ["sales"],
        "aud": "waybill",
        "iss": "waybill",
        "iat": now,
        "exp": now + timedelta(minutes=5),
    }
    return jwt.encode(claims, key, algorithm=algorithm, headers=headers)


def test_tokens_of_the_provider_s_keys_are_good_and_its_keys_are_kept(
    provider: IdentityProvider, verifier: TokenVerifier
) -> None:
    for _ in range(3):
        assert verifier.verify(token(RSA_KEY, "RS256", kid="rsa-1")).principal.user == "ana"
        assert verifier.verify(token(EC_KEY, "ES256", kid="ec-1")).principal.tenant == "acme"

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
    payload = jwt.decode(token(RSA_KEY, "RS256"), options={"verify_signature": False})
    return forger.encode(json.dumps(payload).encode(), pem, "HS256", headers={"kid": "rsa-1"})


R16_TOKENS = {
    "HS256 with the public key": public_key_as_secret,
    "another's key under our key's id": lambda: token(THIEF_KEY, "RS256", kid="rsa-1"),
    "another algorithm of the same key": lambda: token(RSA_KEY, "PS256", kid="rsa-1"),
    "RSA's token under the other key's id": lambda: token(RSA_KEY, "RS256", kid="ec-1"),
    "no key id": lambda: token(RSA_KEY, "RS256"),
    "an unknown key id": lambda: token(THIEF_KEY, "RS256", kid="rsa-2"),
    "a path as key id": lambda: token(THIEF_KEY, "RS256", kid="../../../dev/null"),
    "SQL as key id": lambda: token(THIEF_KEY, "RS256", kid="x' UNION SELECT 'secret"),
    "keys brought along": lambda: token(
        THIEF_KEY,
        "RS256",
        kid="rsa-1",
        jwk=RSAAlgorithm.to_jwk(THIEF_KEY.public_key(), as_dict=True),
        jku="http://127.0.0.1:1/keys",
    ),
    "the development secret": lambda: token("x" * 48, "HS256", kid="rsa-1"),
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
            verifier.verify(token(THIEF_KEY, "RS256", kid=f"rsa-{number}00"))

    assert len(provider.requests) == 1


def test_a_provider_that_is_away_is_not_the_caller_s_fault(tmp_path: Path) -> None:
    verifier = TokenVerifier(load(home=tmp_path, jwks_url="http://127.0.0.1:9/keys"))

    with pytest.raises(IdentityProviderDown):
        verifier.verify(token(RSA_KEY, "RS256", kid="rsa-1"))
