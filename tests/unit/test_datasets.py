from __future__ import annotations

import pytest
import sqlalchemy as sa
from pydantic import BaseModel

from waybill import Principal
from waybill.exporter.datasets.dataset import Dataset, Registry
from waybill.exporter.errors import InvalidRequest, PermissionDenied, UnknownDataset
from waybill.infra.config.admin_roles import AdminRoles
from waybill.infra.config.errors import BadSettings
from waybill.infra.exports.dataset_loader import load_datasets

ANN = Principal("ann", "acme", frozenset({"sales"}))


class Params(BaseModel):
    city: str | None = None
    limit: int = 10


ORDERS = Dataset("orders", lambda params, user: sa.select(1), Params, roles=frozenset({"sales"}))


def test_parameters_are_validated_and_defaults_filled():
    assert ORDERS.parse({"limit": "5"}).model_dump() == {"city": None, "limit": 5}


@pytest.mark.parametrize("raw", [{"limit": "canary"}, {"city": ["canary"]}, {"canary_field": 1}])
def test_a_bad_parameter_is_named_but_its_value_is_not_repeated(raw):
    with pytest.raises(InvalidRequest) as caught:
        ORDERS.parse(raw)
    assert next(iter(raw)) in caught.value.message
    assert "'canary'" not in caught.value.message


@pytest.mark.parametrize("role", ["support", "admin", "waybill-operator"])
def test_rights_are_by_the_roles_of_the_dataset_and_by_no_other(role):
    ORDERS.authorise(ANN)
    with pytest.raises(PermissionDenied):
        ORDERS.authorise(Principal("eve", "acme", frozenset({role})))


def test_an_unknown_dataset_does_not_tell_which_exist():
    with pytest.raises(UnknownDataset) as caught:
        Registry({"orders": ORDERS})["salaries"]
    assert "orders" not in caught.value.message


def test_two_datasets_of_one_name_are_refused():
    registry = Registry({"orders": ORDERS})
    with pytest.raises(ValueError, match="declared twice"):
        registry.add(ORDERS)


def test_datasets_load_from_a_file(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(
        "import sqlalchemy as sa\n"
        "from waybill import dataset\n"
        "@dataset('mine-1', queue='slow')\n"
        "def mine(params, user):\n"
        "    return sa.select(sa.literal(1))\n"
    )
    loaded = load_datasets(str(file), AdminRoles())["mine-1"]
    assert (loaded.queue, loaded.title) == ("slow", "Mine-1")


@pytest.mark.parametrize("text", ["raise RuntimeError('no')", "this is not python"])
def test_datasets_that_cannot_be_loaded_are_one_line(tmp_path, text):
    file = tmp_path / "broken.py"
    file.write_text(text)
    with pytest.raises(BadSettings, match="WAYBILL_DATASETS") as caught:
        load_datasets(str(file), AdminRoles())
    assert "Traceback" not in caught.value.message
