"""R46 and R48: an identity provider that hangs, goes away, or has other or weak keys."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from tests.support.eventually import wait_for
from tests.support.servers.identity_provider import (
    RSA_KEY,
    THIEF_KEY,
    IdentityProvider,
    provider_token,
)
from waybill.api.problems.errors import IdentityProviderDown, Unauthenticated
from waybill.api.session.provider_keys import ProviderKeys
from waybill.api.session.tokens import TokenVerifier
from waybill.infra.config.settings import load


def good() -> str:
    return provider_token(RSA_KEY, "RS256", kid="rsa-1")


class Clock:
    """A clock that stands until a test moves it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def verifier(provider: IdentityProvider, tmp_path: Path, clock: Clock) -> Iterator[TokenVerifier]:
    settings = load(home=tmp_path, jwks_url=provider.url)
    verifier = TokenVerifier(settings, ProviderKeys(provider.url, clock))
    verifier.start()
    yield verifier
    verifier.close()


def refused(verifier: TokenVerifier, token: str) -> type[Exception] | None:
    try:
        verifier.verify(token)
    except (IdentityProviderDown, Unauthenticated) as error:
        return type(error)
    return None


def test_r48_no_request_waits_for_a_provider_that_hangs(tmp_path: Path):
    # It accepts, and never answers.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/keys"
        keys = ProviderKeys(url)
        verifier = TokenVerifier(load(home=tmp_path, jwks_url=url), keys)
        # As the application starts, which waits longer, and once.
        keys.start(seconds=0)
        # In one thread: were they to wait for the provider, this would take minutes.
        with ThreadPoolExecutor(1) as thread:
            answers = list(thread.map(lambda _: refused(verifier, good()), range(100)))
        verifier.close()
    assert answers == [IdentityProviderDown] * 100


def test_r48_the_last_good_keys_are_used_for_an_hour(provider, verifier, clock):
    assert refused(verifier, good()) is None
    provider.close()
    clock.now += 3599
    # Somebody makes up a key id, so the provider is asked, in vain.
    unknown = provider_token(THIEF_KEY, "RS256", kid="rsa-9")
    assert refused(verifier, unknown) is IdentityProviderDown
    wait_for(lambda: refused(verifier, unknown) is Unauthenticated)
    assert refused(verifier, good()) is None
    clock.now += 2
    assert refused(verifier, good()) is IdentityProviderDown


def test_r48_a_new_key_is_fetched_when_a_token_names_it(provider, verifier, clock):
    provider.keys[0]["kid"] = "rsa-2"
    new = provider_token(RSA_KEY, "RS256", kid="rsa-2")
    # Asked for a moment ago: made-up key ids do not turn into requests.
    assert refused(verifier, new) is Unauthenticated
    clock.now += 31
    # Nobody is signed out meanwhile.
    assert refused(verifier, new) is IdentityProviderDown
    wait_for(lambda: refused(verifier, new) is None)
    assert refused(verifier, good()) is Unauthenticated
    assert len(provider.requests) == 2


def test_r46_a_short_rsa_key_verifies_nothing(provider, tmp_path, caplog):
    short = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - what is tested
    public = RSAAlgorithm.to_jwk(short.public_key(), as_dict=True)
    provider.keys.append({**public, "kid": "short"})
    verifier = TokenVerifier(load(home=tmp_path, jwks_url=provider.url))
    verifier.start()
    try:
        with pytest.warns(match="below the minimum"):
            token = provider_token(short, "RS256", kid="short")
        assert refused(verifier, token) is Unauthenticated
        assert refused(verifier, good()) is None
    finally:
        verifier.close()
    assert "a key of the identity provider is too short" in caplog.messages


@pytest.mark.parametrize(
    "keys",
    [
        [],
        "keys",
        [None, 7, "x", []],
        [{"kty": "oct", "k": "c2VjcmV0", "kid": "rsa-1"}],
        [{"kty": "RSA", "kid": "rsa-1"}],
        {"rsa-1": {}},
        7,
    ],
    ids=repr,
)
def test_a_set_without_a_usable_key_is_no_answer(provider, tmp_path, keys):
    provider.keys = keys
    verifier = TokenVerifier(load(home=tmp_path, jwks_url=provider.url))
    verifier.start()
    try:
        assert refused(verifier, good()) is IdentityProviderDown
    finally:
        verifier.close()


@pytest.mark.parametrize("body", [b"<html>Maintenance</html>", b"\xff", b"[]", b'{"issuer": "x"}'])
def test_o34_a_page_in_place_of_keys_is_not_the_caller_s_fault(provider, tmp_path, body):
    provider.body = body
    verifier = TokenVerifier(load(home=tmp_path, jwks_url=provider.url))
    verifier.start()
    try:
        assert refused(verifier, good()) is IdentityProviderDown
    finally:
        verifier.close()
