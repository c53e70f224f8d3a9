"""R42: the secret that an installation draws at its first start, and the keys made of it."""

from __future__ import annotations

import hmac
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from waybill.infra.config.derived_keys import derived_key
from waybill.infra.config.errors import BadSettings
from waybill.infra.config.settings import load
from waybill.infra.config.stored_secret import stored_secret
from waybill.infra.notifications.rules import build_signer
from waybill.infra.notifications.signing import Signer

STARTS = 8


def test_r42_processes_that_start_together_agree_on_one_secret(tmp_path):
    together = Barrier(STARTS)

    def start(file: Path) -> str:
        together.wait()
        return stored_secret(file)

    for number in range(25):
        home = tmp_path / f"home{number}"
        with ThreadPoolExecutor(STARTS) as threads:
            drawn = list(threads.map(start, [home / "jwt.secret"] * STARTS))
        assert len(set(drawn)) == 1
        assert len(drawn[0]) >= 48
        assert [path.name for path in home.iterdir()] == ["jwt.secret"]


def test_it_is_drawn_once_for_this_user_only(tmp_path):
    settings = load(home=tmp_path / "home")
    assert settings.signing_secret() == settings.signing_secret()
    assert stat.S_IMODE((tmp_path / "home" / "jwt.secret").stat().st_mode) == 0o600


@pytest.mark.parametrize("damaged", ["", "x", "\n" * 40, "x" * 31])
def test_r42_a_file_with_less_than_a_secret_is_refused(tmp_path, damaged):
    (tmp_path / "jwt.secret").write_text(damaged)
    with pytest.raises(BadSettings, match=r"jwt\.secret holds fewer than 32 bytes\. Remove it"):
        load(home=tmp_path).signing_secret()
    assert (tmp_path / "jwt.secret").read_text() == damaged


def test_r42_a_disk_without_room_leaves_nothing_behind(tmp_path, monkeypatch):
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(BadSettings, match="No space left"):
        stored_secret(tmp_path / "jwt.secret")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("made_first", [True, False])
def test_r42_a_file_system_without_links_holds_a_secret(tmp_path, monkeypatch, made_first):
    def refuse(_draft: Path, path: Path) -> None:
        if made_first:
            path.write_text("s" * 48)
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    drawn = stored_secret(tmp_path / "jwt.secret")
    assert (drawn == "s" * 48) is made_first
    assert stored_secret(tmp_path / "jwt.secret") == drawn
    assert [path.name for path in tmp_path.iterdir()] == ["jwt.secret"]


def test_a_secret_that_others_could_read_is_closed_to_them(tmp_path):
    (tmp_path / "jwt.secret").write_text("s" * 48)
    (tmp_path / "jwt.secret").chmod(0o644)
    assert stored_secret(tmp_path / "jwt.secret") == "s" * 48
    assert stat.S_IMODE((tmp_path / "jwt.secret").stat().st_mode) == 0o600


@pytest.mark.parametrize("content", [b"\xff" * 48, None])
def test_a_secret_that_cannot_be_read_is_one_line(tmp_path, content):
    path = tmp_path / "jwt.secret"
    path.mkdir() if content is None else path.write_bytes(content)
    with pytest.raises(BadSettings, match=r"jwt\.secret cannot be used: (Is a dir|it is no text)"):
        load(home=tmp_path).signing_secret()


def test_each_purpose_has_a_key_of_its_own():
    # RFC 5869 by hand: one block of HMAC over the purpose, under the extracted secret.
    extracted = hmac.digest(b"\0" * 32, b"s" * 32, "sha256")
    assert derived_key(b"s" * 32, "cursors") == hmac.digest(
        extracted, b"waybill cursors\x01", "sha256"
    )
    assert derived_key(b"s" * 32, "cursors") != derived_key(b"s" * 32, "webhooks")


def test_no_key_of_a_tenant_is_made_with_the_key_of_tokens(tmp_path):
    settings = load(home=tmp_path)
    signer = build_signer(settings)
    again = build_signer(load(home=tmp_path))
    assert signer is not None
    assert again is not None
    assert signer.secrets_of("acme") == again.secrets_of("acme")
    with_token_key = Signer([settings.signing_secret().encode()])
    assert signer.secrets_of("acme") != with_token_key.secrets_of("acme")
