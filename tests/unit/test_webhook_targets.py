"""R22 to R25: where a webhook may go, judged without a network."""

from __future__ import annotations

import pytest

from waybill.infra.config.notifications import DeniedHosts
from waybill.infra.config.settings import load
from waybill.infra.notifications.rules import target_rules
from waybill.infra.notifications.webhook_targets import (
    BadWebhookUrl,
    TargetRules,
    is_public,
    redacted,
    system_resolve,
)

STRICT = TargetRules()
DEVELOPMENT = TargetRules(allow_private=True)
PUBLIC = "93.184.216.34"

PRIVATE_ADDRESSES = """
    127.0.0.1 127.255.0.1 0.0.0.0 0.1.2.3 10.1.2.3 172.16.0.1 192.168.1.1 169.254.169.254
    100.64.0.1 100.127.255.255 192.0.0.1 192.0.0.9 192.0.2.1 192.88.99.1 198.18.0.1 198.51.100.7
    203.0.113.9 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255
    :: ::1 ::7f00:1 ::ffff:127.0.0.1 ::ffff:8.8.8.8 ::ffff:0:7f00:1 64:ff9b::7f00:1
    64:ff9b::808:808 64:ff9b:1::1 100::1 2001::1 2001:db8::1 2002:7f00:1:: 2002:808:808::
    3fff::1 fc00::1 fd12::1 fe80::1 fe80::1%eth0 fec0::1 ff02::1 4000::1 5f00::1
"""
#: Spellings of 127.0.0.1 and its like that resolvers and browsers take for an address.
ODD_HOSTS = """
    2130706433 0x7f000001 0x7f.0.0.1 0177.0.0.1 127.1 127.0.1 00127.0.0.1 0 0x 127.0.0.1.
    localhost. example.com. １２７.0.0.1 ①②⑦.0.0.1 127。0。0。1 ｌocalhost ⓔxample.com
    例え.jp exämple.com [::1 [::1] ::1 [::] [fe80::1%25eth0] [fe80::1%eth0] [::ffff:127.0.0.1]
    [::ffff:7f00:1] [64:ff9b::7f00:1] [2002:7f00:1::] [127.0.0.1] 256.1.1.1 1.2.3 1.2.3.4.5
    -a.example a..example .example exa_mple.com
"""


def refused(url: str, rules: TargetRules = STRICT, addresses: tuple[str, ...] = (PUBLIC,)) -> str:
    """Why `url` is refused, whatever step of the check it is that refuses it."""

    def resolve(host: str, port: int) -> list[str]:
        # What a real resolver does with an address.
        return [host] if host[0].isdigit() or ":" in host else list(addresses)

    with pytest.raises(BadWebhookUrl) as caught:
        rules.addresses(rules.parse(url), resolve)
    return str(caught.value)


@pytest.mark.parametrize("address", PRIVATE_ADDRESSES.split())
def test_r22_an_address_that_is_not_public_is_refused(address):
    assert not is_public(address)
    assert "public" in refused("https://hooks.example/x", addresses=(address,))
    literal = f"[{address}]" if ":" in address else address
    refused(f"https://{literal}/x")


@pytest.mark.parametrize(
    "address",
    # Azure's WireServer; IBM Cloud's private network. The others look private at least.
    [
        "168.63.129.16",
        "161.26.0.10",
        "161.26.255.255",
        "166.8.0.1",
        "166.11.255.255",
        "100.100.100.200",
        "192.0.0.192",
        "169.254.42.42",
        "fd00:ec2::254",
        "fd20:ce::254",
        "fd00:42::42",
        "fe80::a9fe:a9fe",
        "::ffff:168.63.129.16",
        "64:ff9b::a83f:8110",
        "2002:a83f:8110::",
    ],
)
def test_r49_an_address_at_which_a_cloud_serves_its_own_machines_is_refused(address):
    assert not is_public(address)
    refused("https://hooks.example/x", addresses=(PUBLIC, address))
    refused(f"https://[{address}]/x" if ":" in address else f"https://{address}/x")


@pytest.mark.parametrize("address", ["168.63.129.15", "168.63.129.17", "161.25.0.1", "166.12.0.1"])
def test_r49_their_neighbours_are_allowed(address):
    assert is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", PUBLIC, "1.1.1.1", "2606:4700::1111", "2a00::1"])
def test_r22_a_public_address_is_allowed(address):
    target = STRICT.parse("https://hooks.example/x")
    assert STRICT.addresses(target, lambda host, port: [address]) == [address]
    literal = f"[{address}]" if ":" in address else address
    assert STRICT.parse(f"https://{literal}/x").host == address


@pytest.mark.parametrize("host", ODD_HOSTS.split())
def test_r22_a_host_that_two_programs_could_read_differently_is_refused(host):
    refused(f"https://{host}/x")


