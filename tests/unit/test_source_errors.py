"""Which faults of a database are worth another try, and that every text is fit for a person."""

from __future__ import annotations

import sqlite3

import psycopg
import pytest
import sqlalchemy as sa

from waybill.exporter.errors import ExportRejected
from waybill.infra.sources.errors import SourceUnavailable, by_driver, by_sqlstate


@pytest.mark.parametrize(
    "state",
    [
        None,  # The connection broke before the server could say anything.
        "08006",
        "25P03",  # idle in transaction for too long
        "28P01",  # wrong password: not the fault of the export
        "3D000",  # no such database: neither
        "40001",  # conflict with recovery, on a replica
        "40P01",
        "53300",
        "55P03",
        "57014",
        "57P01",
        "58030",
        "70100",  # MySQL: interrupted
        "HY000",
        "XX000",
    ],
)
def test_a_fault_of_the_moment_is_tried_again(state):
    error = by_sqlstate(state)

    assert isinstance(error, SourceUnavailable)
    assert not isinstance(error, ExportRejected)


@pytest.mark.parametrize(
    ("state", "words"),
    [("28000", "the account"), ("28P01", "the password"), ("3D000", "names a database")],
)
def test_a_source_url_that_leads_nowhere_is_said_to(state, words):
    assert words in str(by_sqlstate(state))


@pytest.mark.parametrize(
    "state",
    [
        "0A000",
        "21000",
        "22012",
        "25006",
        "42501",
        "42601",
        "42703",
        "42P01",
        "42S02",
        "54011",
        "P0001",
    ],
)
def test_a_fault_of_the_query_is_not_tried_again(state):
    error = by_sqlstate(state)

    assert isinstance(error, ExportRejected)
    assert error.code == "source_rejected"
    assert state in error.message


@pytest.mark.parametrize(
    ("sql", "rejected"),
    [
        ("SELECT nope", True),
        ("SELECT * FROM nope", True),
        ("SELEC 1", True),
        ("SELECT 1; SELECT 2", True),
        ("SELECT abs(-9223372036854775808)", True),
    ],
)
def test_sqlite_says_by_its_result_code_whose_fault_it_is(sql, rejected):
    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
    with engine.connect() as connection, pytest.raises(sa.exc.DBAPIError) as failed:
        connection.exec_driver_sql(sql)
    engine.dispose()

    assert isinstance(by_driver(failed.value), ExportRejected) == rejected


def test_a_driver_error_is_understood_with_and_without_sqlalchemy_around_it():
    bare = psycopg.errors.UndefinedTable("relation s3cret does not exist")
    wrapped = sa.exc.ProgrammingError("SELECT s3cret", {"x": "s3cret"}, bare)

    for error in (by_driver(bare), by_driver(wrapped)):
        assert isinstance(error, ExportRejected)
        assert "s3cret" not in str(error)


def test_a_driver_without_codes_is_understood_by_the_class_of_its_error():
    assert isinstance(by_driver(sqlite3.ProgrammingError("closed s3cret")), ExportRejected)
    assert isinstance(by_driver(sqlite3.InterfaceError("lost s3cret")), SourceUnavailable)
    assert "s3cret" not in str(by_driver(sqlite3.InterfaceError("lost s3cret")))


def test_a_query_that_does_not_compile_is_rejected():
    assert isinstance(by_driver(sa.exc.CompileError("s3cret")), ExportRejected)
