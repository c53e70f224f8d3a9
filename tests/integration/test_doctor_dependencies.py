"""What `waybill doctor` says of the source, the task database and the identity provider."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import sqlalchemy as sa
from jwt.algorithms import RSAAlgorithm

from tests.support.servers.identity_provider import RSA_KEY
from waybill.api.cli.doctor.database import check_database
from waybill.api.cli.doctor.dead_letters import check_dead_letters
from waybill.api.cli.doctor.identity_provider import check_identity_provider
from waybill.api.cli.doctor.source import check_source, check_sources
from waybill.api.cli.doctor.workers import check_workers
from waybill.api.problems.errors import IdentityProviderDown
from waybill.exporter.errors import WaybillError
from waybill.infra.bootstrap import Stack
from waybill.infra.config.settings import load

KEY = {**RSAAlgorithm.to_jwk(RSA_KEY.public_key(), as_dict=True), "kid": "one"}


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Callable[..., Stack]]:
    """Makes stacks with other settings."""
    made: list[Stack] = []

    def make(**settings: object) -> Stack:
        made.append(Stack(load(home=tmp_path / "home", **settings)))
        return made[-1]

    yield make
    for one in made:
        one.__exit__()


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("nonsense", "is not a database URL"),
        ("postgresql://u:canary@127.0.0.1:1/x", "Nothing listens at the address of the source URL"),
        ("mysql://u:canary@127.0.0.1:1/x", "Nothing listens at the address of the source URL"),
        ("sqlite:////no/such/shop.db", "There is no SQLite file"),
        (
            "oracle://u:canary@db/x",
            "No driver for oracle databases.*reads bigquery://, clickhouse://, duckdb://",
        ),
        ("duckdb:////no/such/shop.duckdb", "There is no DuckDB file /no/such/shop.duckdb"),
        ("clickhouse://u:canary@127.0.0.1:1?tls=off", "Nothing answers at the address"),
        ("flightsql://u:canary@127.0.0.1:1?tls=off", "Nothing listens at the address"),
    ],
)
def test_a_source_that_cannot_be_read_is_named(
    stack: Callable[..., Stack], url: str, says: str
) -> None:
    with pytest.raises(WaybillError, match=says) as caught:
        check_source(stack(source_url=url))
    assert "canary" not in caught.value.message


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"password": "canary"}, "refuses the user or the password of the source URL"),
        ({"database": "canary"}, "The source URL names a database that does not exist"),
    ],
)
def test_why_a_source_lets_nobody_in_is_said(
    stack: Callable[..., Stack], postgres_url: str, change: dict[str, str], says: str
) -> None:
    url = sa.make_url(postgres_url).set(**change)  # type: ignore[arg-type]  # of several types
    with pytest.raises(WaybillError, match=says) as caught:
        check_source(stack(source_url=url.render_as_string(hide_password=False)))
    assert "canary" not in caught.value.message


def test_a_source_that_answers_is_told_by_its_kind(
    stack: Callable[..., Stack], postgres_url: str
) -> None:
    assert check_source(stack(source_url=postgres_url)) == "postgresql, answers"
    assert check_source(stack()) == "the task database"


def test_the_sources_that_can_be_read_are_named_and_the_remedy_for_others(
    stack: Callable[..., Stack], monkeypatch: pytest.MonkeyPatch
) -> None:
    said = check_sources(stack()).split("; ")
    assert {"clickhouse", "duckdb", "flightsql", "mysql", "postgresql", "sqlite"} <= set(said)

    monkeypatch.setitem(sys.modules, "duckdb", None)
    with_less = check_sources(stack()).split("; ")
    assert 'duckdb needs pip install "waybill-exports[duckdb]"' in with_less
    assert "duckdb" not in with_less


def test_the_task_database_is_told_with_its_tables(stack: Callable[..., Stack]) -> None:
    fresh = stack()
    assert check_database(fresh).startswith("sqlite, tables not made yet")
    # Nothing is wrong with an installation that has not been started.
    assert check_workers(fresh) == check_dead_letters(fresh) == "tables not made yet"
    fresh.migrate()
    assert check_database(fresh) == "sqlite, tables up to date"
    assert check_workers(fresh).startswith("0 alive")
    assert check_dead_letters(fresh) == "none is open"


@pytest.fixture
def key_server() -> Iterator[Callable[[object], str]]:
    """Serves an answer, and returns its address."""
    answer: list[bytes] = [b""]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answer[0])

        def log_message(self, *_args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()

    def serve(body: object) -> str:
        answer[0] = body if isinstance(body, bytes) else json.dumps(body).encode()
        return f"http://127.0.0.1:{server.server_port}/keys"

    yield serve
    server.shutdown()
    server.server_close()
    thread.join(10)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"<html>", "something else than JSON"),
        ({"issuer": "x", "jwks_uri": "y"}, "names the right one as jwks_uri"),
        ({"keys": [KEY | {"kid": None}]}, "without a key .* that has an id"),
        ({"keys": [KEY | {"use": "enc"}]}, "without a key for RS256"),
        ([], "without a key"),
        ({"keys": ["x", {"kty": "x"}]}, "without a key"),
    ],
    ids=["page", "discovery", "kid", "use", "list", "kinds"],
)
def test_an_identity_provider_without_keys_is_named(
    stack: Callable[..., Stack],
    key_server: Callable[[object], str],
    body: object,
    says: str,
) -> None:
    with pytest.raises(IdentityProviderDown, match=says):
        check_identity_provider(stack(jwks_url=key_server(body)))


def test_an_identity_provider_that_is_away_is_named(stack: Callable[..., Stack]) -> None:
    with pytest.raises(IdentityProviderDown, match="cannot be reached: Connection refused"):
        check_identity_provider(stack(jwks_url="http://127.0.0.1:1/keys"))


def test_the_keys_of_an_identity_provider_are_counted(
    stack: Callable[..., Stack], key_server: Callable[[object], str]
) -> None:
    url = key_server({"keys": [KEY, KEY | {"kid": "two"}]})
    assert check_identity_provider(stack(jwks_url=url)) == "2 keys for tokens"
    assert check_identity_provider(stack()).startswith("none")
