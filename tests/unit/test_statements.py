"""One statement out of what an operator pastes: told apart by quotes and comments, not by luck."""

from __future__ import annotations

import pytest

from waybill.exporter.errors import InvalidRequest
from waybill.infra.sources.statements import SYNTAXES, one_query

ALL = sorted(SYNTAXES)


@pytest.mark.parametrize("backend", ALL)
@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("SELECT 1 AS a; -- done", "SELECT 1 AS a"),
        ("SELECT 1 AS a;--", "SELECT 1 AS a"),
        ("SELECT 1 AS a -- done", "SELECT 1 AS a"),
        ("SELECT 1 AS a -- done\n;", "SELECT 1 AS a"),
        ("\ufeffSELECT 1 AS a", "SELECT 1 AS a"),
        ("\ufeff -- first\n/* and\nmore */ SELECT 1 AS a ; ; /* last */ ;", "SELECT 1 AS a"),
        (";SELECT 1", "SELECT 1"),
        ("((SELECT 1))", "((SELECT 1))"),
        ("SELECT ';' AS a, '--' AS b, 'it''s;' AS c", "SELECT ';' AS a, '--' AS b, 'it''s;' AS c"),
        ('SELECT 1 AS "a;--b";', 'SELECT 1 AS "a;--b"'),
        ("SELECT 1 /* ; */ + 1", "SELECT 1 /* ; */ + 1"),
        ("select 'unfinished; ", "select 'unfinished; "),
        ("WITH a AS (SELECT 1)\r\nSELECT * FROM a;\r\n", "WITH a AS (SELECT 1)\r\nSELECT * FROM a"),
    ],
)
def test_what_is_around_the_query_is_left_out(backend, text, query):
    assert one_query(text, SYNTAXES[backend]) == query


@pytest.mark.parametrize("backend", [name for name in ALL if name != "clickhouse"])
def test_values_alone_are_a_query(backend):
    assert one_query("VALUES (1);", SYNTAXES[backend]) == "VALUES (1)"


def test_clickhouse_has_values_as_a_table_only():
    with pytest.raises(InvalidRequest, match="Only a query can be exported"):
        one_query("VALUES (1)", SYNTAXES["clickhouse"])


@pytest.mark.parametrize(
    ("backend", "text"),
    [
        ("postgresql", "SELECT $$;$$, $x$ ' ; $$ $x$, E'\\';'"),
        ("postgresql", "SELECT 'C:\\' AS a, ';' AS b"),
        ("postgresql", "SELECT 1 /* a /* ; */ b ; */ + 1"),
        ("postgresql", "SELECT (ARRAY[1,2])[1] # 3"),
        ("mysql", "SELECT 'it\\';' AS a, `b;` FROM `c`"),
        ("mysql", "SELECT 1 # one; two\n + 1"),
        ("mysql", "SELECT 2--1"),
        ("mariadb", "SELECT /*!50000 1, */ 2"),
        ("sqlite", "SELECT [a;b] FROM t"),
        ("sqlite", "SELECT 'C:\\' AS a, ';' AS b"),
    ],
)
def test_each_database_has_quotes_and_comments_of_its_own(backend, text):
    assert one_query(f"{text};", SYNTAXES[backend]) == text


@pytest.mark.parametrize("backend", ALL)
@pytest.mark.parametrize(
    "text", ["SELECT 1; SELECT 2", "SELECT 1;\n-- then\nDROP TABLE t;", "SELECT ';'; x"]
)
def test_several_statements_are_refused_in_those_words(backend, text):
    with pytest.raises(InvalidRequest, match="Only one statement can be exported"):
        one_query(text, SYNTAXES[backend])


@pytest.mark.parametrize(
    "text",
    ["", ";", "\ufeff", "-- SELECT 1", "/* SELECT 1", "DELETE FROM t", "selection", "'select'"],
)
def test_what_is_no_query_is_refused(text):
    with pytest.raises(InvalidRequest, match="Only a query can be exported"):
        one_query(text)
