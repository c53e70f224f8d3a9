"""R39: webhooks to hosts whose name server does not answer."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from threading import Event

import pytest

from tests.support.eventually import wait_for
from waybill.infra.config.settings import load
from waybill.infra.notifications.lookups import Lookups
from waybill.infra.notifications.rules import BadNotificationTarget, NotificationRules

SECRET = "a secret of the tests, long enough for HS256"


class NameServer:
    """Answers for all names but those below ``slow.example``, until it is released."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.released = Event()

    def resolve(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        if host.endswith("slow.example"):
            self.released.wait(60)
        if host == "nowhere.example":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        if host == "busy.example":
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return ["10.0.0.7"] if host.startswith("inside") else ["8.8.8.8"]


@pytest.fixture
def names() -> Iterator[NameServer]:
    server = NameServer()
    yield server
    server.released.set()


@pytest.fixture
def rules(tmp_path, monkeypatch, names: NameServer) -> NotificationRules:
    monkeypatch.chdir(tmp_path)
    return NotificationRules(load(jwt_secret=SECRET), names.resolve, Lookups(seconds=0.05))


def hook(host: str) -> dict[str, str]:
    return {"webhook": f"https://{host}/hook"}


def test_r39_names_that_nobody_answers_for_hold_up_no_other_tenant(rules, names):
    for number in range(40):
        rules.check("acme", hook(f"a{number}.slow.example"), None)

    # Two of them wait for an answer; for the others nobody was asked.
    assert len(names.asked) == 2
    rules.check("beta", hook("hooks.example"), None)
    for host in ("inside.example", "nowhere.example"):
        with pytest.raises(BadNotificationTarget):
            rules.check("beta", hook(host), None)
    assert names.asked[2:] == ["hooks.example", "inside.example", "nowhere.example"]


def test_r39_many_tenants_together_wait_for_eight_look_ups(rules, names):
    for number in range(20):
        rules.check(f"tenant {number}", hook("a.slow.example"), None)
    assert len(names.asked) == 8
    # What cannot be looked up now is judged by each attempt to deliver it.
    rules.check("beta", hook("inside.example"), None)
    assert len(names.asked) == 8


def test_r39_a_look_up_that_ends_makes_room(rules, names):
    for _ in range(3):
        rules.check("acme", hook("a.slow.example"), None)
    names.released.set()

    def refused() -> bool:
        try:
            rules.check("acme", hook("inside.example"), None)
        except BadNotificationTarget:
            return True
        return False

    wait_for(refused)


def test_a_name_server_in_trouble_is_no_reason_to_refuse(rules, names):
    rules.check("acme", hook("busy.example"), None)
    assert names.asked == ["busy.example"]


def test_r39_a_literal_address_needs_no_name_server(rules, names):
    for number in range(3):
        rules.check("acme", hook(f"a{number}.slow.example"), None)
    with pytest.raises(BadNotificationTarget, match="public addresses"):
        rules.check("acme", hook("10.0.0.7"), None)
