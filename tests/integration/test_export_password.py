"""`waybill export --password-file`: a protected file, and no password among arguments."""

from __future__ import annotations

import sqlite3
import subprocess
from pathlib import Path

import pytest

from tests.support.processes import WAYBILL, environment
from tests.support.seven_zip import Refused, listed_by_7zip, read_with_7zip

PASSWORD = "correct horse battery staple"
ROWS = 20_000


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        connection.execute("CREATE TABLE numbers (id INTEGER)")
        connection.executemany("INSERT INTO numbers VALUES (?)", ((n,) for n in range(ROWS)))
    connection.close()
    return tmp_path


def export(shop: Path, *more: str, typed: str = "") -> subprocess.CompletedProcess[bytes]:
    url = f"sqlite:///{shop}/shop.db"
    command = [str(WAYBILL), "export", "--table", "numbers", "--source", url, *more]
    return subprocess.run(
        command,
        cwd=shop,
        env=environment(shop / "home", url),
        input=typed.encode(),
        capture_output=True,
        check=False,
    )


def test_the_password_comes_from_a_file_or_standard_input(shop: Path) -> None:
    (shop / "secret").write_text(f"{PASSWORD}\n")
    ways = {"one.csv.zip": ("secret", ""), "two.csv.zip": ("-", f"{PASSWORD}\r\n")}
    for output, (source, typed) in ways.items():
        done = export(shop, "-o", output, "--password-file", source, typed=typed)
        assert done.returncode == 0, done.stderr
        assert PASSWORD.encode() not in done.stdout + done.stderr
        plain = read_with_7zip(shop / output, PASSWORD)
        assert sorted(map(int, plain.split()[1:])) == list(range(ROWS))
        with pytest.raises(Refused):
            read_with_7zip(shop / output, PASSWORD[1:])


def test_the_format_is_that_inside_the_zip_also_on_standard_output(shop: Path) -> None:
    options = ("--format", "xlsx", "--password-file", "-")
    assert export(shop, "-o", "numbers.zip", *options, typed=PASSWORD).returncode == 0
    assert listed_by_7zip(shop / "numbers.zip")["Path"] == "numbers.xlsx"
    done = export(shop, "-o", "-", *options, typed=PASSWORD)
    assert done.returncode == 0, done.stderr
    (shop / "piped.zip").write_bytes(done.stdout)
    assert read_with_7zip(shop / "piped.zip", PASSWORD)[:2] == b"PK"


@pytest.mark.parametrize(
    ("output", "source", "typed", "problem"),
    [
        ("numbers.csv", "-", PASSWORD, b"let the output end in .zip"),
        ("numbers.csv.zip", "-", "short", b"This password cannot be used. It is too weak"),
        ("numbers.csv.zip", "nowhere", "", b"cannot be read from nowhere: No such file"),
    ],
)
def test_what_cannot_be_protected_is_one_line_and_no_file(
    shop: Path, output: str, source: str, typed: str, problem: bytes
) -> None:
    done = export(shop, "-o", output, "--password-file", source, typed=typed)
    assert done.returncode == 2
    assert problem in done.stderr
    assert not (shop / output).exists()
