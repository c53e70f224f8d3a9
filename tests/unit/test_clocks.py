"""F93: clocks that differ: links live by the store's, and a wrong one of our own is named."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from waybill.infra.config.errors import ClockSkew
from waybill.infra.db.availability import refuse_skew
from waybill.storage.config import S3Config
from waybill.storage.connection import S3Connection
from waybill.storage.presign import sign_download

TEN_MINUTES = timedelta(minutes=10)


@pytest.mark.parametrize("ahead", [-TEN_MINUTES, timedelta(0), TEN_MINUTES], ids=str)
def test_f93_a_link_is_dated_by_the_clock_of_the_store(ahead: timedelta) -> None:
    connection = S3Connection(
        S3Config(
            bucket="exports",
            endpoint_url="http://127.0.0.1:9",
            region="us-east-1",
            access_key_id="id",
            secret_access_key="secret",
        )
    )
    connection.clock.note(ahead)
    link = sign_download(
        connection, "a.csv", filename="a.csv", content_type="text/csv", ttl=timedelta(minutes=15)
    )
    [date] = parse_qs(urlsplit(link.url).query)["X-Amz-Date"]
    signed_at = datetime.strptime(date, "%Y%m%dT%H%M%S%z")
    assert abs(signed_at - datetime.now(UTC) - ahead) < timedelta(minutes=1)
    assert link.expires_at == signed_at + timedelta(minutes=15)


@pytest.mark.parametrize(("seconds", "way"), [(31, "behind"), (-31, "ahead of")])
def test_f93_a_clock_that_is_off_by_more_than_half_a_minute_is_named(
    seconds: int, way: str
) -> None:
    refuse_skew(timedelta(seconds=seconds) * 0.9, "the store")
    with pytest.raises(ClockSkew, match=f"is 31 s {way} that of the store"):
        refuse_skew(timedelta(seconds=seconds), "the store")
