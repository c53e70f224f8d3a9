"""Attributes of a caller: from claims, from the command line, and in what a request is."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from waybill.api.cli.attributes import attributes_of
from waybill.api.problems.errors import Unauthenticated
from waybill.api.session.development_tokens import mint
from waybill.api.session.session_tokens import issue
from waybill.api.session.tokens import TokenVerifier
from waybill.exporter.datasets.dataset import Dataset
from waybill.exporter.datasets.layout import Layout
from waybill.exporter.datasets.principal import MissingAttribute, Principal
from waybill.exporter.errors import InvalidRequest, PermissionDenied
from waybill.exporter.formats.registry import format_named
from waybill.infra.config.errors import BadSettings
from waybill.infra.config.settings import Settings, load
from waybill.infra.exports.single_flight_key import SingleFlightKeys
from waybill.infra.sources.names import ROWS

SECRET = "a secret of the tests, long enough for HS256"


def settings_with(home: Path, **more: Any) -> Settings:
    return load(home=home, jwt_secret=SECRET, **more)


def signed(**claims: Any) -> str:
    now = datetime.now(UTC)
    good = {
        "sub": "ana",
        "tenant": "acme",
        "aud": "waybill",
        "iss": "waybill",
        "iat": now,
        "exp": now + timedelta(minutes=5),
    }
    return jwt.encode(good | claims, SECRET, algorithm="HS256")


CLAIMS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "a text": ({"region": "EU"}, {"region": "EU"}),
    "a number on a path": ({"shop": {"id": 7}}, {"store": 7}),
    "a boolean is no number": ({"region": True}, {"region": True}),
    "a list": ({"region": ["EU", "US"]}, {"region": ["EU", "US"]}),
    "null is nothing": ({"region": None}, {}),
    "a claim that no setting names": ({"city": "Rome"}, {}),
}


@pytest.mark.parametrize("case", CLAIMS)
def test_attributes_are_the_claims_that_the_setting_names(case: str, tmp_path: Path) -> None:
    claims, expected = CLAIMS[case]
    settings = settings_with(tmp_path, jwt_attributes="region, store=shop.id")

    found = TokenVerifier(settings).verify(signed(**claims)).principal.attributes

    assert found == expected
    assert {name: type(value) for name, value in found.items()} == {
        name: type(value) for name, value in expected.items()
    }


@pytest.mark.parametrize(
    "value", [1.5, {"a": 1}, [["a"]], [None], 2**63, "a\0b", "x" * 1001], ids=repr
)
def test_a_claim_of_another_kind_lets_nobody_in(value: object, tmp_path: Path) -> None:
    settings = settings_with(tmp_path, jwt_attributes="region")
    with pytest.raises(Unauthenticated):
        TokenVerifier(settings).verify(signed(region=value))


@pytest.mark.parametrize("value", ["region=", "a b", "shop.id", "=x", "region,region=r", "1st"])
def test_a_bad_list_of_attributes_is_one_line(value: str, tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match=r"^WAYBILL_JWT_ATTRIBUTES: "):
        settings_with(tmp_path, jwt_attributes=value)


def test_a_token_of_our_own_has_the_attributes(tmp_path: Path) -> None:
    settings = settings_with(tmp_path, jwt_attributes="region,store=shop.id")
    token = mint(settings, "ana", "acme", set(), attributes={"region": ["EU"], "store": 7})

    assert TokenVerifier(settings).verify(token).principal.attributes == {
        "region": ["EU"],
        "store": 7,
    }
    with pytest.raises(InvalidRequest, match="names no claim for city"):
        mint(settings, "ana", "acme", set(), attributes={"city": "Rome"})


def test_a_session_keeps_everything_and_maps_no_role_again(tmp_path: Path) -> None:
    settings = settings_with(tmp_path, role_map="sales=boss")
    ana = Principal("ana", "acme", frozenset({"sales"}), {"region": "EU"})
    token = issue(settings, ana, "ana@acme.example", "oidc")
    verifier = TokenVerifier(settings)

    identity = verifier.verify_cookie(token)

    assert (identity.principal, identity.email) == (ana, "ana@acme.example")
    with pytest.raises(Unauthenticated):
        verifier.verify(token)


def test_a_session_signed_with_the_key_of_tokens_is_none(tmp_path: Path) -> None:
    settings = settings_with(tmp_path)
    claims = jwt.decode(signed(), options={"verify_signature": False})
    forged = jwt.encode(claims, SECRET, "HS256", headers={"typ": "waybill-session+jwt"})
    with pytest.raises(Unauthenticated):
        TokenVerifier(settings).verify_cookie(forged)


ROLES: dict[str, tuple[str, list[str], set[str]]] = {
    "renamed": ("finance-team=sales", ["finance-team"], {"sales"}),
    "two roles for one": ("ops=admin,ops=sales", ["ops"], {"admin", "sales"}),
    "what it does not name is no role": ("finance-team=sales", ["admin", "sales"], set()),
    "names with signs": ('{"CN=ops,OU=it": ["admin"]}', ["CN=ops,OU=it"], {"admin"}),
    "without a map they keep their names": ("", ["admin"], {"admin"}),
}


@pytest.mark.parametrize("case", ROLES)
def test_the_role_map_says_what_a_role_of_the_provider_is_here(case: str, tmp_path: Path) -> None:
    role_map, stated, expected = ROLES[case]
    settings = settings_with(tmp_path, role_map=role_map)
    assert TokenVerifier(settings).verify(signed(roles=stated)).principal.roles == expected


def test_a_token_of_our_own_names_roles_as_the_provider_does(tmp_path: Path) -> None:
    settings = settings_with(tmp_path, role_map="both=sales,both=admin,money=sales")
    token = mint(settings, "ana", "acme", {"sales"})
    assert TokenVerifier(settings).verify(token).principal.roles == {"sales"}
    with pytest.raises(InvalidRequest, match="'admin' alone"):
        mint(settings, "ana", "acme", {"admin"})


@pytest.mark.parametrize("value", ["sales", "=sales", "{", '{"a": 1}', "{1}"])
def test_a_bad_role_map_is_one_line(value: str, tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match=r"^WAYBILL_ROLE_MAP: "):
        settings_with(tmp_path, role_map=value)


def test_the_command_line_writes_attributes_as_name_and_value() -> None:
    given = ["region=EU", "store=7", 'code="7"', "zone=a", "zone=b", "ids=[1, 2]", "x=1.5", "y="]
    assert attributes_of(given) == {
        "region": "EU",
        "store": 7,
        "code": "7",
        "zone": ["a", "b"],
        "ids": [1, 2],
        "x": "1.5",
        "y": "",
    }
    with pytest.raises(InvalidRequest):
        attributes_of(["region"])


def test_an_attribute_that_is_missing_refuses_the_export() -> None:
    with pytest.raises(PermissionDenied, match="no attribute 'region'"):
        Principal("ana", "acme").attributes["region"]
    with pytest.raises(MissingAttribute):
        Principal("ana", "acme", attributes={"store": 7}).attributes["region"]


@pytest.mark.parametrize("value", [1.5, None, {"a": 1}, {1}, [1.5], [["a"]]], ids=repr)
def test_a_value_that_no_task_can_keep_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="'region'"):
        Principal("ana", "acme", attributes={"region": value})


def test_a_principal_is_not_changed_through_what_it_was_made_of() -> None:
    regions = ["EU"]
    ana = Principal("ana", "acme", attributes={"region": regions})
    regions.append("US")
    assert ana.attributes == {"region": ["EU"]}
    assert hash(ana) == hash(Principal("ana", "acme"))
    assert ana != Principal("ana", "acme")


orders = sa.table("orders", sa.column("id"), sa.column("region"))


def _by_region(_params: object, user: Principal) -> sa.Select[Any]:
    return sa.select(orders.c.id).where(orders.c.region == user.attributes["region"])


def test_only_equal_attributes_give_equal_files() -> None:
    keys = SingleFlightKeys({ROWS: postgresql.dialect()})
    plain = Dataset("orders", _by_region)

    def key(user: Principal, dataset: Dataset = plain) -> str | None:
        query = dataset.query(plain.params(), user)
        return keys.key_of(dataset, query, {}, user, format_named("csv"), Layout())

    ana = Principal("ana", "acme", attributes={"region": "EU"})
    assert key(ana) == key(replace(ana, user="bob")) is not None
    assert key(ana) != key(replace(ana, attributes={"region": "US"}))
    # What the query does not depend on makes no other file, unless the file may show the caller.
    more = replace(ana, attributes={"region": "EU", "store": 7})
    assert key(ana) == key(more)
    assert key(ana, replace(plain, about=True)) != key(more, replace(plain, about=True))
