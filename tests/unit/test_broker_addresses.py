"""F95: the broker's setting with several addresses, and the order in which they are tried."""

from __future__ import annotations

import pytest
from yarl import URL

from waybill.infra.broker.rabbitmq.addresses import BadBrokerUrl, BrokerAddresses
from waybill.infra.config.errors import BadSettings
from waybill.infra.config.settings import load
from waybill.infra.config.weak_secrets import weak_secrets

LOGIN = "amqp://u:p%40w@"
DEFAULT_PORTS = ["10.0.0.2:5672", "10.0.0.3:5672"]


@pytest.fixture(autouse=True)
def _clean(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)


async def places(text: str) -> list[str]:
    return [f"{a.url.host}:{a.url.port}" for a in await BrokerAddresses.parse(text).in_turn()]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("amqp://10.0.0.1", ["10.0.0.1:5672"]),
        ("amqps://10.0.0.1/", ["10.0.0.1:5671"]),
        (f"{LOGIN}10.0.0.1:1,10.0.0.2:2/v", ["10.0.0.1:1", "10.0.0.2:2"]),
        (f"{LOGIN}10.0.0.1,10.0.0.2:2,10.0.0.1:5672", ["10.0.0.1:5672", "10.0.0.2:2"]),
        (f"{LOGIN}[::1]:1,[::2]/v?heartbeat=5", ["::1:1", "::2:5672"]),
        (f"{LOGIN}10.0.0.1/v,{LOGIN}10.0.0.2/v", ["10.0.0.1:5672", "10.0.0.2:5672"]),
        (f"{LOGIN}10.0.0.1:1 , AMQP://10.0.0.2,10.0.0.3", ["10.0.0.1:1", *DEFAULT_PORTS]),
        (f"{LOGIN}10.0.0.1;{LOGIN}10.0.0.2/%2F", ["10.0.0.1:5672", "10.0.0.2:5672"]),
        ("amqp://u:a,b@10.0.0.1,10.0.0.2/", ["10.0.0.1:5672", "10.0.0.2:5672"]),
    ],
)
async def test_f95_an_address_is_read_in_each_form_that_people_use(text, expected):
    assert await places(text) == expected


async def test_f95_each_address_has_the_login_the_vhost_and_the_options_of_its_url():
    text = f"{LOGIN}10.0.0.1,10.0.0.2/v?heartbeat=5"
    for address in await BrokerAddresses.parse(text).in_turn():
        assert (address.url.user, address.url.password, address.url.path) == ("u", "p@w", "/v")
        assert address.url.query["heartbeat"] == "5"
    (plain,) = await BrokerAddresses.parse("amqp://10.0.0.1/").in_turn()
    assert plain.url.query["heartbeat"] == "10"


@pytest.mark.parametrize(
    "text",
    [
        "amqp://u:hunter2@a,/v",
        "amqp://u:hunter2@,b/v",
        "amqp://u:hunter2@a,,b/v",
        "amqp://u:hunter2@a/v,",
        "amqp://u:hunter2@a/v,b:5672/v",
        "amqp://u:hunter2@a/v,http://u:hunter2@b/v",
        "amqp://u:hunter2@a/v?x=1,2",
        "amqp://u:hunter2@a b/v",
        "a:5672,b:5672",
        "hunter2",
    ],
)
def test_f95_what_is_no_list_of_addresses_is_one_clear_line(monkeypatch, text):
    monkeypatch.setenv("WAYBILL_AMQP_URL", text)
    with pytest.raises(BadSettings) as caught:
        load()
    assert caught.value.message.startswith("WAYBILL_AMQP_URL: ")
    assert "hunter2" not in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("amqp://u:hunter2@a:99999,b/", "not an AMQP URL"),
        ("amqp://u:hunter2@a:port/", "not an AMQP URL"),
        ("amqp://u:hunter2@a:0/", "not an AMQP URL"),
        ("amqp://u:hunter2@a/one,amqp://u:hunter2@b/two", "different vhosts"),
    ],
)
def test_f95_addresses_that_cannot_be_of_one_broker_are_refused(text, said):
    with pytest.raises(BadBrokerUrl, match=said) as caught:
        BrokerAddresses.parse(text)
    assert "hunter2" not in repr(caught.value)


async def test_f95_the_address_that_did_not_answer_last_is_asked_last():
    addresses = BrokerAddresses.parse("amqp://10.0.0.1,10.0.0.2,10.0.0.3")

    async def order() -> str:
        return "".join(str(a.url.host)[-1] for a in await addresses.in_turn())

    one, two, three = (a.url for a in await addresses.in_turn())
    addresses.did_not_answer(one)
    assert await order() == "231"
    addresses.did_not_answer(two)
    assert await order() == "312"
    addresses.did_not_answer(three)
    assert await order() == "123"
    addresses.answered(two)
    assert await order() == "213"


async def test_f95_of_several_addresses_behind_one_name_each_has_its_turn(monkeypatch):
    hosts = ["10.0.0.1", "10.0.0.2", "10.0.0.1"]
    monkeypatch.setattr(
        "socket.getaddrinfo", lambda *_, **__: [(0, 0, 0, "", (host, 5671)) for host in hosts]
    )
    addresses = BrokerAddresses.parse("amqps://u:p@broker.example/v")
    first, second = await addresses.in_turn()
    assert (first.url.host, second.url.host) == ("10.0.0.1", "10.0.0.2")
    # The certificate names the name, not the address.
    assert first.server_name == second.server_name == "broker.example"
    assert first.shown == "broker.example:5671 (10.0.0.1)"
    addresses.did_not_answer(first.url)
    assert [a.url.host for a in await addresses.in_turn()] == ["10.0.0.2", "10.0.0.1"]


async def test_f95_a_name_that_is_unknown_leaves_the_other_addresses(monkeypatch):
    def unknown(*_, **__):
        raise OSError

    monkeypatch.setattr("socket.getaddrinfo", unknown)
    assert await places("amqp://gone.example,10.0.0.2") == ["10.0.0.2:5672"]


def test_f95_an_address_that_is_silent_again_and_again_is_waited_for_longer():
    addresses = BrokerAddresses.parse("amqp://10.0.0.1,10.0.0.2")
    url = URL("amqp://10.0.0.1:5672")
    waits = []
    for _ in range(4):
        waits.append(addresses.patience_seconds(url))
        addresses.did_not_answer(url)
    assert waits == [3.0, 6.0, 10.0, 10.0]
    addresses.answered(url)
    assert addresses.patience_seconds(url) == 3.0


@pytest.mark.parametrize(
    ("text", "weak"),
    [
        ("amqp://u:guest@127.0.0.1,127.0.0.2/", False),
        ("amqp://u:changeme@127.0.0.1,mq.internal/", True),
        ("amqp://u:b5f04c2e9a6d@mq1/,amqp://u:changeme@mq2/", True),
        ("amqp://u:changeme@localhost/,amqp://u:b5f04c2e9a6d@mq2/", False),
    ],
)
def test_r37_the_password_of_each_address_is_checked(monkeypatch, text, weak):
    monkeypatch.setenv("WAYBILL_AMQP_URL", text)
    assert ("WAYBILL_AMQP_URL" in weak_secrets(load(), "127.0.0.1")) == weak
