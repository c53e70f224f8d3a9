"""What ADBC drivers are told of a URL; anything unknown is one line that repeats no value."""

from __future__ import annotations

import pytest

from waybill.exporter.errors import InvalidRequest
from waybill.infra.sources.adbc.flight_sql import connect_options
from waybill.infra.sources.adbc.warehouses import bigquery_options, snowflake_options
from waybill.infra.sources.databases import parse_database_url


def test_flight_sql_speaks_tls_unless_told_otherwise(tmp_path):
    ca = tmp_path / "ca.pem"
    ca.write_text("certificate")
    address, options = connect_options(
        parse_database_url(f"flightsql://ann:p@ss@db:32010?tls_ca={ca}&header.database=sales")
    )

    assert address == "grpc+tls://db:32010"
    assert options == {
        "username": "ann",
        "password": "p@ss",
        "adbc.flight.sql.rpc.call_header.database": "sales",
        "adbc.flight.sql.client_option.tls_root_certs": "certificate",
    }
    plain = parse_database_url("flightsql://[::1]?tls=off&token=abc")
    assert connect_options(plain) == (
        "grpc+tcp://[::1]:31337",
        {"adbc.flight.sql.authorization_header": "Bearer abc"},
    )


def test_snowflake_and_bigquery_are_told_what_the_url_says():
    snowflake = "snowflake://ann:secret@org-account/shop/public?warehouse=small&role=reader"
    assert snowflake_options(parse_database_url(snowflake)) == {
        "username": "ann",
        "password": "secret",
        "adbc.snowflake.sql.account": "org-account",
        "adbc.snowflake.sql.db": "shop",
        "adbc.snowflake.sql.schema": "public",
        "adbc.snowflake.sql.warehouse": "small",
        "adbc.snowflake.sql.role": "reader",
    }
    bigquery = "bigquery://project/shop?credentials_path=/key.json"
    assert bigquery_options(parse_database_url(bigquery)) == {
        "adbc.bigquery.sql.project_id": "project",
        "adbc.bigquery.sql.dataset_id": "shop",
        "adbc.bigquery.sql.auth_credentials": "/key.json",
        "adbc.bigquery.sql.auth_type": "adbc.bigquery.sql.auth_type.json_credential_file",
    }


@pytest.mark.parametrize(
    ("options", "url", "says"),
    [
        (connect_options, "flightsql:///db", "names a host"),
        (connect_options, "flightsql://h?tls=canary", "is on or off"),
        (connect_options, "flightsql://h?tls_ca=/no/canary", "names no file"),
        (connect_options, "flightsql://h?password=canary", "'password'; known: tls, tls_ca, token"),
        (snowflake_options, "snowflake:///db", "names an account"),
        (snowflake_options, "snowflake://a?pass=canary", "'pass'; known: warehouse, role"),
        (bigquery_options, "bigquery:///dataset", "names a project"),
        (bigquery_options, "bigquery://p?key=canary", "'key'; known: credentials_path"),
    ],
)
def test_anything_else_is_one_line_without_its_value(options, url, says):
    with pytest.raises(InvalidRequest, match=says) as refused:
        options(parse_database_url(url))

    assert "canary" not in str(refused.value)
