"""Arguments that are not UTF-8 end a command in one line, whichever command it is."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ([b"export", b"--query", b"SELECT 'caf\xe9'", b"-o", b"q.csv"], "--query"),
        ([b"export", b"--query=SELECT 'caf\xe9'", b"-o", b"q.csv"], "--query"),
        ([b"export", b"--table", b"t", b"-o", b"r\xe9sum\xe9.csv"], "-o"),
        ([b"token", b"--user", b"caf\xe9"], "--user"),
        ([b"caf\xe9"], "Argument 1"),
    ],
)
def test_an_argument_that_is_not_utf_8_is_named(arguments, name):
    run = "from waybill.api.cli.main import main; main()"

    done = subprocess.run(
        [sys.executable, "-c", run, *arguments],
        capture_output=True,
        check=False,
        env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"},
    )

    assert done.returncode == 2
    assert done.stderr.decode() == (
        f"waybill: {name} is not text in UTF-8."
        " Convert it, or set LC_ALL to the encoding it is in.\n"
    )
