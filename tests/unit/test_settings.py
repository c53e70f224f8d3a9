from __future__ import annotations

from datetime import timedelta

import pytest

from waybill.infra.config.errors import BadSettings
from waybill.infra.config.limits import Limits
from waybill.infra.config.settings import Settings, environment_name, load
from waybill.infra.exports.dataset_loader import load_datasets


@pytest.fixture(autouse=True)
def _clean(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        (
            "WAYBILL_S3_BUKET",
            "x",
            "Unknown setting: WAYBILL_S3_BUKET. Did you mean WAYBILL_S3_BUCKET?",
        ),
        ("WAYBILL_PORT_NUMBER", "8000", "Unknown setting: WAYBILL_PORT_NUMBER."),
        ("WAYBILL_SERVICE_HOSTS", "x", "Unknown setting: WAYBILL_SERVICE_HOSTS."),
        ("WAYBILL_LINK_TTL", "soon", "WAYBILL_LINK_TTL: must be a number of seconds."),
        ("WAYBILL_LINK_TTL", "604801", "7 days"),
        ("WAYBILL_LEASE_SECONDS", "0", "WAYBILL_LEASE_SECONDS"),
        ("WAYBILL_RETENTION_DAYS", "-1", "WAYBILL_RETENTION_DAYS"),
        ("WAYBILL_RETENTION_DAYS", "1.5", "WAYBILL_RETENTION_DAYS: must be a whole number of days"),
        ("WAYBILL_NOTICE_DAYS", "99999999999", "WAYBILL_NOTICE_DAYS: must be a whole number"),
        ("WAYBILL_SMTP_FROM", "exports", "WAYBILL_SMTP_FROM: must be a plain address"),
        ("WAYBILL_RETRY_DELAYS", "8,2", "WAYBILL_RETRY_DELAYS: must be growing"),
        (
            "WAYBILL_S3_ENDPOINT_URL",
            "https://host?x=1",
            "WAYBILL_S3_ENDPOINT_URL: not the address of an S3 server: it has a query",
        ),
        (
            "WAYBILL_S3_PUBLIC_ENDPOINT_URL",
            "files.example.com",
            "WAYBILL_S3_PUBLIC_ENDPOINT_URL: not the address of an S3 server: it does not begin",
        ),
        ("WAYBILL_S3_ADDRESSING", "host", "WAYBILL_S3_ADDRESSING: Input should be 'auto', 'path'"),
        ("WAYBILL_S3_SSE_KMS_KEY_ID", "key", "WAYBILL_S3_SSE_KMS_KEY_ID: needs WAYBILL_S3_SSE"),
        ("WAYBILL_SHARD_FROM_BYTES", "60%", "WAYBILL_SHARD_FROM_BYTES: must be a size such as"),
        ("WAYBILL_SHARD_BYTES", "0", "WAYBILL_SHARD_BYTES: must be a size such as 512MiB"),
        ("WAYBILL_TIMEZONE", "Mars/Olympus", "WAYBILL_TIMEZONE: must be the name of a time zone"),
        (
            "WAYBILL_PUBLIC_URL",
            "exports.example",
            "WAYBILL_PUBLIC_URL: must be http:// or https://",
        ),
        ("WAYBILL_PUBLIC_URL", "https://x/?q=1", "WAYBILL_PUBLIC_URL: must be http:// or https://"),
        ("WAYBILL_PUBLIC_URL", "https://x/a b", "WAYBILL_PUBLIC_URL: its path may have letters"),
        ("WAYBILL_PUBLIC_URL", "https://x/a//b", "WAYBILL_PUBLIC_URL: its path may have letters"),
        ("WAYBILL_PUBLIC_URL", "https://x/../b", "WAYBILL_PUBLIC_URL: its path may have letters"),
        ("WAYBILL_PUBLIC_URL", "https://x/%61", "WAYBILL_PUBLIC_URL: its path may have letters"),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_it(monkeypatch, name, value, says):
    monkeypatch.setenv(name, value)
    with pytest.raises(BadSettings) as caught:
        load()
    assert says in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://id.example/keys", "must be https://: over http://"),
        ("http://localhost.example/keys", "must be https://: over http://"),
        ("foo", "must be https:// and the address"),
        ("file:///etc/passwd", "must be https:// and the address"),
        ("https:///keys", "must be https:// and the address"),
    ],
)
def test_r46_keys_of_an_identity_provider_come_over_tls(url, says):
    with pytest.raises(BadSettings, match=f"^WAYBILL_JWKS_URL: {says}"):
        load(jwks_url=url)


@pytest.mark.parametrize("url", ["https://id.example/keys", "http://127.0.0.1:8080/keys", ""])
def test_or_from_this_machine(url):
    assert load(jwks_url=url).jwks_url == (url or None)


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("https://x", "https://x"),
        ("https://x:8443/", "https://x:8443"),
        ("http://x/waybill/", "http://x/waybill"),
        ("https://x/team.a/way_bill~1", "https://x/team.a/way_bill~1"),
    ],
)
def test_a_public_address_may_have_a_path(monkeypatch, value, kept):
    monkeypatch.setenv("WAYBILL_PUBLIC_URL", value)
    assert load().public_url == kept


