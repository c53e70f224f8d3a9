"""R44: webhook URLs in the database, whose paths are often secrets."""

from __future__ import annotations

import pytest

from waybill.infra.notifications.stored_targets import StoredTargets, UnreadableTarget
from waybill.infra.notifications.webhook_targets import TargetRules, redacted

OLD, NEW = b"an old key of thirty-two bytes..", b"a new key of thirty-two bytes..."
URLS = [
    "https://hooks.example/services/canary?token=canary",
    "https://hooks.example:8443/canary",
    "https://[2606:4700::1]/canary",
    "https://hooks.example?canary",
    "https://Hooks.Example/a//b/../canary",
    "https://hooks.example/sealed.v1.Y2FuYXJ5",
]


@pytest.mark.parametrize("url", URLS)
def test_r44_a_stored_webhook_shows_its_host_and_nothing_of_its_path(url):
    targets = StoredTargets([NEW])
    stored = targets.seal({"webhook": url, "email": "ana@acme.example"})

    assert "canary" not in stored["webhook"]
    assert "Y2FuYXJ5" not in stored["webhook"]
    assert redacted(stored["webhook"]) == redacted(url)
    assert stored["email"] == "ana@acme.example"
    assert targets.open(stored["webhook"]) == url
    assert targets.seal({"webhook": url, "email": "ana@acme.example"}) == stored


def test_a_url_without_a_path_is_the_same_target():
    targets, rules = StoredTargets([NEW]), TargetRules()
    stored = targets.seal({"webhook": "https://hooks.example"})
    assert rules.parse(targets.open(stored["webhook"])) == rules.parse("https://hooks.example")


def test_a_path_is_bound_to_its_host():
    stored = StoredTargets([NEW]).seal({"webhook": URLS[0]})["webhook"]
    moved = stored.replace("hooks.example", "elsewhere.example")
    with pytest.raises(UnreadableTarget):
        StoredTargets([NEW]).open(moved)


def test_during_a_rotation_urls_under_either_secret_are_read():
    stored = StoredTargets([OLD]).seal({"webhook": URLS[0]})["webhook"]
    assert StoredTargets([NEW, OLD]).open(stored) == URLS[0]
    with pytest.raises(UnreadableTarget):
        StoredTargets([NEW]).open(stored)


def test_a_url_of_an_older_version_is_read_as_it_is():
    assert StoredTargets([NEW]).open(URLS[0]) == URLS[0]


@pytest.mark.parametrize("text", ["", "!", "Y2Fu", "a" * 40])
def test_a_damaged_text_is_unreadable(text):
    with pytest.raises(UnreadableTarget):
        StoredTargets([NEW]).open(f"https://hooks.example/sealed.v1.{text}")
