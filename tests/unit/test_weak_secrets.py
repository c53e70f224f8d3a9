"""R37: secrets that were shipped, or that repeat a few characters, off loopback."""

from __future__ import annotations

import secrets

import pytest

from waybill.infra.config.addresses import is_loopback, leaves_machine
from waybill.infra.config.errors import BadSettings
from waybill.infra.config.settings import load
from waybill.infra.config.weak_secrets import is_guessable, refuse_weak_secrets, weak_secrets

SHIPPED = "change-me-to-at-least-thirty-two-random-bytes"
STRONG = "b5f04c2e9a6d7138" + "e1c09d5a7f3b2468"
ELSEWHERE = {
    "WAYBILL_DATABASE_URL": "postgresql://waybill:{}@db.internal/waybill",
    "WAYBILL_SOURCE_URL": "mysql://waybill:{}@10.0.0.7/shop",
    "WAYBILL_AMQP_URL": "amqp://waybill:{}@rabbitmq:5672/",
    "WAYBILL_SMTP_URL": "smtps://waybill:{}@mail.example.com",
}


@pytest.fixture(autouse=True)
def _clean(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.7", "exports.example.com"])  # noqa: S104
@pytest.mark.parametrize(
    "secret", [SHIPPED, "a" * 32, "ab" * 20, "0123456789" * 4, "Change_Me" + STRONG]
)
def test_r37_a_weak_secret_for_tokens_is_refused_where_others_can_listen(monkeypatch, secret, host):
    monkeypatch.setenv("WAYBILL_JWT_SECRET", secret)

    with pytest.raises(BadSettings) as caught:
        refuse_weak_secrets(load(), host)

    assert caught.value.message.startswith("WAYBILL_JWT_SECRET: ")
    assert secret not in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_on_loopback_an_example_runs_as_it_is(monkeypatch, host):
    monkeypatch.setenv("WAYBILL_JWT_SECRET", SHIPPED)
    refuse_weak_secrets(load(), host)


def test_r37_behind_a_proxy_that_others_reach_loopback_is_no_excuse(monkeypatch):
    monkeypatch.setenv("WAYBILL_JWT_SECRET", SHIPPED)
    monkeypatch.setenv("WAYBILL_PUBLIC_URL", "https://exports.example.com")
    assert weak_secrets(load(), "127.0.0.1") == ["WAYBILL_JWT_SECRET"]


@pytest.mark.parametrize("name", ELSEWHERE)
@pytest.mark.parametrize(
    ("password", "weak"),
    [("change-me-broker", True), ("aaaaaa", True), ("%63hange-me", True), (STRONG, False)],
)
def test_r37_a_weak_password_of_a_server_elsewhere_is_refused(monkeypatch, name, password, weak):
    monkeypatch.setenv(name, ELSEWHERE[name].format(password))
    assert weak_secrets(load(), "127.0.0.1") == [name] * weak


def test_r37_a_worker_refuses_what_reaches_beyond_its_machine(monkeypatch):
    monkeypatch.setenv("WAYBILL_JWT_SECRET", SHIPPED)
    monkeypatch.setenv("WAYBILL_WEBHOOK_SECRETS", "whsec_" + "YWFh" * 10)
    assert weak_secrets(load(), None) == []
    monkeypatch.setenv("WAYBILL_S3_ENDPOINT_URL", "http://minio:9000")
    monkeypatch.setenv("WAYBILL_S3_SECRET_ACCESS_KEY", "change-me-storage")
    assert weak_secrets(load(), None) == [
        "WAYBILL_S3_SECRET_ACCESS_KEY",
        "WAYBILL_JWT_SECRET",
        "WAYBILL_WEBHOOK_SECRETS",
    ]


def test_drawn_secrets_are_not_refused():
    drawn = [secrets.token_hex(16).encode() for _ in range(200)]
    drawn += [secrets.token_bytes(24) for _ in range(200)]
    assert [key for key in drawn if is_guessable(key)] == []


@pytest.mark.parametrize(
    ("url", "leaves"),
    [
        ("sqlite:////data/waybill.db", False),
        ("postgresql://u:p@localhost/w", False),
        ("postgresql://u:p@[::1]:5432/w", False),
        ("postgresql:///w?host=/run/postgresql", False),
        ("postgresql:///w", False),
        ("postgresql://u:p@localhost,db2/w", True),
        ("postgres://u:p@db/w", True),
        ("amqp://u:p@127.0.0.1:5672/", False),
        ("http://[2001:db8::7]:9000", True),
        ("embedded", False),
        ("", False),
        (None, False),
    ],
)
def test_an_address_leaves_the_machine_or_does_not(url, leaves):
    assert leaves_machine(url) is leaves


def test_a_name_that_only_looks_like_loopback_is_none():
    assert not is_loopback("localhost.example.com")
    assert not is_loopback("127.0.0.1.example.com")