@pytest.mark.server
@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "localhost.localdomain"])
def test_r22_names_of_this_machine_are_judged_by_their_address(host):
    with pytest.raises((BadWebhookUrl, OSError)):
        STRICT.addresses(STRICT.parse(f"https://{host}/"), system_resolve)


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example/",
        "HTTPS://hooks.example/",
        "ftp://hooks.example/",
        "file:///etc/passwd",
        "gopher://hooks.example/",
        "javascript:alert(1)",
        "//hooks.example/",
        "hooks.example/x",
        "https:hooks.example",
        "https:///hooks.example",
        "https://",
        "https://user@hooks.example/",
        "https://user:pw@hooks.example/",
        "https://good.example@evil.example/",
        "https://good.example#@evil.example/",
        "https://hooks.example/#fragment",
        "https://hooks.example\\@evil.example/",
        "https://hooks.example/a\\b",
        "https:\\\\hooks.example\\",
        "https://hooks.example/a\r\nHost: evil",
        "https://hooks.example/a\nb",
        "https://hooks.example/a b",
        "https://hooks.example/\x00",
        "https://hooks.example/\x7f",
        "https://hooks.example\t/",
        " https://hooks.example/",
        "https://hooks.example/\n",
        "https://hooks.example/ü",
        "https://hooks.example:22/",
        "https://hooks.example:25/",
        "https://hooks.example:80/",
        "https://hooks.example:5432/",
        "https://hooks.example:0443/",
        "https://hooks.example:٤٤٣/",
        "https://hooks.example:/",
        "https://hooks.example:443:443/",
        "https://hooks.example:65536/",
        "https://hooks.example/" + "x" * 2000,
        "https://" + "x" * 64 + ".example/",
    ],
)
def test_r23_anything_but_a_plain_https_url_is_refused(url):
    assert url not in refused(url)


@pytest.mark.parametrize(
    ("url", "host", "port", "path", "netloc"),
    [
        ("https://hooks.example", "hooks.example", 443, "/", "hooks.example"),
        ("https://HOOKS.example:443/x", "hooks.example", 443, "/x", "hooks.example"),
        ("https://hooks.example:8443?a=b", "hooks.example", 8443, "/?a=b", "hooks.example:8443"),
        ("https://xn--r8jz45g.jp/@x?u=a@b:c", "xn--r8jz45g.jp", 443, "/@x?u=a@b:c", None),
        ("https://[2606:4700:0::1111]/", "2606:4700::1111", 443, "/", "[2606:4700::1111]"),
        ("https://8.8.8.8/%2e%2e//;x", "8.8.8.8", 443, "/%2e%2e//;x", "8.8.8.8"),
    ],
)
def test_a_plain_url_is_taken_apart(url, host, port, path, netloc):
    target = STRICT.parse(url)
    assert (target.host, target.port, target.path) == (host, port, path)
    assert target.netloc == (netloc or host)


@pytest.mark.parametrize(
    "addresses", [("10.0.0.7", PUBLIC), (PUBLIC, "10.0.0.7"), (PUBLIC, "::1"), ("fd00::1", PUBLIC)]
)
def test_r24_one_private_answer_among_public_ones_refuses_all(addresses):
    assert "public" in refused("https://hooks.example/", addresses=addresses)


def test_r24_a_name_without_an_address_is_no_target():
    with pytest.raises(OSError, match="no address"):
        STRICT.addresses(STRICT.parse("https://hooks.example/"), lambda host, port: [])


@pytest.mark.parametrize(
    "host", ["exports.example", "EXPORTS.example", "files.example", "db.example", "mq.example"]
)
def test_r25_our_own_services_are_no_targets(tmp_path, monkeypatch, host):
    monkeypatch.chdir(tmp_path)
    rules = target_rules(
        load(
            home=tmp_path,
            public_url="https://exports.example",
            s3_public_endpoint_url="https://files.example",
            database_url="postgresql://u:p@db.example/waybill",
            amqp_url="amqp://u:p@mq.example",
        )
    )
    assert "this service itself" in refused(f"https://{host}/metrics", rules)


@pytest.mark.parametrize("url", ["https://corp.example/", "https://a.b.corp.example:8443/"])
@pytest.mark.parametrize("rules", [STRICT, DEVELOPMENT])
def test_r25_denied_names_take_all_names_below_them_along(url, rules):
    denied = TargetRules(
        allow_private=rules.allow_private, denied=DeniedHosts.parse("x.example, *.Corp.example")
    )
    refused(url, denied)
    assert denied.parse("https://notcorp.example/")


def test_r25_denied_networks_hold_for_public_addresses():
    rules = TargetRules(denied=DeniedHosts.parse("93.184.216.0/24,2606:4700::/32"))
    refused("https://hooks.example/", rules, addresses=("8.8.8.8", PUBLIC))
    refused("https://[2606:4700::1]/", rules)


@pytest.mark.parametrize("text", ["a b", "10.0.0.0/8/8", "exa_mple", "https://x.example"])
def test_a_denied_entry_that_means_nothing_is_refused(text):
    with pytest.raises(ValueError, match="names and networks"):
        DeniedHosts.parse(text)


@pytest.mark.server
def test_development_lets_in_private_addresses_but_no_odd_spelling():
    target = DEVELOPMENT.parse("http://127.0.0.1:8123/x")
    assert DEVELOPMENT.addresses(target, system_resolve) == ["127.0.0.1"]
    for url in ("http://2130706433/", "http://u:p@127.0.0.1/", "http://127.0.0.1:70000/"):
        with pytest.raises(BadWebhookUrl):
            DEVELOPMENT.parse(url)


def test_only_the_host_of_a_url_is_shown():
    assert redacted("https://Hooks.example:8443/T0/canary?token=canary") == (
        "https://hooks.example:8443/…"
    )
    assert redacted("https://u:canary@x/") == "…"
    assert "canary" not in repr(STRICT.parse("https://hooks.example/canary"))
