"""R37: what `waybill doctor` says of secrets and of what stands open."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from uuid import uuid4

import pytest

from waybill.api.cli.doctor.secrets import InsecureInstallation, check_secrets
from waybill.infra.bootstrap import Stack
from waybill.infra.config.settings import load
from waybill.storage.config import S3Config
from waybill.storage.s3 import S3Store


@pytest.fixture
def store(s3_config: S3Config) -> Iterator[S3Store]:
    """A bucket of this test."""
    store = S3Store(replace(s3_config, bucket=f"doctor-{uuid4().hex[:12]}"))
    store.ensure_bucket()
    yield store
    store.close()


@pytest.fixture
def stack(tmp_path, monkeypatch, store: S3Store) -> Iterator[Stack]:
    monkeypatch.chdir(tmp_path)
    with Stack(load(home=tmp_path), store=store) as stack:
        yield stack


def test_r37_doctor_names_a_shipped_secret(stack: Stack, monkeypatch, store: S3Store):
    monkeypatch.setenv("WAYBILL_JWT_SECRET", "change-me-to-at-least-thirty-two-random-bytes")
    with (
        Stack(load(), store=store) as shipped,
        pytest.raises(InsecureInstallation, match=r"^WAYBILL_JWT_SECRET: an example"),
    ):
        check_secrets(shipped)


def test_doctor_says_what_is_meant_for_development(tmp_path, store: S3Store):
    settings = load(
        home=tmp_path,
        webhook_allow_private=True,
        smtp_url="smtp://mail.example.com",
        public_url="http://exports.example.com",
    )
    with Stack(settings, store=store) as stack:
        said = check_secrets(stack)
    assert "WAYBILL_WEBHOOK_ALLOW_PRIVATE" in said
    assert "WAYBILL_SMTP_URL sends mails in the clear" in said
    assert "WAYBILL_PUBLIC_URL is plain http" in said


@pytest.mark.parametrize("action", ["s3:GetObject", "s3:ListBucket"])
def test_doctor_finds_a_bucket_that_is_open_to_everybody(stack: Stack, store: S3Store, action):
    assert check_secrets(stack) == "none is guessable, and the bucket asks for signatures"

    bucket = store.connection.config.bucket
    allowed = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": [action],
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    store.connection.call(lambda client: client.put_bucket_policy(Bucket=bucket, Policy=policy))

    with pytest.raises(InsecureInstallation, match="without a signature"):
        check_secrets(stack)
