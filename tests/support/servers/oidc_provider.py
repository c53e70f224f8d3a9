"""An OpenID Connect provider in a process of its own, with a login page, for one client.

It is strict: code, redirect address, client and PKCE are checked, and a code works once. A fault
makes it answer as a broken or hostile one would.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from secrets import token_urlsafe
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

import httpx2
import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

CLIENT, CLIENT_SECRET = "waybill at acme", "a secret: of % the client"


class Provider:
    """The other side of a running provider."""

    def __init__(self, url: str) -> None:
        self.url = url

    def set(self, **state: Any) -> None:
        """Change what it does next: `fault`, `claims`, `userinfo`, or `kid`, the id of its key."""
        httpx2.post(f"{self.url}/control", json=state).raise_for_status()

    def asked(self) -> list[str]:
        """The paths that were asked for."""
        paths: list[str] = httpx2.get(f"{self.url}/control").json()
        return paths


@contextmanager
def running_provider() -> Iterator[Provider]:
    """A provider while the block runs."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.servers.oidc_provider"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    try:
        assert process.stdout is not None
        yield Provider(process.stdout.readline().strip())
    finally:
        process.kill()
        process.wait(10)
        if process.stdout:
            process.stdout.close()


class _Server(ThreadingHTTPServer):
    """The state of a provider."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.keys = {name: rsa.generate_private_key(65537, 2048) for name in ("1", "2", "thief")}
        self.codes: dict[str, dict[str, str]] = {}
        self.asked: list[str] = []
        self.state: dict[str, Any] = {"fault": "", "claims": {}, "userinfo": {}, "kid": "1"}

    def id_token(self, grant: dict[str, str], access_token: str) -> str:
        fault, now = self.state["fault"], int(time.time())
        half = hashlib.sha256(access_token.encode()).digest()[:16]
        claims = {
            "iss": self.url,
            "sub": grant["user"],
            "aud": CLIENT,
            "iat": now,
            "exp": now + 300,
            "nonce": grant.get("nonce"),
            "at_hash": base64.urlsafe_b64encode(half).rstrip(b"=").decode(),
            **self.state["claims"],
        }
        claims |= {
            "nonce": {"nonce": "of another login"},
            "no nonce": {"nonce": None},
            "issuer": {"iss": "http://127.0.0.1:1"},
            "audience": {"aud": "another client"},
            "audience for us": {"aud": "another client", "azp": CLIENT},
            "no azp": {"aud": [CLIENT, "another client"]},
            "azp": {"aud": [CLIENT, "another client"], "azp": "another client"},
            "expired": {"iat": now - 900, "exp": now - 600},
            "at_hash": {"at_hash": base64.urlsafe_b64encode(bytes(16)).decode()},
        }.get(fault, {})
        claims = {name: value for name, value in claims.items() if value is not None}
        kid = self.state["kid"]
        headers = {"kid": "of nobody" if fault == "key id" else kid}
        if fault == "alg none":
            return jwt.encode(claims, None, algorithm="none", headers=headers)
        if fault == "alg HS256":
            return jwt.encode(claims, CLIENT_SECRET * 2, algorithm="HS256", headers=headers)
        key = self.keys["thief" if fault == "key" else kid]
        return jwt.encode(claims, key, algorithm="RS256", headers=headers)


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path == "/control":
            self._json(self.server.asked)
            return
        self.server.asked.append(parts.path)
        url, fault = self.server.url, self.server.state["fault"]
        match parts.path:
            case "/.well-known/openid-configuration":
                self._json(
                    {
                        "issuer": "http://127.0.0.1:1" if fault == "other issuer" else url,
                        "authorization_endpoint": f"{url}/authorize",
                        "token_endpoint": f"{url}/token",
                        "jwks_uri": f"{url}/keys",
                        "userinfo_endpoint": f"{url}/userinfo",
                        "end_session_endpoint": f"{url}/logout",
                    }
                )
            case "/keys":
                kid = self.server.state["kid"]
                public = RSAAlgorithm.to_jwk(self.server.keys[kid].public_key(), as_dict=True)
                self._json({"keys": [{**public, "kid": kid}]})
            case "/authorize":
                self._authorize(query)
            case "/userinfo":
                self._json(self.server.state["userinfo"])
            case "/logout":
                back = html.escape(query["post_logout_redirect_uri"])
                self._page(f"<h1>Bye</h1><a href='{back}'>Back</a>")
            case "/favicon.ico":
                # Browsers ask for it by themselves, and report a 404.
                self._send(b"", "image/x-icon", 200)
            case _:
                self._json({}, 404)

    def _authorize(self, query: dict[str, str]) -> None:
        good = (query.get("client_id"), query.get("response_type")) == (CLIENT, "code")
        good = good and query.get("code_challenge_method") == "S256" and "openid" in query["scope"]
        if not good:
            self._page("<h1>Bad request</h1>", 400)
            return
        fields = "".join(
            f"<input type=hidden name='{name}' value='{html.escape(value, quote=True)}'>"
            for name, value in query.items()
        )
        self._page(
            f"<h1>Acme accounts</h1><form method=post action=/authorize>{fields}"
            "<label>User <input name=user></label><button>Continue</button>"
            "<button name=cancel value=1>Cancel</button></form>"
        )

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        if self.path == "/control":
            self.server.state.update(json.loads(body))
            self._json({})
            return
        self.server.asked.append(self.path)
        form = {name: values[0] for name, values in parse_qs(body).items()}
        if self.path == "/authorize":
            answer = {"state": form["state"], "iss": self.server.url}
            if "cancel" in form:
                answer["error"] = "access_denied"
            else:
                answer["code"] = token_urlsafe()
                self.server.codes[answer["code"]] = form
            if self.server.state["fault"] == "mix-up":
                answer["iss"] = "http://127.0.0.1:1"
            self.send_response(303)
            self.send_header("Location", f"{form['redirect_uri']}?{urlencode(answer)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self._token(form)

    def _token(self, form: dict[str, str]) -> None:
        grant = self.server.codes.pop(form.get("code", ""), None)
        sent = base64.b64decode(self.headers.get("authorization", "").removeprefix("Basic "))
        who = tuple(unquote(part) for part in sent.decode().split(":"))
        hashed = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(hashed).rstrip(b"=").decode()
        good = grant is not None and who == (CLIENT, CLIENT_SECRET)
        good = good and grant is not None and grant["code_challenge"] == challenge
        good = good and grant is not None and grant["redirect_uri"] == form["redirect_uri"]
        if not good or self.server.state["fault"] == "token":
            self._json({"error": "invalid_grant", "error_description": "secret detail"}, 400)
            return
        if self.server.state["fault"] == "no json":
            self._page("<h1>Down for maintenance</h1>")
            return
        assert grant is not None
        access_token = token_urlsafe()
        self._json(
            {
                "access_token": access_token,
                "token_type": "Bearer",
                "id_token": self.server.id_token(grant, access_token),
            }
        )

    def _json(self, value: object, status: int = 200) -> None:
        self._send(json.dumps(value).encode(), "application/json", status)

    def _page(self, body: str, status: int = 200) -> None:
        text = f"<!doctype html><html lang=en><title>Acme</title><body>{body}</body></html>"
        self._send(text.encode(), "text/html; charset=utf-8", status)

    def _send(self, body: bytes, kind: str, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        pass


if __name__ == "__main__":
    running = _Server()
    sys.stdout.write(running.url + "\n")
    sys.stdout.flush()
    running.serve_forever()
