"""Signatures of webhooks, verified by the library of the specification and by hand."""

from __future__ import annotations

import base64
import hmac
from datetime import UTC, datetime, timedelta, timezone

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from waybill.infra.config.errors import BadSettings
from waybill.infra.config.notifications import parse_secrets
from waybill.infra.config.settings import load
from waybill.infra.notifications.rules import build_signer
from waybill.infra.notifications.signing import Signer

OLD, NEW = b"old key of thirty-two bytes, say", b"new key of thirty-two bytes, say"
BODY = '{"type":"export.succeeded","data":{"name":"käse"}}'.encode()


def secret(key: bytes) -> str:
    return "whsec_" + base64.b64encode(key).decode()


def signed(signer: Signer, tenant: str = "acme", at: datetime | None = None) -> dict[str, str]:
    return signer.headers(tenant, "msg_1", at or datetime.now(UTC), BODY)


def test_standardwebhooks_accepts_our_signature():
    signer = Signer([NEW])
    (own,) = signer.secrets_of("acme")
    assert Webhook(own).verify(BODY, signed(signer))["type"] == "export.succeeded"


def test_a_signature_is_the_hmac_that_the_specification_describes():
    # By hand, since signer and receiver above are one library. Noon in Tokyo is 03:00 UTC.
    at = datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=9)))
    signer = Signer([NEW])
    headers = signed(signer, at=at)
    (own,) = signer.secrets_of("acme")
    content = b"msg_1.1767236400." + BODY
    key = base64.b64decode(own.removeprefix("whsec_"))
    digest = base64.b64encode(hmac.digest(key, content, "sha256")).decode()
    assert headers == {
        "webhook-id": "msg_1",
        "webhook-timestamp": "1767236400",
        "webhook-signature": f"v1,{digest}",
    }


def test_standardwebhooks_accepts_both_secrets_while_they_are_rotated():
    before, during, after = Signer([OLD]), Signer([NEW, OLD]), Signer([NEW])
    assert during.secrets_of("acme") == [*after.secrets_of("acme"), *before.secrets_of("acme")]
    for receiver in (before, after):
        Webhook(receiver.secrets_of("acme")[0]).verify(BODY, signed(during))
    with pytest.raises(WebhookVerificationError):
        Webhook(before.secrets_of("acme")[0]).verify(BODY, signed(after))


def test_standardwebhooks_refuses_what_another_tenants_secret_signed():
    signer = Signer([NEW])
    (own,) = signer.secrets_of("acme")
    with pytest.raises(WebhookVerificationError):
        Webhook(own).verify(BODY, signed(signer, "other"))
    with pytest.raises(WebhookVerificationError):
        Webhook(secret(NEW)).verify(BODY, signed(signer))


def test_standardwebhooks_refuses_a_changed_body_and_an_old_time():
    signer = Signer([NEW])
    receiver = Webhook(signer.secrets_of("acme")[0])
    with pytest.raises(WebhookVerificationError):
        receiver.verify(BODY + b" ", signed(signer))
    with pytest.raises(WebhookVerificationError):
        receiver.verify(BODY, signed(signer, at=datetime.now(UTC) - timedelta(minutes=6)))


def test_secrets_are_read_with_the_current_one_first():
    assert parse_secrets(f"{secret(NEW)}, {secret(OLD)}") == (NEW, OLD)


@pytest.mark.parametrize(
    "text",
    ["", "canary", "whsec_canary!", secret(b"too short"), secret(b"x" * 65), secret(NEW) + ","],
)
def test_a_bad_secret_is_refused_and_not_repeated(tmp_path, monkeypatch, text):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="must") as caught:
        parse_secrets(text)
    assert "canary" not in str(caught.value)
    if text:
        with pytest.raises(BadSettings, match="WAYBILL_WEBHOOK_SECRETS") as refused:
            load(webhook_secrets=text)
        assert "canary" not in refused.value.message


def test_without_secrets_of_their_own_webhooks_are_signed_by_what_every_process_knows(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    shared = {"jwt_secret": "a secret of the tests, long enough for HS256", "home": tmp_path}
    assert build_signer(load(**shared)).secrets_of("a") == build_signer(load(**shared)).secrets_of(
        "a"
    )
    keys = {"jwks_url": "https://id.example/keys", "home": tmp_path}
    assert build_signer(load(**keys)) is None
    broker = {"amqp_url": "amqp://mq.example", "home": tmp_path}
    assert build_signer(load(**broker)) is None
    assert build_signer(load(**broker, jwt_secret=shared["jwt_secret"])).secrets_of("a")
    assert build_signer(load(home=tmp_path)).secrets_of("a")
    assert build_signer(load(**keys, webhook_secrets=secret(NEW))).secrets_of("a")
