"""Wiring happens in one place: `infra/bootstrap.py` creates what connects, and imports do not."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from waybill.exporter.datasets.dataset import Registry
from waybill.infra.bootstrap import Stack
from waybill.infra.config.settings import load
from waybill.storage.memory import MemoryStore

ROOT = Path(__file__).parents[2]

CREATES = {"create_engine", "RabbitBroker", "MemoryBroker", "S3Store", "EmbeddedS3"}
BOOTSTRAP = "infra/bootstrap.py"
#: The adapters themselves: the functions that make engines, of settings and of a connection of the
#: caller's, and the engine of a row source.
ADAPTERS = {"infra/db/borrowed.py", "infra/db/engine.py", "infra/sources/rows/session.py"}

IMPORT_EVERYTHING = """
import importlib, pkgutil, sys
import waybill

def refuse(event, args):
    if event in {"socket.connect", "socket.bind", "sqlite3.connect"}:
        raise AssertionError(f"{event} while importing")

sys.addaudithook(refuse)
names = 0
for module in pkgutil.walk_packages(waybill.__path__, "waybill."):
    if not module.name.startswith(("waybill.infra.db.migrations.", "waybill.__main__")):
        importlib.import_module(module.name)
        names += 1
assert names > 200, names
"""


def calls(path: Path) -> set[str]:
    """The names that the module at `path` calls."""
    called = [
        node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)
    ]
    return {
        node.id if isinstance(node, ast.Name) else node.attr
        for node in called
        if isinstance(node, ast.Name | ast.Attribute)
    }


def test_only_bootstrap_creates_engines_brokers_and_stores():
    creators = {
        str(path.relative_to(ROOT))
        for package in ("api", "exporter", "storage", "infra", ".src/waybill")
        for path in (ROOT / package).rglob("*.py")
        if calls(path) & CREATES and path.is_file() and not path.is_symlink()
    }

    assert creators - ADAPTERS == {BOOTSTRAP}
    assert calls(ROOT / BOOTSTRAP) >= CREATES


@pytest.mark.slow
def test_nothing_connects_at_import():
    subprocess.run([sys.executable, "-c", IMPORT_EVERYTHING], check=True, timeout=60)


def test_a_part_that_is_passed_in_replaces_that_of_the_settings_and_stays_open(tmp_path):
    store, registry = MemoryStore(), Registry()
    with Stack(load(home=tmp_path), store=store, registry=registry) as stack:
        assert stack.store is store
        assert stack.registry is registry
    with store.open_upload("key", content_type="text/plain") as upload:
        upload.write(b"open")


def test_each_part_is_built_once_and_closed_at_the_end(tmp_path):
    with Stack(load(home=tmp_path)) as stack:
        assert stack.engine is stack.engine
        stack.check_database()
        pool = stack.engine.pool
    assert stack.engine.pool is not pool, "a disposed engine has a new pool"
