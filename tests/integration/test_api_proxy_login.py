"""A proxy that logs people in names them in headers; nobody else can."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.servers.task_api import TASKS, TaskApi, ask, running_api
from waybill.api.app import create_app
from waybill.api.cli.doctor.proxy_login import check_proxy_login
from waybill.infra.bootstrap import Stack
from waybill.infra.config.errors import BadSettings
from waybill.infra.config.settings import load

ANN = {
    "Remote-User": "ann",
    "Remote-Groups": "finance-team, other",
    "Remote-Email": "ann@acme.example",
}
SETTINGS: dict[str, Any] = {
    "proxy_tenant": "acme",
    "role_map": "finance-team=sales",
    "public_url": None,
}


@pytest.fixture(scope="module")
def trusting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TaskApi]:
    """Its clients connect from the network of the proxy."""
    home, networks = tmp_path_factory.mktemp("proxy"), "127.0.0.0/8,10.0.0.5"
    with running_api(
        f"sqlite:///{home}/tasks.db", home, trusted_proxy_networks=networks, **SETTINGS
    ) as api:
        yield api


@pytest.fixture(scope="module")
def distrusting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TaskApi]:
    """Its clients connect from elsewhere, and are believed about `X-Forwarded-For`."""
    assert "FORWARDED_ALLOW_IPS" not in os.environ
    home = tmp_path_factory.mktemp("elsewhere")
    with running_api(
        f"sqlite:///{home}/tasks.db", home, trusted_proxy_networks="10.0.0.5", **SETTINGS
    ) as api:
        yield api


def test_the_caller_is_who_the_proxy_names(trusting: TaskApi) -> None:
    client = trusting.client(headers=ANN)

    task = ask(client, notify={"email": "ann@acme.example"})

    assert task["created_by"] == "ann"
    assert [item["name"] for item in client.get("/api/datasets").json()["items"]] == ["orders"]
    assert trusting.client().get(TASKS).status_code == 401
    page = client.get("/").text
    assert "My exports" in page
    # Waybill cannot log anybody out of the proxy.
    assert "/session/end" not in page


@pytest.mark.parametrize(
    "more",
    [{}, {"X-Forwarded-For": "10.0.0.5"}, {"X-Forwarded-For": "127.0.0.1, 10.0.0.5"}],
    ids=["alone", "forwarded", "forwarded twice"],
)
def test_r58_from_another_address_the_headers_are_ignored(
    distrusting: TaskApi, more: dict[str, str]
) -> None:
    client = distrusting.client(headers=ANN | more)
    assert client.get(TASKS).status_code == 401
    assert "My exports" not in client.get("/").text


def test_r58_from_another_address_they_shadow_nobody(distrusting: TaskApi) -> None:
    tenant = distrusting.tenant()
    token = distrusting.token(tenant, "bob", ())
    client = distrusting.client(headers={**ANN, "Authorization": f"Bearer {token}"})
    assert client.get("/api/datasets").json()["items"] == []


def test_r58_a_connection_is_that_of_the_proxy_for_each_client(trusting: TaskApi) -> None:
    client = trusting.client(headers=ANN | {"X-Forwarded-For": "203.0.113.9"})
    assert client.get(TASKS).status_code == 200


def test_a_request_without_a_user_may_have_a_token(trusting: TaskApi) -> None:
    assert trusting.person(user="bob", roles=()).get(TASKS).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        [("Remote-User", "ann"), ("Remote-User", "root")],
        [("Remote-User", "ann"), ("Remote-Groups", "a"), ("Remote-Groups", "waybill-operator")],
        [("Remote-User", "a" * 256)],
        [("Remote-User", b"\xff\xfe")],
    ],
    ids=["two users", "two lists of groups", "a long name", "no text"],
)
def test_r58_headers_that_are_not_those_of_one_person_name_nobody(
    trusting: TaskApi, headers: list[Any]
) -> None:
    assert trusting.client(headers=headers).get(TASKS).status_code == 401
    # Nor does a token count then: the proxy has named somebody.
    token = trusting.token(trusting.tenant())
    with_token = [*headers, ("Authorization", f"Bearer {token}")]
    assert trusting.client(headers=with_token).get(TASKS).status_code == 401


@pytest.mark.parametrize(
    ("sender", "status"),
    [
        ({"Origin": "https://evil.example"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 202),
        ({}, 202),
    ],
    ids=["an origin", "a site", "our page", "a program"],
)
def test_r58_pages_of_other_sites_start_nothing_in_the_name_of_the_caller(
    trusting: TaskApi, sender: dict[str, str], status: int
) -> None:
    client = trusting.client(headers=ANN | sender)
    body = {"type": "orders", "format": "csv", "filename": f"f{len(str(sender))}"}
    assert client.post(TASKS, json=body).status_code == status


def test_the_names_of_headers_are_settings(tmp_path: Path) -> None:
    more = {
        "trusted_proxy_networks": "127.0.0.1",
        "proxy_user_header": "X-Forwarded-User",
        "proxy_roles_header": "X-Forwarded-Groups",
        "proxy_tenant_header": "X-Forwarded-Tenant",
    }
    with running_api(f"sqlite:///{tmp_path}/tasks.db", tmp_path, **more) as api:
        named = {"X-Forwarded-User": "ann", "X-Forwarded-Groups": "sales"}
        assert api.client(headers=named).get(TASKS).status_code == 401
        with_tenant = api.client(headers={**named, "X-Forwarded-Tenant": "acme"})
        assert ask(with_tenant)["created_by"] == "ann"
        assert api.client(headers=ANN).get(TASKS).status_code == 401


@pytest.mark.parametrize("networks", ["proxy.example", "10.0.0.0/33", "10.0.0.5/8", "*"])
def test_r58_networks_are_addresses(tmp_path: Path, networks: str) -> None:
    with pytest.raises(BadSettings, match=r"^WAYBILL_TRUSTED_PROXY_NETWORKS: "):
        load(home=tmp_path, trusted_proxy_networks=networks)


@pytest.mark.parametrize("networks", ["0.0.0.0/0", "10.0.0.5,::/0"])
def test_r58_the_doctor_warns_of_a_network_that_is_everybody(tmp_path: Path, networks: str) -> None:
    wide = load(home=tmp_path, trusted_proxy_networks=networks)
    with Stack(wide) as stack, pytest.raises(BadSettings, match="nearly everybody"):
        check_proxy_login(stack)
    with Stack(load(home=tmp_path, trusted_proxy_networks="10.0.0.5")) as stack:
        assert check_proxy_login(stack) == "headers Remote-User and Remote-Groups of 10.0.0.5"
    with Stack(load(home=tmp_path)) as stack:
        assert check_proxy_login(stack) == "none"


def test_r58_a_mounted_waybill_leaves_it_to_its_host(tmp_path: Path) -> None:
    with Stack(load(home=tmp_path, trusted_proxy_networks="10.0.0.5")) as stack:
        services = stack.services(lambda: None)
        with pytest.raises(BadSettings, match="get_principal"):
            create_app(services, owns_process=False)
