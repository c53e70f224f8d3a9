"""R51: revoked tokens, in the database and in the list that requests ask."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from tests.support.eventually import wait_for
from waybill.api.cli.sessions import revoke_sessions
from waybill.exporter.errors import InvalidRequest
from waybill.infra.db.engine import create_engine, read_transaction, write_transaction
from waybill.infra.db.tables import revocation
from waybill.infra.sessions.denylist import Denylist, RevocationsUnread
from waybill.infra.sessions.revocations import IssuedToken, Revocations, subject_of
from waybill.infra.tasks.audit import Actor
from waybill.infra.tasks.lifecycle.pruning import Pruning
from waybill.infra.tasks.queries.admin import AdminQueries
from waybill.infra.tasks.queries.scope import ALL_TENANTS

OPERATOR = Actor.command_line("root")
NOW = datetime.now(UTC)
TOKEN = IssuedToken(
    "acme", "ana", NOW - timedelta(hours=1), NOW + timedelta(hours=1), "f" * 64, "id-1"
)
#: Without a thread that reads: tests say when.
NEVER = timedelta(days=1)


@pytest.fixture
def revocations(engine: Engine) -> Revocations:
    return Revocations(engine)


@pytest.fixture
def denylist(revocations: Revocations) -> Iterator[Denylist]:
    denylist = Denylist(revocations, period=NEVER)
    denylist.start()
    yield denylist
    denylist.close()


def denied(denylist: Denylist, **changes: Any) -> bool:
    return denylist.denies(replace(TOKEN, **changes))


def test_r51_a_session_that_ended_is_over_here_at_once_and_elsewhere_after_the_next_read(
    revocations: Revocations, denylist: Denylist
) -> None:
    elsewhere = Denylist(revocations, period=NEVER)
    elsewhere.start()

    denylist.end_session(TOKEN)

    assert denied(denylist)
    assert not denied(elsewhere)
    elsewhere.refresh()
    assert denied(elsewhere)
    assert not denied(elsewhere, fingerprint="0" * 64)
    elsewhere.close()


@pytest.mark.parametrize(
    ("names", "others"),
    [
        ({"user": "ana", "tenant": "acme"}, [{"user": "bob"}, {"tenant": "beta"}]),
        ({"tenant": "acme"}, [{"tenant": "beta"}]),
        ({"token_id": "id-1"}, [{"token_id": "id-2"}, {"token_id": None}]),
        ({"everybody": True}, []),
    ],
)
def test_r51_an_operator_revokes_what_was_issued_until_now(
    engine: Engine,
    revocations: Revocations,
    denylist: Denylist,
    names: dict[str, Any],
    others: list[dict[str, Any]],
) -> None:
    options = {"user": None, "tenant": None, "token_id": None, "everybody": False} | names
    made = revocations.revoke(subject_of(**options), OPERATOR)
    denylist.refresh()

    assert denied(denylist)
    assert denied(denylist, issued_at=made.at)
    assert [other for other in others if denied(denylist, **other)] == []
    later = made.at + timedelta(microseconds=1)
    assert denied(denylist, issued_at=later) is ("token_id" in names)
    [entry] = AdminQueries(engine).audit(ALL_TENANTS, action="sessions_revoked")
    assert (entry.actor, entry.tenant_id) == ("root", names.get("tenant", ""))


@pytest.mark.parametrize(
    "names",
    [
        {},
        {"user": "ana"},
        {"user": "", "tenant": "acme"},
        {"tenant": ""},
        {"token_id": ""},
        {"tenant": "acme", "token_id": "id-1"},
        {"tenant": "acme", "everybody": True},
    ],
)
def test_r51_a_revocation_that_names_nothing_or_two_things_is_refused(
    names: dict[str, Any],
) -> None:
    options = {"user": None, "tenant": None, "token_id": None, "everybody": False} | names
    with pytest.raises(InvalidRequest, match=r"^Name a user and a tenant"):
        subject_of(**options)


def test_r51_revocations_are_deleted_when_the_tokens_they_name_have_expired(
    engine: Engine, revocations: Revocations, denylist: Denylist
) -> None:
    revocations.end_session(replace(TOKEN, expires_at=NOW - timedelta(hours=1)))
    revocations.end_session(replace(TOKEN, fingerprint="0" * 64))
    revocations.revoke(subject_of("bob", "acme", None, everybody=False), OPERATOR)

    assert Pruning(engine).prune_revocations() == 1

    denylist.refresh()
    assert not denied(denylist)
    assert denied(denylist, fingerprint="0" * 64)
    assert denied(denylist, user="bob")


def test_r51_a_list_in_memory_forgets_what_has_expired(engine: Engine, denylist: Denylist) -> None:
    denylist.end_session(TOKEN)
    denylist.refresh()
    with write_transaction(engine) as connection:
        # The next read finds nothing; what is known already is in force.
        connection.execute(sa.delete(revocation))
    denylist.refresh()
    assert denied(denylist)

    ended = replace(TOKEN, fingerprint="0" * 64, expires_at=NOW - timedelta(hours=1))
    denylist.end_session(ended)
    denylist.refresh()

    assert not denylist.denies(ended)


def test_r51_a_list_is_read_again_without_being_asked(revocations: Revocations) -> None:
    denylist = Denylist(revocations, period=timedelta(milliseconds=20))
    denylist.start()

    revocations.revoke(subject_of("ana", "acme", None, everybody=False), OPERATOR)

    wait_for(lambda: denied(denylist))
    denylist.close()


def test_r51_while_the_database_is_away_the_last_list_is_used_and_ends_are_kept(
    engine: Engine, revocations: Revocations, denylist: Denylist
) -> None:
    ended = replace(TOKEN, fingerprint="0" * 64)
    denylist.end_session(TOKEN)
    rename = "ALTER TABLE {} RENAME TO {}"
    with write_transaction(engine) as connection:
        connection.exec_driver_sql(rename.format("revocation", "away"))

    with pytest.raises(sa.exc.DBAPIError):
        denylist.refresh()
    denylist.end_session(ended)

    assert denied(denylist)
    assert denylist.denies(ended)
    with write_transaction(engine) as connection:
        connection.exec_driver_sql(rename.format("away", "revocation"))
    denylist.refresh()
    with read_transaction(engine) as connection:
        stored = connection.execute(sa.select(revocation.c.token)).scalars().all()
    assert sorted(stored) == ["0" * 64, "f" * 64]


def test_r51_before_the_list_was_read_no_token_is_good(tmp_path) -> None:
    away = create_engine(f"sqlite:///{tmp_path}/no-tables.db")
    denylist = Denylist(Revocations(away), period=NEVER)

    with pytest.raises(RevocationsUnread):
        denied(denylist)

    denylist.close()
    away.dispose()


def test_r51_the_command_revokes_and_prints_what_it_did(engine: Engine, monkeypatch, capfdbinary):
    url = engine.url.render_as_string(hide_password=False)
    monkeypatch.setenv("WAYBILL_DATABASE_URL", url)

    revoke_sessions(user="ana", tenant="acme", as_json=True)
    revoke_sessions(token_id="id-1")

    as_json, text = capfdbinary.readouterr().out.decode().splitlines()
    printed = json.loads(as_json)
    assert (printed["kind"], printed["user"], printed["tenant"]) == ("user", "ana", "acme")
    assert printed["at"] < printed["expires_at"]
    assert text == "The token is refused within ten seconds."
