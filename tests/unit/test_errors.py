from __future__ import annotations

import re

import pytest

from waybill.exporter import errors
from waybill.exporter.errors import ExportRejected, WaybillError
from waybill.infra.worker.failures import classify_error
from waybill.storage.errors import StorageError


def every_subclass(kind: type) -> set[type]:
    return {kind}.union(*(every_subclass(item) for item in kind.__subclasses__()))


@pytest.mark.parametrize("kind", sorted(every_subclass(WaybillError), key=lambda k: k.__name__))
def test_every_error_explains_itself_in_one_line_and_has_its_own_code(kind):
    error = kind()
    assert error.message.endswith(".")
    assert "\n" not in error.message
    assert kind.code.replace("_", "").isalnum()


def test_the_tree_in_the_docstring_is_the_tree():
    drawn = re.findall(r"(?:[├└]── |^    )(\w+)", errors.__doc__ or "", re.MULTILINE)
    own = {item for item in every_subclass(WaybillError) if item.__module__ == errors.__name__}
    assert sorted(drawn) == sorted(item.__name__ for item in own)


@pytest.mark.parametrize("kind", sorted(every_subclass(ExportRejected), key=lambda k: k.__name__))
def test_what_was_rejected_is_never_retried(kind):
    assert not classify_error(kind()).retry


def test_everything_else_is_retried_and_an_unforeseen_error_says_nothing_of_itself():
    decision = classify_error(RuntimeError("password=canary at /srv/app.py"))
    assert decision.retry
    assert decision.unexpected
    assert "canary" not in decision.message
    assert classify_error(WaybillError()).retry


@pytest.mark.parametrize("kind", sorted(every_subclass(StorageError), key=lambda k: k.__name__))
def test_storage_errors_carry_a_code_and_a_sentence(kind):
    decision = classify_error(kind())
    assert decision.code
    assert decision.message


@pytest.mark.parametrize("kind", sorted(every_subclass(StorageError), key=lambda k: k.__name__))
def test_a_workers_decision_is_what_the_class_of_the_error_says(kind):
    assert classify_error(kind()).retry is kind.retry
