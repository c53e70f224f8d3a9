"""Snowflake and BigQuery, by the drivers of the Arrow project. No test here reaches either of them.

What is tested is what they share with Flight SQL, and what their drivers are told.
"""

from __future__ import annotations

import sqlalchemy as sa
from adbc_driver_manager import dbapi

from waybill.exporter.errors import InvalidRequest
from waybill.infra.sources.adbc.session import AdbcSession, last_values

#: Options of a Snowflake URL, and what the driver calls them. (ADBC, "Snowflake Driver".)
_SNOWFLAKE = {
    "warehouse": "adbc.snowflake.sql.warehouse",
    "role": "adbc.snowflake.sql.role",
    "authenticator": "adbc.snowflake.sql.auth_type",
    "private_key": "adbc.snowflake.sql.client_option.jwt_private_key",
    "token": "adbc.snowflake.sql.client_option.auth_token",
}

#: Options of a BigQuery URL. (ADBC, "BigQuery Driver".)
_BIGQUERY = {"credentials_path": "adbc.bigquery.sql.auth_credentials"}


def snowflake_session(url: sa.URL) -> AdbcSession:
    """A session for ``snowflake://user:password@account/database/schema?warehouse=…&role=…``.

    Raises:
        InvalidRequest: no account, or an option that is not known.
    """
    options = snowflake_options(url)

    def connect() -> dbapi.Connection:
        import adbc_driver_snowflake.dbapi as snowflake

        return snowflake.connect(db_kwargs=options, autocommit=True)

    return AdbcSession(connect)


def bigquery_session(url: sa.URL) -> AdbcSession:
    """A session for ``bigquery://project/dataset?credentials_path=…``.

    Without credentials, those of the environment are taken.

    Raises:
        InvalidRequest: no project, or an option that is not known.
    """
    options = bigquery_options(url)

    def connect() -> dbapi.Connection:
        import adbc_driver_bigquery.dbapi as bigquery

        return bigquery.connect(db_kwargs=options, autocommit=True)

    return AdbcSession(connect)


def snowflake_options(url: sa.URL) -> dict[str, str]:
    """The driver's options for a Snowflake URL."""
    if not url.host:
        raise InvalidRequest("A Snowflake URL names an account: snowflake://user:password@account.")
    database, _, schema = (url.database or "").partition("/")
    named = {
        "username": url.username,
        "password": str(url.password) if url.password is not None else None,
        "adbc.snowflake.sql.account": url.host,
        "adbc.snowflake.sql.db": database,
        "adbc.snowflake.sql.schema": schema,
    }
    return {name: value for name, value in named.items() if value} | _told(
        "Snowflake", url, _SNOWFLAKE
    )


def bigquery_options(url: sa.URL) -> dict[str, str]:
    """The driver's options for a BigQuery URL."""
    if not url.host:
        raise InvalidRequest("A BigQuery URL names a project: bigquery://project/dataset.")
    told = _told("BigQuery", url, _BIGQUERY)
    if told:
        told["adbc.bigquery.sql.auth_type"] = "adbc.bigquery.sql.auth_type.json_credential_file"
    if url.database:
        told["adbc.bigquery.sql.dataset_id"] = url.database
    return {"adbc.bigquery.sql.project_id": url.host, **told}


def _told(kind: str, url: sa.URL, known: dict[str, str]) -> dict[str, str]:
    found = last_values(url)
    for name in found:
        if name not in known:
            raise InvalidRequest(
                f"The {kind} URL has an option that is not known: {name!r}; known:"
                f" {', '.join(known)}."
            )
    return {known[name]: value for name, value in found.items()}
