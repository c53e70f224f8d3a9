"""Task databases that are there and cannot be used, or only in part: each says so in one line."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from tests.support.servers.postgres import PostgresServer
from tests.support.servers.task_api import TASKS, ask, running_api
from waybill.infra.config.errors import (
    BadSettings,
    DatabaseReadOnly,
    DatabaseUnavailable,
    TablesMissing,
)
from waybill.infra.db.availability import check_available
from waybill.infra.db.engine import create_engine, write_transaction
from waybill.infra.db.migrate import schema_state, upgrade
from waybill.infra.sources import open_source
from waybill.infra.sources.operator_queries import table_query

ORDER = {"type": "orders", "format": "csv"}


@pytest.fixture
def engines() -> Iterator[list[Engine]]:
    """The engines of a test, disposed of at its end."""
    made: list[Engine] = []
    yield made
    for engine in made:
        engine.dispose()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"username": "nobody-we-know"}, "refuses the user or the password"),
        ({"password": "hunter2"}, "refuses the user or the password"),
        ({"database": "nowhere"}, "names a database that does not exist"),
        ({"port": 1}, "Nothing listens"),
        ({"host": "db.invalid"}, "not known by that name"),
        ({"query": {"sslmode": "require"}}, "has no TLS"),
        ({"query": {"options": "-c no_such_option=1"}}, "refuses an option"),
        ({"query": {"target_session_attrs": "standby"}}, "target_session_attrs"),
        ({"query": {"host": "/no/such/folder"}, "host": None}, "Nothing listens"),
    ],
    ids=str,
)
def test_why_there_is_no_connection_is_said_without_names(
    postgres_url: str, engines: list[Engine], change: dict[str, object], says: str
) -> None:
    url = sa.make_url(postgres_url).set(**change)  # type: ignore[arg-type]  # of several types
    engines.append(create_engine(url.render_as_string(hide_password=False)))
    with pytest.raises(DatabaseUnavailable, match=says) as caught:
        check_available(engines[0])
    for value in (*change.values(), url.host, "waybill"):
        assert not isinstance(value, str) or value not in caught.value.message.replace(
            "waybill migrate", ""
        )


@pytest.mark.parametrize("option", ["row_factory=x", "autocommit=1", "no_such_option=1"])
def test_an_option_that_the_client_does_not_know_is_refused_at_the_start(option: str) -> None:
    with pytest.raises(BadSettings, match=r"that PostgreSQL's client does not know\. .*%3F"):
        create_engine(f"postgresql://u:hunter2@localhost/x?{option}")


def test_an_option_of_ours_gives_way_to_that_of_the_url(
    postgres_url: str, engines: list[Engine]
) -> None:
    engines.append(create_engine(f"{postgres_url}?application_name=ours&prepare_threshold=1"))
    with write_transaction(engines[0]) as connection:
        name = connection.exec_driver_sql("SHOW application_name").scalar_one()
        driver = connection.connection.driver_connection
    assert name == "ours"
    assert driver is not None
    assert driver.prepare_threshold is None


def test_a_database_that_takes_no_writes_is_a_503_and_not_ready(
    postgres_server: PostgresServer, postgres_url: str, tmp_path: Path
) -> None:
    name = sa.make_url(postgres_url).database
    with running_api(postgres_url, tmp_path) as api:
        client = api.person()
        ask(client)
        with postgres_server.connect() as connection:
            connection.execute(
                f'ALTER DATABASE "{name}" SET default_transaction_read_only TO on'  # type: ignore[arg-type]  # no literal
            )
        api.engine.dispose()

        answer = client.post(TASKS, json=ORDER)
        listed = client.get(TASKS)
        with pytest.raises(DatabaseReadOnly, match="default_transaction_read_only is on"):
            check_available(api.engine)

        assert (answer.status_code, answer.json()["code"]) == (503, "database_read_only")
        assert listed.status_code == 200

        with postgres_server.connect() as connection:
            connection.execute(
                f'ALTER DATABASE "{name}" RESET default_transaction_read_only'  # type: ignore[arg-type]
            )
        # A refused connection is not used again, so that the next one meets the change.
        tries = [client.post(TASKS, json=ORDER | {"filename": "x"}).status_code for _ in "12"]
        assert tries[-1] == 202


@pytest.mark.slow
def test_a_standby_is_named(engines: list[Engine]) -> None:
    folder = Path(tempfile.mkdtemp(prefix="waybill-standby-"))
    server = PostgresServer(folder, wal_level="replica")
    try:
        server.start()
        engines.append(create_engine(server.url()))
        check_available(engines[0])
        server.become_standby()
        with pytest.raises(DatabaseReadOnly, match="is a standby and takes no writes"):
            check_available(engines[0])
        check_available(engines[0], writes=False)
        with pytest.raises(BadSettings, match="cannot be created or upgraded"):
            upgrade(engines[0])
    finally:
        server.stop(immediate=True)
        shutil.rmtree(folder)


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_tables_that_are_gone_are_a_503_that_names_the_remedy(
    database: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = f"sqlite:///{tmp_path}/tasks.db"
    if database == "postgresql":
        url = request.getfixturevalue("postgres_url")
    with running_api(url, tmp_path) as api:
        client = api.person()
        with write_transaction(api.engine) as connection:
            connection.exec_driver_sql("ALTER TABLE export_task RENAME TO gone")
        answers = [client.get(TASKS), client.post(TASKS, json=ORDER)]
        with pytest.raises(TablesMissing, match="waybill migrate"):
            check_available(api.engine, tables=True)

    for answer in answers:
        assert (answer.status_code, answer.json()["code"]) == (503, "database_not_migrated")


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_the_version_of_the_tables_is_told(
    database: str, tmp_path: Path, request: pytest.FixtureRequest, engines: list[Engine]
) -> None:
    url = f"sqlite:///{tmp_path}/tasks.db"
    if database == "postgresql":
        url = request.getfixturevalue("postgres_url")
    engine = create_engine(url)
    engines.append(engine)
    assert "not made yet" in schema_state(engine)
    upgrade(engine, "0002")
    assert "older version" in schema_state(engine)
    upgrade(engine)
    assert schema_state(engine) == "tables up to date"
    with write_transaction(engine) as connection:
        connection.exec_driver_sql("UPDATE waybill_version SET version_num = '9999'")
    assert schema_state(engine) == "tables of a newer version (9999): update this one"


def test_a_pooler_in_transaction_mode_holds_the_task_tables(
    pgbouncer_url: str, engines: list[Engine]
) -> None:
    engine = create_engine(pgbouncer_url)
    engines.append(engine)
    upgrade(engine)
    rounds, writers = 12, 6

    def write(writer: int) -> list[int]:
        """The same statement on one connection, each time in another session of the server."""
        seen = []
        for number in range(rounds):
            with write_transaction(engine) as connection:
                statement = sa.text("SELECT CAST(:number AS int) + count(*) FROM export_task")
                seen.append(connection.execute(statement, {"number": number}).scalar_one())
        return seen

    with ThreadPoolExecutor(writers) as threads:
        assert list(threads.map(write, range(writers))) == [list(range(rounds))] * writers


def test_a_pooler_in_transaction_mode_is_reflected(pgbouncer_url: str) -> None:
    url = f"{pgbouncer_url}?prepare_threshold=1"
    assert open_source(url) is not None
    for _ in range(3):
        # The same questions again and again, each in whichever session is free.
        assert table_query(url, "pg_catalog.pg_class") is not None
