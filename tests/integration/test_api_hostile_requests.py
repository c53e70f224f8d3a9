"""Bodies and addresses nobody sends by accident: refused in words, never a 500.

The numbers are those of the hostile-input corpus, part 3c.
"""

from __future__ import annotations

import gzip
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.support.servers.task_api import TASKS, TaskApi, ask

JSON = {"Content-Type": "application/json"}
VALID = b'{"type":"orders","format":"csv","params":{}}'

R10_BODIES = {
    "a key twice": (b'{"type":"orders","type":"ledger","format":"csv"}', 400),
    "a key twice inside": (b'{"type":"orders","format":"csv","params":{"city":1,"city":2}}', 400),
    "not a number": (b'{"type":"orders","format":"csv","params":{"at_least":NaN}}', 400),
    "minus infinity": (b'{"type":"orders","format":"csv","params":{"at_least":-Infinity}}', 400),
    "1e400": (b'{"type":"orders","format":"csv","params":{"at_least":1e400}}', 400),
    "5,000 digits": (
        b'{"type":"orders","format":"csv","params":{"at_least":' + b"9" * 5000 + b"}}",
        400,
    ),
    "10 MB": (b'{"type":"' + b"x" * 10_000_000 + b'"}', 413),
    "depth 30,000": (b"[" * 30_000 + b"]" * 30_000, 400),
    "depth 33": (
        b'{"type":"orders","format":"csv","params":' + b'{"a":' * 32 + b"1" + b"}" * 33,
        400,
    ),
    "bad UTF-8": (b'{"type":"orders\xff","format":"csv"}', 400),
    "UTF-16": ('{"type":"orders","format":"csv"}'.encode("utf-16"), 400),
    "a byte order mark": (b"\xef\xbb\xbf" + VALID, 400),
    "half a surrogate pair": (
        rb'{"type":"orders","format":"csv","params":{"city":"\ud800"}}',
        422,
    ),
    "half a pair as a key": (rb'{"type":"orders","format":"csv","params":{"\udfff":1}}', 422),
    "NUL": (rb'{"type":"orders","format":"csv","params":{"city":"a\u0000b"}}', 422),
    "NUL in a name": (rb'{"type":"orders","format":"csv","filename":"a\u0000b"}', 422),
    "nothing": (b"", 400),
    "cut short": (VALID[:-1], 400),
    "two documents": (VALID + VALID, 400),
    "a list": (b"[]", 422),
    "null": (b"null", 422),
    "params as a list": (b'{"type":"orders","format":"csv","params":[]}', 422),
}


@pytest.mark.parametrize(("body", "status"), R10_BODIES.values(), ids=R10_BODIES.keys())
def test_r10_a_body_two_parsers_could_read_differently_is_refused(
    api: TaskApi, body: bytes, status: int
) -> None:
    answer = api.person().post(TASKS, content=body, headers=JSON)

    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status


def test_r10_an_undeclared_length_is_counted_as_it_comes(api: TaskApi) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(100):
            yield b" " * 10_000

    answer = api.person().post(TASKS, content=endless(), headers=JSON)

    assert (answer.status_code, answer.json()["code"]) == (413, "content_too_large")


def test_thousands_of_ids_fit_into_a_request_and_nowhere_else(api: TaskApi) -> None:
    ids = [f"{n:036}" for n in range(5_000)]
    body = {"type": "orders", "format": "csv", "params": {"city": ids}}
    # It is read, and refused for what it says.
    assert api.person().post(TASKS, json=body).status_code == 422
    assert api.person().post("/api/notices/read", json=body).status_code == 413


def test_r10_a_huge_body_is_refused_before_its_first_byte(api: TaskApi) -> None:
    address = urlsplit(api.url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        head = f"POST {TASKS} HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999\r\n\r\n"
        connection.sendall(head.encode())
        assert b" 413 " in connection.recv(4096).splitlines()[0]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    ],
    ids=["no type", "text", "form", "gzip"],
)
def test_r11_only_plain_json_is_taken(api: TaskApi, headers: dict[str, str]) -> None:
    body = gzip.compress(VALID) if "Content-Encoding" in headers else VALID
    answer = api.person().post(TASKS, content=body, headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (415, "not_json")


def test_r11_json_with_a_charset_is_json(api: TaskApi) -> None:
    headers = {"Content-Type": "application/json; charset=utf-8"}

    assert api.person().post(TASKS, content=VALID, headers=headers).status_code == 202


R30_IDS = [
    "1",
    "0",
    "-1",
    "9223372036854775808",
    "१२३",
    "null",
    "undefined",
    "%00",
    "..%2f..%2fetc",
    "' OR 1=1--",
    "00000000-0000-0000-0000-00000000000",
    "z" * 5000,
]


@pytest.mark.parametrize("task_id", R30_IDS)
@pytest.mark.parametrize(
    ("method", "tail"),
    [
        ("GET", ""),
        ("GET", "/download"),
        ("POST", "/cancel"),
        ("POST", "/retry"),
        ("POST", "/run-again"),
        ("DELETE", ""),
    ],
)
def test_r30_what_is_no_task_id_is_no_task(
    api: TaskApi, task_id: str, method: str, tail: str
) -> None:
    answer = api.person().request(method, f"{TASKS}/{task_id}{tail}")

    assert answer.status_code in (404, 422)
    assert answer.headers["content-type"] == "application/problem+json"


def test_r30_an_id_in_upper_case_is_the_same_id(api: TaskApi) -> None:
    client = api.person()
    task = ask(client)

    assert client.get(f"{TASKS}/{task['id'].upper()}").json()["id"] == task["id"]


R15_QUERIES = [
    "page=0",
    "page=-1",
    "page=1001",
    "page=1e9",
    "page=99999999999999999999",
    "page_size=0",
    "page_size=-1",
    "page_size=101",
    "page_size=1000000000",
    "page=x",
    "status=DONE",
    "status=",
    "type=",
    "type=%00",
    "type=" + "x" * 201,
    "page=1&cursor=",
]


@pytest.mark.parametrize("query", R15_QUERIES)
def test_r15_no_list_is_longer_or_deeper_than_a_page_can_be(api: TaskApi, query: str) -> None:
    answer = api.person().get(f"{TASKS}?{query}")

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


@pytest.mark.parametrize("value", ["' OR 1=1--", "%", "_", "\\", "100%"])
def test_r6_a_hostile_filter_of_a_list_matches_nothing(api: TaskApi, value: str) -> None:
    client = api.person()
    ask(client)

    assert client.get(TASKS, params={"type": value}).json()["items"] == []
