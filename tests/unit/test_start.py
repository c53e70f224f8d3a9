"""A command loads what it needs and nothing else. Held by lists of modules, not by time."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from waybill.api.cli.main import COMMANDS

#: What `waybill --help` has to do without.
HEAVY = {
    *("adbc_driver_manager", "aio_pika", "alembic", "boto3", "fastapi", "httpx2", "jwt", "polars"),
    *("opentelemetry", "prometheus_client"),
    *("psycopg", "pyarrow", "pydantic", "rich", "sqlalchemy", "starlette", "uvicorn", "xlsxwriter"),
}


def loaded_by(*arguments: str, folder: Path) -> set[str]:
    """The top-level modules that a command has loaded when it ends."""
    code = (
        "import sys, atexit\n"
        "names = lambda: {name.partition('.')[0] for name in sys.modules}\n"
        "atexit.register(lambda: print(*names(), file=sys.stderr))\n"
        f"sys.argv = {['waybill', *arguments]!r}\n"
        "from waybill.api.cli.main import main\n"
        "main()"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "", "HOME": str(folder), "WAYBILL_HOME": str(folder / "home")},
    )
    assert ended.returncode == 0, ended.stderr
    return set(ended.stderr.splitlines()[-1].split())


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_load_no_library_but_typer(option: str, tmp_path: Path) -> None:
    assert loaded_by(option, folder=tmp_path) & HEAVY == set()


def test_a_token_needs_settings_and_jwt_only(tmp_path: Path) -> None:
    loaded = loaded_by("token", "--user", "ann", "--tenant", "acme", folder=tmp_path)
    assert loaded & HEAVY == {"jwt", "pydantic"}


def test_an_export_to_a_file_loads_neither_server_nor_broker_nor_store(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "x.db") as connection:
        connection.execute("CREATE TABLE empty (a int)")
    connection.close()
    loaded = loaded_by(
        *("export", "--source", f"sqlite:///{tmp_path}/x.db", "--table", "empty"),
        *("-o", str(tmp_path / "x.csv")),
        folder=tmp_path,
    )
    assert loaded & HEAVY == {"polars", "pyarrow", "pydantic", "sqlalchemy"}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_of_the_table_is_there(name: str) -> None:
    module, function, _help = COMMANDS[name]
    assert callable(getattr(import_module(module), function))


@pytest.mark.parametrize("variable", ["OTEL_SDK_DISABLED", "WITHOUT_AN_ENDPOINT"])
def test_a_process_that_traces_nothing_loads_no_exporter(variable: str) -> None:
    address = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    code = (
        "import sys\n"
        "from waybill.infra.tracing.exporting import traced_process\n"
        "with traced_process('waybill-api'): pass\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={variable: "true", **(address if "SDK" in variable else {})},
    )
    assert done.stdout == "[]\n"
