"""Opening SQLite files: missing ones, read-only media, and what is no database."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from waybill.infra.db.engine import create_engine
from waybill.infra.sources import open_source
from waybill.infra.sources.errors import SourceRejected
from waybill.infra.sources.operator_queries import text_query


def test_a_missing_file_is_not_created(tmp_path):
    path = tmp_path / "rows 100% #1.db"
    for url in (f"sqlite:///{path}", "sqlite:///file:missing.db?uri=true"):
        with (
            pytest.raises(SourceRejected, match=r"There is no SQLite file /.*\.db"),
            open_source(url).open(text_query("SELECT 1")),
        ):
            pass

    assert not path.exists()
    assert not Path("missing.db").exists()


def test_what_is_no_database_is_named(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_bytes(b"far too long to be an empty database" * 100)
    for place, said in ((path, "is no SQLite database, or is encrypted"), (tmp_path, "directory")):
        with (
            pytest.raises(SourceRejected, match=said) as refused,
            open_source(f"sqlite:///{place}").open(text_query("SELECT 1")),
        ):
            pass
        assert str(place) in str(refused.value)


#: Reads the table of the file given, as a user without rights; between the two, SQL is run.
_AS_NOBODY = """
import os, sqlite3, sys
from waybill.infra.sources import open_source
from waybill.infra.sources.operator_queries import text_query
path, script = sys.argv[1:]
with open_source("sqlite://").open(text_query("SELECT 1 AS x")) as stream:
    list(stream)  # Modules are imported while they can be read.
if os.geteuid() == 0:
    os.seteuid(65534)
with open_source(f"sqlite:///{path}").open(text_query("SELECT x FROM t")) as stream:
    stream.schema
    if script:
        os.seteuid(os.getuid())
        os.chmod(path, 0o644)
        os.chmod(os.path.dirname(path), 0o755)
        database = sqlite3.connect(path)
        database.executescript(script)
        database.close()
    print([value for batch in stream for value in batch["x"].to_pylist()])
"""


@pytest.fixture
def read_only_wal():
    """A file in WAL mode without a ``-wal``, in a directory that its reader may not write to."""
    with tempfile.TemporaryDirectory(prefix="waybill-ro-") as folder:
        path = Path(folder) / "rows.db"
        with closing(sqlite3.connect(path)) as database:
            database.executescript(
                "PRAGMA journal_mode = WAL; CREATE TABLE t (x); INSERT INTO t VALUES (1), (2)"
            )
        assert os.listdir(folder) == ["rows.db"]
        path.chmod(0o444)
        path.parent.chmod(0o555)
        yield path
        path.parent.chmod(0o755)


def as_nobody(path: Path, script: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", _AS_NOBODY, path, script],
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_file_in_wal_mode_is_read_where_nobody_may_write(read_only_wal):
    assert as_nobody(read_only_wal).stdout == "[1, 2]\n"


def test_a_file_that_changes_while_it_is_read_unwatched_ends_the_export(read_only_wal):
    done = as_nobody(read_only_wal, "INSERT INTO t VALUES (3)")

    assert "rows.db was changed while it was read" in done.stderr


def test_a_write_ahead_log_that_cannot_be_read_is_not_passed_over(read_only_wal):
    read_only_wal.parent.chmod(0o755)
    with closing(sqlite3.connect(read_only_wal)) as writer, writer:
        writer.execute("INSERT INTO t VALUES (3)")
        writer.commit()
        log = Path(f"{read_only_wal}-wal").read_bytes()
    # As after a crash: the log is there, and its index is not.
    Path(f"{read_only_wal}-wal").write_bytes(log)
    read_only_wal.parent.chmod(0o555)

    done = as_nobody(read_only_wal)

    assert done.returncode
    assert "has a write-ahead log" in done.stderr


#: Ends in the middle of a transaction that has written to the file.
_STOPPED = """
import os, sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.executescript("PRAGMA cache_size = 1; CREATE TABLE t (x); INSERT INTO t VALUES (1)")
database.execute("BEGIN")
for number in range(500):
    database.execute("INSERT INTO t VALUES (?)", ["x" * 2000])
os._exit(0)
"""


def another_program(path: Path, statement: str) -> str:
    code = (
        "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute(sys.argv[2]).fetchall())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, path, statement], capture_output=True, text=True, check=True
    )
    return done.stdout


def test_f111_reading_a_file_ends_no_lock_of_its_writers(tmp_path):
    path = tmp_path / "shared.db"
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as writer:
        writer.execute(sa.text("CREATE TABLE t (x)"))

    with open_source(f"sqlite:///{path}").open(text_query("SELECT x FROM t")) as stream:
        assert list(stream) == []
    # A program that leaves the database as the last one deletes its write-ahead log.
    another_program(path, "SELECT x FROM t")
    with engine.begin() as writer:
        writer.execute(sa.text("INSERT INTO t VALUES (7)"))

    assert another_program(path, "SELECT x FROM t") == "[(7,)]\n"
    engine.dispose()


def test_a_writer_that_was_stopped_is_named_where_nobody_may_repair():
    with tempfile.TemporaryDirectory(prefix="waybill-hot-") as folder:
        path = Path(folder) / "rows.db"
        subprocess.run([sys.executable, "-c", _STOPPED, path], check=False)
        assert Path(f"{path}-journal").stat().st_size
        path.chmod(0o444)
        path.parent.chmod(0o555)

        done = as_nobody(path)
        path.parent.chmod(0o755)

    assert "has to be repaired after a writer that was stopped" in done.stderr
