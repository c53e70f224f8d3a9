"""R56: a `.env` in the working directory that somebody else wrote is not read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from waybill.infra.config.errors import BadSettings
from waybill.infra.config.settings import load

STRANGER = 54_321


@pytest.fixture
def env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SUDO_UID", raising=False)
    file = tmp_path / ".env"
    file.write_text("WAYBILL_LINK_TTL=60\n")
    file.chmod(0o600)
    return file


def give_away(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the file be another user's: root can, and others become another one."""
    if os.geteuid() == 0:
        os.chown(file, STRANGER, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: STRANGER)


def test_r56_a_file_of_another_user_is_refused_except_to_sudo(env_file, monkeypatch):
    assert load().link_ttl.total_seconds() == 60
    give_away(env_file, monkeypatch)

    with pytest.raises(BadSettings, match=r"^\.env in the working directory is another user's"):
        load()
    monkeypatch.setenv("SUDO_UID", str(env_file.stat().st_uid))
    assert load().link_ttl.total_seconds() == 60


def test_r56_a_file_that_everybody_may_write_is_refused(env_file):
    env_file.chmod(0o666)

    with pytest.raises(BadSettings, match="chmod o-w"):
        load()
