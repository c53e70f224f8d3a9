"""Every stable code has its words in every language, and every word has its code."""

from __future__ import annotations

import ast
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import replace
from http import HTTPStatus
from importlib import import_module
from pathlib import Path

import pytest

import waybill.api
import waybill.exporter
import waybill.infra
import waybill.storage
from tests.support.running_task import NOON, RUNNING
from waybill.api.explanations import TEXTS, explain
from waybill.api.explanations.codes import COMMAND_CODES, PROBLEM_CODES, RETRY_HELPS, TASK_CODES
from waybill.api.exports.view import body_of, headers_of
from waybill.api.languages import preferred_language
from waybill.api.problems.statuses import OTHER_PROBLEMS, status_of
from waybill.exporter.errors import ExportStopped, WaybillError
from waybill.infra.worker.failures import classify_error
from waybill.storage.errors import StorageError

ROOT = Path(__file__).parents[2]
PACKAGES = (waybill.api, waybill.exporter, waybill.infra, waybill.storage)

#: Calls that are given a code, and at which place.
_BY_PLACE = {"FailureDecision": 0, "problem_response": 2}


def codes_in(tree: ast.AST) -> Iterator[str]:
    """Every code that a module spells out: on an error's class, or in a call."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            for item in node.body:
                target = getattr(item, "target", None) or next(
                    iter(getattr(item, "targets", [])), None
                )
                if isinstance(target, ast.Name) and target.id == "code":
                    yield from texts([item.value])
        elif isinstance(node, ast.Call):
            yield from texts(word.value for word in node.keywords if word.arg == "code")
            place = _BY_PLACE.get(getattr(node.func, "id", ""))
            if place is not None:
                yield from texts(node.args[place : place + 1])


def texts(nodes) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def codes_of_the_code_base() -> set[str]:
    found = set(OTHER_PROBLEMS)
    for package in PACKAGES:
        for path in Path(package.__file__).parent.rglob("*.py"):
            found |= set(codes_in(ast.parse(path.read_text())))
    return found


def every_error() -> list[type[WaybillError | StorageError]]:
    for package in PACKAGES:
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not re.search(r"migrations|__main__", module.name):
                import_module(module.name)

    def below(kind: type) -> set[type]:
        return {kind}.union(*(below(item) for item in kind.__subclasses__()))

    ours = tuple(f"{package.__name__}." for package in PACKAGES)
    kinds = below(WaybillError) | below(StorageError)
    return sorted((k for k in kinds if k.__module__.startswith(ours)), key=lambda k: k.__name__)


def test_every_code_of_the_code_base_has_an_entry_and_every_entry_a_code():
    assert codes_of_the_code_base() == set(RETRY_HELPS)


def test_the_search_for_codes_finds_them_wherever_they_are_spelled():
    source = (
        "class A:\n    code = 'one'\nclass B:\n    code: ClassVar[str] = 'two'\n"
        "FailureDecision('three', 'x', retry=True)\nend(code='four')\n"
        "problem_response(i, s, 'five', 'd')"
    )
    assert set(codes_in(ast.parse(source))) == {"one", "two", "three", "four", "five"}


@pytest.mark.parametrize("language", TEXTS)
def test_every_language_says_two_whole_sentences_about_every_code(language):
    assert set(TEXTS[language]) == set(RETRY_HELPS)
    for code, (cause, remedy) in TEXTS[language].items():
        for words in (cause, remedy):
            assert words.endswith("。" if language == "zh" else "."), code
            assert "|" not in words, code
            assert bool(re.search("[一-鿿]", words)) == (language == "zh"), code


def test_two_codes_that_mean_different_things_say_different_things():
    for words in TEXTS.values():
        assert len({cause for cause, _ in words.values()}) == len(words)


@pytest.mark.parametrize("kind", every_error(), ids=lambda kind: kind.__name__)
def test_the_tables_agree_with_the_errors_themselves(kind):
    code = kind.code
    if code in PROBLEM_CODES and status_of(kind()) is not None:
        assert PROBLEM_CODES[code][0] == status_of(kind())
    if code in TASK_CODES and not issubclass(kind, ExportStopped):
        assert TASK_CODES[code] == classify_error(kind()).retry
    if code in COMMAND_CODES:
        assert COMMAND_CODES[code] == kind.retry
    assert code in PROBLEM_CODES or code in TASK_CODES or code in COMMAND_CODES


def test_what_the_api_raises_is_listed_with_its_status():
    unlisted = {
        kind.code
        for kind in every_error()
        if status_of(kind()) is not None and kind.code not in PROBLEM_CODES
    }
    # Errors of a worker and of the command line, which no route can meet.
    assert unlisted <= set(TASK_CODES) | set(COMMAND_CODES)


def test_unforeseen_codes_are_explained_as_unforeseen():
    assert explain("written-by-another-version") == explain("internal_error")


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en-GB,en;q=0.9,zh;q=0.8", "en"),
        ("en;q=0.1, zh;q=0.2", "zh"),
        ("fr,de;q=0.9", "en"),
        ("fr, zh-TW;q=0.5", "zh"),
        ("ZH", "zh"),
        ("zh;q=0, en;q=0.1", "en"),
        ("zh;q=0", "en"),
        ("*", "en"),
        ("zh;q=nan", "en"),
        ("zh;q=x;;,,=;q", "en"),
        ("zh" * 5000, "en"),
    ],
)
def test_the_language_is_the_one_the_caller_prefers(header, language):
    assert preferred_language(header) == language


def test_a_failed_task_says_what_happened_what_to_do_and_whether_a_retry_helps():
    failed = replace(RUNNING, error_code="storage_config", error_message="No such bucket.")

    english, chinese = (body_of(failed, NOON, language).last_error for language in ("en", "zh"))

    assert (english.code, english.message) == ("storage_config", "No such bucket.")
    assert english.cause.startswith("The object store refused")
    assert english.remedy.startswith("Tell an operator.")
    assert english.retry_helps is False
    assert chinese.cause.startswith("对象存储拒绝了")
    assert (chinese.code, chinese.message) == (english.code, english.message)


def test_an_answer_in_another_language_is_another_answer():
    failed = replace(RUNNING, error_code="stalled")

    tags = {headers_of(failed, NOON, language)["ETag"] for language in ("en", "zh")}

    assert len(tags) == 2
    assert headers_of(RUNNING, NOON, "en")["ETag"] == headers_of(RUNNING, NOON, "zh")["ETag"]
    assert headers_of(failed, NOON)["Vary"] == "Accept-Language"


def test_a_problem_code_has_a_status_of_an_error():
    assert all(status >= HTTPStatus.BAD_REQUEST for status, _ in PROBLEM_CODES.values())
