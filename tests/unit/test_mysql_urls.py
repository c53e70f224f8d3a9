"""A MySQL URL: what decides a value is ours, an unknown option is one line, TLS as asked for."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from waybill.exporter.errors import InvalidRequest
from waybill.infra.sources.mysql.url_options import connect_arguments


def arguments(options: str, login: str = "u:p") -> dict[str, object]:
    return connect_arguments(sa.make_url(f"mysql://{login}@db:3307/shop?{options}"))


@pytest.mark.parametrize(
    "options",
    [
        *("charset=utf8", "charset=latin1", "charset=gbk", "charset=binary", "use_unicode=0"),
        *("client_flag=65536", "local_infile=1", "autocommit=true", "collation=latin1_bin"),
        "charset=utf8&charset=latin1",
    ],
)
def test_an_option_that_would_change_a_value_changes_nothing(options):
    plain = arguments("")

    assert {"collation": None, **arguments(options)} == {"collation": None, **plain}
    assert plain["charset"] == "utf8mb4"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("collation=utf8mb4_bin", {"collation": "utf8mb4_bin"}),
        ("connect_timeout=3&read_timeout=60", {"connect_timeout": 3, "read_timeout": 60}),
        ("unix_socket=/run/my.sock", {"unix_socket": "/run/my.sock"}),
        ("sql_mode=ANSI_QUOTES", {"sql_mode": "ANSI_QUOTES"}),
        ("ssl_ca=/ca.pem&ssl_verify_cert=true", {"ssl_ca": "/ca.pem", "ssl_verify_cert": True}),
        ("ssl-mode=DISABLED", {"ssl_disabled": True}),
        ("ssl-mode=VERIFY_IDENTITY", {"ssl_verify_identity": True}),
        ("sslmode=verify-full", {"ssl_verify_identity": True}),
        ("sslmode=require", {"ssl": True}),
        ("ssl=false", {"ssl": False}),
        ("host=/run/my.sock", {"unix_socket": "/run/my.sock"}),
        ("host=other&port=3308", {"host": "other", "port": 3308}),
    ],
)
def test_an_option_of_the_connection_reaches_the_driver(options, expected):
    assert arguments(options).items() >= expected.items()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("conect_timeout=3", "'conect_timeout'; did you mean 'connect_timeout'"),
        ("cursorclass=x", "not known: 'cursorclass'"),
        ("connect_timeout=soon", "'connect_timeout'"),
        ("read_timeout=0", "'read_timeout'"),
        ("ssl-mode=maybe", "'ssl-mode' of the MySQL URL is one of disabled,"),
        ("read_default_file=/nowhere/secret.cnf", "'read_default_file'"),
        ("ssl_verify_cert=secret", "'ssl_verify_cert'"),
        ("ssl=secret", "'ssl'"),
        ("host=secret,other", "names one host"),
    ],
)
def test_an_option_nobody_knows_is_refused_by_name_and_without_its_value(options, words):
    with pytest.raises(InvalidRequest, match=words) as refused:
        arguments(options)

    assert "soon" not in str(refused.value)
    assert "secret" not in str(refused.value)


def test_a_password_may_have_any_letter():
    assert arguments("", "u:p%E2%82%AC%E5%AE%A2")["password"] == "p€客".encode()
