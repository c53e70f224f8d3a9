"""A DuckDB URL: the file, what queries may read beside it, limits; anything else is one line."""

from __future__ import annotations

import pytest

from waybill.exporter.errors import InvalidRequest
from waybill.infra.sources.databases import parse_database_url
from waybill.infra.sources.duckdb.url_options import duckdb_options


def options(url: str):
    return duckdb_options(parse_database_url(url))


@pytest.mark.parametrize("url", ["duckdb://", "duckdb:///", "duckdb:///:memory:"])
def test_without_a_file_there_are_only_the_files_allowed(url):
    found = options(url)

    assert (found.path, found.folders, found.files) == (None, (), ())
    assert found.memory_limit == "1GB"


def test_a_path_may_hold_what_separates_the_parts_of_other_urls():
    assert options("duckdb:////data/a@b:c.duckdb").path == "/data/a@b:c.duckdb"


def test_folders_and_files_are_allowed_one_by_one(tmp_path):
    lake, one = tmp_path / "lake", tmp_path / "one.parquet"
    lake.mkdir()
    one.write_bytes(b"")
    link = tmp_path / "link"
    link.symlink_to(lake)

    found = options(f"duckdb://?files={link}&files={one}&threads=2&memory_limit=200MB")

    assert found.folders == (str(link), str(lake))
    assert found.files == (str(one),)
    assert (found.threads, found.memory_limit) == (2, "200MB")


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("duckdb://host/shop.duckdb", "names no host"),
        ("duckdb:///x?file=/data", "'file'; did you mean 'files'"),
        ("duckdb:///x?access_mode=read_write", "known: files, memory_limit, threads"),
        ("duckdb:///x?files=/no/such/folder", "is not there"),
        ("duckdb:///x?memory_limit=80%25", "has to look like 500MB"),
        ("duckdb:///x?memory_limit=1GB'; ATTACH 'x", "has to look like 500MB"),
        ("duckdb:///x?threads=0", "number from 1 on"),
        ("duckdb:///x?threads=all", "number from 1 on"),
    ],
)
def test_anything_else_is_one_line(url, says):
    with pytest.raises(InvalidRequest, match=says):
        options(url)
