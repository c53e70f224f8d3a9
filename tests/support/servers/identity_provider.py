"""An identity provider: a real HTTP server with a key set, and tokens that it would issue."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

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
        #: Answered in place of the key set: another document, or a page.
        self.body: bytes | None = None
        self.requests: list[str] = []
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.requests.append(self.path)
                body = provider.body or json.dumps({"keys": provider.keys}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/keys"
        self._thread = Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def close(self) -> None:
        """Go away: connections are refused. Doing it twice is harmless."""
        self.server.shutdown()
        self.server.server_close()
        self._thread.join(10)


@pytest.fixture
def provider() -> Iterator[IdentityProvider]:
    """One that runs during the test."""
    provider = IdentityProvider()
    yield provider
    provider.close()


def provider_token(key: Any, algorithm: str, **headers: Any) -> str:
    """A token of user ana of tenant acme, valid for five minutes."""
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
