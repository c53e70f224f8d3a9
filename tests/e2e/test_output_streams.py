"""Standard output as a file, a pipe, or nothing: the bytes there, everything else on stderr."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from pathlib import Path

import pytest

from tests.support.processes import WAYBILL, environment

pytestmark = pytest.mark.slow

ROWS = 20_000
CSV = b'"id"\n' + b"".join(b"%d\n" % number for number in range(ROWS))


@pytest.fixture
def shell(tmp_path: Path):
    """Runs a line of bash in which ``$EXPORT`` is an export of `CSV`."""
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        connection.execute("CREATE TABLE numbers (id INTEGER)")
        connection.executemany("INSERT INTO numbers VALUES (?)", ((n,) for n in range(ROWS)))
    connection.close()
    url = f"sqlite:///{tmp_path}/shop.db"
    export = f"{WAYBILL} export --table numbers --source {url} --format csv --csv-profile machine"
    env = environment(tmp_path / "home", url, EXPORT=export, WAYBILL=str(WAYBILL))

    def run(line: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            ["/bin/bash", "-c", line], cwd=tmp_path, env=env, capture_output=True, check=False
        )

    return run


def test_one_redirect_takes_what_was_there_and_two_exports(shell, tmp_path: Path) -> None:
    (tmp_path / "all.csv").write_bytes(b"before\n")
    done = shell("( $EXPORT -o - ; $EXPORT -o /dev/stdout --json ) >> all.csv")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "all.csv").read_bytes() == b"before\n" + CSV + CSV
    first, second = done.stderr.splitlines()
    assert first == f"20,000 rows, {len(CSV):,} bytes: -".encode()
    assert json.loads(second)["rows"] == ROWS


def test_a_substituted_process_reads_the_file(shell) -> None:
    done = shell("$EXPORT -o >(cat >&2) | cat")
    assert done.stdout == f"20,000 rows, {len(CSV):,} bytes: /dev/fd/63\n".encode()
    assert done.stderr == CSV


def test_a_reader_who_has_enough_is_left_in_silence(shell) -> None:
    done = shell("$EXPORT -o - | head -n 1; exit ${PIPESTATUS[0]}")
    assert (done.returncode, done.stdout, done.stderr) == (141, b'"id"\n', b"")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("$EXPORT -o - >&-", b"Cannot write standard output: Bad file descriptor."),
        ("$WAYBILL token --user a --tenant b >&-", b"the output is closed."),
        ("$WAYBILL token --user a --tenant b >/dev/full", b"No space left on device."),
    ],
)
def test_an_output_that_takes_nothing_is_one_line(shell, line: str, says: bytes) -> None:
    done = shell(line)
    assert done.returncode == 1
    (told,) = done.stderr.splitlines()
    assert told.startswith(b"waybill: ")
    assert told.endswith(says)
