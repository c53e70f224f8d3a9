"""WAYBILL_HOME: what is in it is for its owner only, also where an older version made it."""

from __future__ import annotations

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from waybill.infra.bootstrap import Stack
from waybill.infra.config.errors import BadSettings
from waybill.infra.config.home import private_home
from waybill.infra.config.settings import load


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def modes(home: Path) -> dict[str, int]:
    return {path.name: mode(path) for path in home.iterdir()}


def test_r59_a_new_home_and_its_database_are_the_owner_s_alone(tmp_path: Path) -> None:
    home = tmp_path / "parent" / "home"
    with Stack(load(home=home)) as stack:
        stack.migrate()
        files = modes(home)
    assert mode(home) == 0o700
    assert set(files.values()) == {0o600}
    assert {"waybill.db", "waybill.db-wal", "waybill.db-shm"} <= set(files)


@pytest.mark.parametrize("part", ["engine", "rows_engine"])
def test_r59_a_home_of_an_older_version_is_closed_to_others(tmp_path: Path, part: str) -> None:
    with closing(sqlite3.connect(tmp_path / "waybill.db")) as older:
        older.execute("PRAGMA journal_mode=WAL")
        older.execute("CREATE TABLE t (a)")
        for path in (tmp_path, *tmp_path.iterdir()):
            path.chmod(path.stat().st_mode | 0o044)
        with Stack(load(home=tmp_path)) as stack:
            _ = getattr(stack, part)
        assert modes(tmp_path) == {
            "waybill.db": 0o600,
            "waybill.db-wal": 0o600,
            "waybill.db-shm": 0o600,
        }
    assert mode(tmp_path) == 0o700


def test_r59_a_database_elsewhere_is_made_for_its_owner_and_keeps_the_rights_it_has(
    tmp_path: Path,
) -> None:
    path = tmp_path / "tasks.db"
    settings = load(home=tmp_path / "home", database_url=f"sqlite:///{path}")
    with Stack(settings) as stack:
        stack.check_database()
    assert mode(path) == 0o600
    path.chmod(0o660)
    with Stack(settings) as stack:
        stack.check_database()
    assert mode(path) == 0o660
    assert not (tmp_path / "home").exists()


def test_folders_that_are_more_than_a_home_stay_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = tmp_path / "tmp"
    shared.mkdir()
    shared.chmod(0o1777)
    working = tmp_path / "project"
    working.mkdir()
    working.chmod(0o755)
    monkeypatch.chdir(working)
    for folder in (shared, Path()):
        before = mode(folder)
        private_home(folder)
        assert mode(folder) == before


@pytest.mark.parametrize("part", ["engine", "store"])
def test_a_home_that_cannot_be_made_is_one_line(tmp_path: Path, part: str) -> None:
    (tmp_path / "file").touch()
    with (
        Stack(load(home=tmp_path / "file" / "home")) as stack,
        pytest.raises(BadSettings, match="WAYBILL_HOME: this user cannot make or use the folder"),
    ):
        getattr(stack, part)


def test_a_file_in_place_of_the_database_s_folder_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    url = f"sqlite:///{tmp_path}/file/tasks.db"
    with (
        Stack(load(home=tmp_path, database_url=url)) as stack,
        pytest.raises(BadSettings, match="the folder of the SQLite file cannot be made"),
    ):
        _ = stack.engine