@pytest.mark.parametrize(
    "name",
    [
        "WAYBILL_SERVICE_HOST",
        "WAYBILL_SERVICE_PORT",
        "WAYBILL_SERVICE_PORT_HTTP",
        "WAYBILL_PORT",
        "WAYBILL_PORT_8000_TCP",
        "WAYBILL_PORT_8000_TCP_PROTO",
        "WAYBILL_PORT_8000_TCP_PORT",
        "WAYBILL_PORT_8000_TCP_ADDR",
        "WAYBILL_PORT_53_UDP_ADDR",
        "WAYBILL_WORKER_SERVICE_HOST",
        "WAYBILL_WORKER_PORT_8000_TCP_ADDR",
    ],
)
def test_the_variables_of_a_service_called_waybill_are_passed_over(monkeypatch, name):
    monkeypatch.setenv(name, "tcp://10.0.0.7:8000")
    load()


def test_a_wrong_value_is_not_repeated(monkeypatch):
    monkeypatch.setenv("WAYBILL_LEASE_SECONDS", "canary-7c1f")
    with pytest.raises(BadSettings) as caught:
        load()
    assert "canary" not in caught.value.message


def test_settings_come_from_a_dotenv_file(tmp_path):
    (tmp_path / ".env").write_text("WAYBILL_LINK_TTL=60\n")
    assert load().link_ttl == timedelta(seconds=60)


def test_an_unknown_name_in_a_dotenv_file_is_refused_too(tmp_path):
    (tmp_path / ".env").write_text("WAYBILL_LINK_TLL=60\n")
    with pytest.raises(BadSettings, match="WAYBILL_LINK_TLL"):
        load()


def test_secrets_do_not_show_in_a_repr(monkeypatch):
    monkeypatch.setenv("WAYBILL_DATABASE_URL", "postgresql://u:canary-7c1f@h/db")
    monkeypatch.setenv("WAYBILL_S3_SECRET_ACCESS_KEY", "canary-7c1f")
    assert "canary" not in repr(load())


def test_durations_are_read_in_the_unit_their_name_says(monkeypatch):
    monkeypatch.setenv("WAYBILL_LEASE_SECONDS", "2.5")
    monkeypatch.setenv("WAYBILL_RETENTION_DAYS", "3")
    monkeypatch.setenv("WAYBILL_RETRY_DELAYS", "0.1,20")
    settings = load(stall=5)
    assert (settings.lease, settings.retention) == (timedelta(seconds=2.5), timedelta(days=3))
    assert settings.retry_delays == (timedelta(seconds=0.1), timedelta(seconds=20))
    assert settings.stall == timedelta(seconds=5)


def test_only_the_limits_that_are_named_apply():
    limits = Limits.only(max_backlog=3)
    assert limits.max_backlog == 3
    assert limits.max_queued_per_user > 2**60


def test_an_empty_variable_is_as_good_as_none(monkeypatch):
    for name in Settings.model_fields:
        monkeypatch.delenv(environment_name(name), raising=False)
    plain = load()
    for name in Settings.model_fields:
        monkeypatch.setenv(environment_name(name), "")
    assert load() == plain


def test_the_address_of_a_store_may_have_a_path(monkeypatch):
    monkeypatch.setenv("WAYBILL_S3_ENDPOINT_URL", "https://x.example.com/storage/v1/s3/")
    assert load().s3_endpoint_url == "https://x.example.com/storage/v1/s3"


def test_virtual_addressing_needs_an_endpoint_with_a_name(monkeypatch):
    monkeypatch.setenv("WAYBILL_S3_ADDRESSING", "virtual")
    assert load().s3_addressing == "virtual"
    monkeypatch.setenv("WAYBILL_S3_ENDPOINT_URL", "http://127.0.0.1:9000")
    with pytest.raises(BadSettings, match="WAYBILL_S3_ADDRESSING: virtual addressing needs"):
        load()


@pytest.mark.parametrize("content", [b"WAYBILL_TIMEZONE=caf\xe9\n", b"\xff\xfeW\x00A\x00"])
def test_a_file_of_settings_that_is_no_text_is_one_line(tmp_path, content):
    (tmp_path / ".env").write_bytes(content)
    with pytest.raises(BadSettings, match=r"\.env .* cannot be read: it is not text in UTF-8\."):
        load()


def test_datasets_that_end_the_process_are_one_line(tmp_path):
    path = tmp_path / "ending.py"
    path.write_text("import sys\nsys.exit(3)\n")
    with pytest.raises(BadSettings, match=r"ending\.py ends the process when it is imported\."):
        load_datasets(str(path), load())
