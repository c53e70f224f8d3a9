"""Results of a command where standard output lacks their characters."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

#: As the name of a file arrives that is not UTF-8, and one that Latin-1 does not have.
NAMES = ["r\udce9sum\udce9.csv", "订单.csv"]
_PROGRAM = """
import sys
from waybill.api.cli.console import emit, prepare_streams
prepare_streams()
name = sys.argv[1].encode().decode("unicode_escape")
emit({"output": name}, f"2 rows: {name}", as_json=bool(sys.argv[2:]))
"""


def emitted(name: str, encoding: str, *json_too: str) -> bytes:
    spelled = name.encode("unicode_escape").decode()
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, spelled, *json_too],
        capture_output=True,
        check=True,
        env={"PATH": "/usr/bin:/bin", "PYTHONIOENCODING": encoding},
    )
    return done.stdout


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
@pytest.mark.parametrize("name", NAMES)
def test_fc59_a_result_is_printed_whatever_the_locale(name: str, encoding: str) -> None:
    text = emitted(name, encoding).decode(encoding)
    assert text in {f"2 rows: {name}\n", f"2 rows: {ascii(name)[1:-1]}\n"}
    assert json.loads(emitted(name, encoding, "--json").decode("utf-8")) == {"output": name}
