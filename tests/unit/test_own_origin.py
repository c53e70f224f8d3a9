"""Which unsafe requests come from our own page, whatever a proxy has done to `Host`."""

from __future__ import annotations

import pytest

from waybill.api.session.origins import in_secure_context, is_own_origin, same_origin, sent_over_tls

PUBLIC = "https://exports.example:8443/waybill"


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://x", "x"),
        ("http://x:8000", "x:8000"),
        ("https://x", "x"),
        # Default ports and case are made alike.
        ("https://x", "x:443"),
        ("http://x", "x:80"),
        ("http://x:80", "x"),
        ("https://x:443", "X"),
        ("http://X.Example", "x.eXample:80"),
        ("http://[::1]:8000", "[::1]:8000"),
    ],
)
def test_the_host_that_the_request_was_sent_to(origin: str, host: str) -> None:
    assert is_own_origin({"origin": origin, "host": host}, None)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("", "x"),
        ("null", "null"),
        ("x", "x"),
        ("http://x", ""),
        ("http://x", "y"),
        ("http://x:8080", "x"),
        ("http://x", "x:8080"),
        # 443 is no default of http, nor 80 of https.
        ("http://x", "x:443"),
        ("https://x", "x:80"),
        ("http://x.evil.example", "x"),
        ("http://x@evil.example", "x"),
        ("http://evil@x", "x"),
        ("http://x:99999", "x:99999"),
        ("http://x:y", "x:y"),
        ("ftp://x", "x"),
        ("http://[::1", "[::1"),
    ],
)
def test_another_host_or_none(origin: str, host: str) -> None:
    assert not is_own_origin({"origin": origin, "host": host}, None)


@pytest.mark.parametrize("origin", ["https://exports.example:8443", "https://EXPORTS.example:8443"])
def test_the_public_address_behind_a_proxy_that_rewrites_the_host(origin: str) -> None:
    headers = {"origin": origin, "host": "127.0.0.1:8000"}

    assert is_own_origin(headers, PUBLIC)
    assert not is_own_origin(headers, None)


@pytest.mark.parametrize(
    "origin", ["http://exports.example:8443", "https://exports.example", "https://other.example"]
)
def test_what_only_resembles_the_public_address_is_foreign(origin: str) -> None:
    assert not is_own_origin({"origin": origin, "host": "127.0.0.1:8000"}, PUBLIC)


@pytest.mark.parametrize(
    ("site", "own"), [("same-origin", True), ("same-site", False), ("cross-site", False)]
)
@pytest.mark.parametrize("origin", ["http://x", "https://elsewhere.example:1", None])
def test_the_word_of_the_browser_decides(site: str, own: bool, origin: str | None) -> None:
    headers = {"host": "x", "sec-fetch-site": site} | ({"origin": origin} if origin else {})

    assert is_own_origin(headers, "http://x") is own


@pytest.mark.parametrize("site", ["none", "", "sAmE"])
def test_without_its_word_the_origin_decides(site: str) -> None:
    assert is_own_origin({"host": "x", "origin": "http://x", "sec-fetch-site": site}, None)
    assert not is_own_origin({"host": "x", "origin": "http://y", "sec-fetch-site": site}, None)


@pytest.mark.parametrize(
    ("origin", "public_url", "secure"),
    [
        ("https://x", None, True),
        ("http://x", "https://x", False),
        (None, "https://x", True),
        (None, "http://x", False),
        (None, None, False),
        ("null", None, False),
    ],
)
def test_a_cookie_is_secure_if_the_page_came_over_tls(
    origin: str | None, public_url: str | None, secure: bool
) -> None:
    assert sent_over_tls({"origin": origin} if origin else {}, public_url) is secure


def test_two_invalid_origins_are_not_the_same() -> None:
    assert same_origin("https://x/a?b", "https://X:443")
    assert not same_origin("null", "null")


@pytest.mark.parametrize(
    ("origin", "public_url", "secure"),
    [
        ("https://exports.example", None, True),
        ("http://127.0.0.1:8000", "http://intranet.test", True),
        ("http://localhost:8000", None, True),
        ("http://intranet.test", None, False),
        ("http://127.0.0.1.evil.example", None, False),
        ("null", "https://exports.example", True),
    ],
)
def test_a_page_over_tls_or_on_loopback_is_a_secure_context(
    origin: str, public_url: str | None, secure: bool
) -> None:
    assert in_secure_context({"origin": origin}, public_url) is secure
