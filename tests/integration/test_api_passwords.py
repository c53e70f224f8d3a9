"""Exports with a password: shown once, stored nowhere, and good for the file that comes."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from tests.support.office import SECRETS, Office, office_registry
from tests.support.servers.task_api import OPERATOR, TASKS, TaskApi, running_api
from tests.support.seven_zip import Refused, listed_by_7zip, read_with_7zip
from tests.support.task_store import expire_lease
from waybill.api.client.client import Waybill
from waybill.exporter.errors import InvalidRequest
from waybill.infra.broker.port import WakeUp
from waybill.infra.db.engine import write_transaction
from waybill.infra.db.tables import audit_log, export_task, file_key, metadata
from waybill.infra.exports.key_seal import KEY_SETS, KeySeal, PasswordLost
from waybill.infra.exports.options import RequestOptions, zone_named
from waybill.infra.tasks.lifecycle.maintenance import Maintenance

OWN = "correct horse battery staple"
MADE = re.compile(r"[2-9a-z]{5}(-[2-9a-z]{5}){4}")


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shared_office(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TaskApi]:
    home = tmp_path_factory.mktemp("passwords")
    if request.param == "sqlite":
        with running_api(f"sqlite:///{home}/tasks.db", home, registry=office_registry()) as api:
            yield api
        return
    server = request.getfixturevalue("postgres_server")
    with server.database() as url, running_api(url, home, registry=office_registry()) as api:
        yield api


@pytest.fixture
def office(shared_office: TaskApi) -> Office:
    return Office(shared_office, shared_office.tenant())


@pytest.mark.parametrize("name", ["xlsx", "csv", "csv.gz", "csv.zip", "parquet"])
def test_the_password_of_the_answer_opens_the_file(
    office: Office, tmp_path: Path, name: str
) -> None:
    asked = office.ask(format=name)
    done = office.run(asked)

    assert MADE.fullmatch(asked["password"])
    assert (done["status"], done["rows"], done["protected"]) == ("SUCCESS", 1, True)
    assert done["filename"].endswith(".zip")
    assert done["format"] == name
    file = office.file(asked, tmp_path)
    assert done["size_bytes"] == file.stat().st_size
    assert done["completeness"]["rows_source"] == 1
    assert listed_by_7zip(file)["Path"] == done["filename"].removesuffix("zip") + name
    plain = read_with_7zip(file, asked["password"])
    assert (b"which" in plain) == (name in {"csv", "parquet"})
    with pytest.raises(Refused):
        read_with_7zip(file, asked["password"][:-1])


def test_a_password_of_ones_own_opens_the_file_and_comes_back_nowhere(
    office: Office, tmp_path: Path
) -> None:
    answer = office.ana().post(TASKS, json=SECRETS | {"password": OWN, "filename": "Salaries.ZIP"})
    task = answer.json()
    assert answer.status_code == 202
    assert (task["password"], task["protected"]) == (None, True)
    assert (task["filename"], task["timezone"]) == ("Salaries.zip", None)
    office.run(task)
    assert b"which" in read_with_7zip(office.file(task, tmp_path), OWN)


@pytest.mark.parametrize("asked", [True, OWN], ids=["made", "given"])
def test_the_password_is_in_no_table_log_or_later_answer(
    office: Office, caplog: pytest.LogCaptureFixture, asked: bool | str
) -> None:
    caplog.set_level(logging.DEBUG)
    answer = office.ana().post(TASKS, json=SECRETS | {"password": asked})
    task = answer.json()
    password = task["password"] or OWN
    assert answer.headers["cache-control"] == "no-store"
    before = _everything(office)
    events = _events(office, task)
    office.run(task)
    listed = office.ana().get(TASKS).text + str(office.read(task))
    for text in (before, _everything(office), events, listed, caplog.text):
        assert password not in text
        assert password.encode().hex() not in text
    assert '"protected"' in events
    with office.api.engine.connect() as connection:
        details = sa.select(audit_log.c.detail).where(
            audit_log.c.task_id == UUID(task["id"]), audit_log.c.action == "submit"
        )
        assert connection.execute(details).scalar_one() == {"password": True}


def _everything(office: Office) -> str:
    """Every value of every table, bytes in hexadecimal digits."""
    with office.api.engine.connect() as connection:
        return "\n".join(
            value.hex() if isinstance(value, bytes) else str(value)
            for table in metadata.sorted_tables
            for row in connection.execute(sa.select(table))
            for value in row
        )


def _events(office: Office, task: dict[str, Any]) -> str:
    """The stream of `task` up to the first event with its state."""
    with office.ana().stream("GET", f"{TASKS}/{task['id']}/events") as stream:
        lines = []
        for line in stream.iter_lines():
            lines.append(line)
            if line.startswith("data:") and task["id"] in line:
                break
    return "\n".join(lines)


def test_the_sealed_keys_are_there_while_the_task_lives_and_gone_at_its_end(
    office: Office,
) -> None:
    good, bad, cancelled = office.ask(), office.ask(type="broken"), office.ask()
    declined = office.ask(type="reviews")
    for task in (good, bad, cancelled, declined):
        keys = office.keys(task)
        assert keys is not None
        assert keys["sets_used"] == 0
    assert office.run(good)["status"] == "SUCCESS"
    assert office.run(bad)["status"] == "FAILED"
    office.ana().post(f"{TASKS}/{cancelled['id']}/cancel")
    lead = office.api.person(office.tenant, "lea", ("hr", "lead"))
    assert lead.post(f"{TASKS}/{declined['id']}/decline", json={}).status_code == 200
    assert [office.keys(task) for task in (good, bad, cancelled, declined)] == [None] * 4


def test_a_repeated_request_brings_the_task_back_without_the_password(office: Office) -> None:
    client = office.ana(**{"Idempotency-Key": "once"})
    first = client.post(TASKS, json=SECRETS).json()
    again = client.post(TASKS, json=SECRETS)
    assert (again.status_code, again.json()["id"]) == (200, first["id"])
    assert again.json()["deduplicated"] is True
    assert again.json()["password"] is None
    without = client.post(TASKS, json={**SECRETS, "password": None})
    assert (without.status_code, without.json()["code"]) == (422, "idempotency_mismatch")


def test_equal_requests_share_no_protected_file(office: Office, tmp_path: Path) -> None:
    plain = office.ask(password=False)
    first, second = office.ask(), office.ask()
    assert len({plain["id"], first["id"], second["id"]}) == 3
    assert first["password"] != second["password"]
    for task in (plain, first):
        office.run(task)
    # A fresh file of the same rows is there, and is nobody else's.
    assert office.row(second)["status"] == "PENDING"
    assert office.row(first)["flight_key"] is None
    third = office.ask()
    assert office.row(third)["status"] == "PENDING"
    with pytest.raises(Refused):
        read_with_7zip(office.file(first, tmp_path), second["password"])


def test_a_worker_that_dies_leaves_keys_for_another_attempt_which_uses_others(
    office: Office, tmp_path: Path
) -> None:
    task = office.ask()
    claim = office.api.runs.claim(UUID(task["id"]), "doomed")
    assert claim is not None
    taken = office.api.runs.take_keys(claim)
    assert taken is not None
    used = office.api.services.key_seal.open(claim.task.id, *taken)
    expire_lease(office.api.engine, claim.task.id)
    assert Maintenance(office.api.engine).rescue_expired_leases(retry_in=timedelta(0)) == 1
    assert office.api.runs.take_keys(claim) is None
    assert office.run(task)["status"] == "SUCCESS"
    file = office.file(task, tmp_path)
    assert b"which" in read_with_7zip(file, task["password"])
    assert used.salt not in file.read_bytes()


def test_keys_that_are_used_up_or_sealed_by_a_secret_of_the_past_end_the_task(
    office: Office,
) -> None:
    task = office.ask()
    with write_transaction(office.api.engine) as connection:
        connection.execute(
            sa.update(file_key)
            .where(file_key.c.task_id == UUID(task["id"]))
            .values(sets_used=KEY_SETS)
        )
    done = office.run(task)
    assert (done["status"], done["last_error"]["code"]) == ("FAILED", "password_lost")
    seal = KeySeal(lambda: [b"now"])
    sealed = seal.of_password(OWN)(UUID(task["id"]))
    rotated = KeySeal(lambda: [b"later", b"now"])
    assert rotated.open(UUID(task["id"]), sealed, KEY_SETS - 1).salt
    with pytest.raises(PasswordLost):
        KeySeal(lambda: [b"later"]).open(UUID(task["id"]), sealed, 0)
    with pytest.raises(PasswordLost):
        seal.open(UUID(int=1), sealed, 0)


@pytest.mark.parametrize("verb", ["retry", "run-again"])
def test_running_it_again_makes_another_password(office: Office, tmp_path: Path, verb: str) -> None:
    first = office.ask(format="xlsx", timezone="Europe/Berlin")
    office.ana().post(f"{TASKS}/{first['id']}/cancel")
    answer = office.ana().post(f"{TASKS}/{first['id']}/{verb}")
    again = answer.json()
    assert answer.status_code == 201, answer.text
    assert MADE.fullmatch(again["password"])
    assert again["password"] != first["password"]
    assert (again["protected"], again["timezone"]) == (True, "Europe/Berlin")
    assert again["filename"] == first["filename"]
    assert office.run(again)["status"] == "SUCCESS"
    assert read_with_7zip(office.file(again, tmp_path), again["password"])


def test_nobody_else_can_run_it_again_since_nobody_would_tell_its_owner(office: Office) -> None:
    task = office.ask(type="broken")
    office.run(task)
    letter = WakeUp(UUID(task["id"]), 2, "dead").encode()
    office.api.services.dead_letters.record(letter, "q", "source_error")
    operator = office.api.person(office.api.tenant(), "olga", (OPERATOR,))
    letters = operator.get("/api/admin/dead-letters").json()["items"]
    [found] = [item for item in letters if item["task_id"] == task["id"]]
    for path in (f"dead-letters/{found['id']}/replay", f"export-tasks/{task['id']}/retry"):
        answer = operator.post(f"/api/admin/{path}")
        assert (answer.status_code, answer.json()["code"]) == (409, "password_needed"), path


def test_a_dataset_can_demand_a_password(office: Office) -> None:
    answer = office.ana().post(TASKS, json={**SECRETS, "type": "salaries", "password": False})
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, "invalid_request")
    assert "have a password" in problem["detail"]
    shown = {item["name"]: item for item in office.ana().get("/api/datasets").json()["items"]}
    assert [shown[name]["password"] for name in ("secrets", "salaries")] == [False, True]
    assert office.run(office.ask(type="salaries"))["status"] == "SUCCESS"


def test_a_task_from_before_its_dataset_had_passwords_is_not_run_without_one(
    office: Office,
) -> None:
    task = office.ask(password=False)
    moved = sa.update(export_task).where(export_task.c.id == UUID(task["id"]))
    with write_transaction(office.api.engine) as connection:
        connection.execute(moved.values(task_type="salaries"))
    done = office.run(task)
    assert (done["status"], done["last_error"]["code"]) == ("FAILED", "password_needed")
    again = office.ana().post(f"{TASKS}/{task['id']}/run-again").json()
    assert MADE.fullmatch(again["password"])


@pytest.mark.parametrize(
    "weak",
    ["short", "aaaaaaaaaaaaaaaaaaaa", "Sicherheitsgrün-2026", " with a space before it", "x1" * 60],
)
def test_a_password_that_protects_nothing_is_refused_and_not_repeated(
    office: Office, weak: str
) -> None:
    answer = office.ana().post(TASKS, json=SECRETS | {"password": weak})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert "password" in answer.text
    assert weak not in answer.text


def test_a_protected_file_is_written_by_one_worker(office: Office) -> None:
    request = SECRETS | {"format": "csv.gz"}
    answer = office.ana().post(TASKS, json=request | {"sharding": {"from_rows": 1000}})
    assert answer.status_code == 422
    assert "written by one worker" in answer.json()["detail"]
    assert office.ask(format="csv.gz", sharding={"never": True})["protected"] is True


@pytest.mark.parametrize("wrong", [1, ["a long password of an array"], {"made": "of an object"}])
def test_a_password_of_another_kind_is_refused_and_not_repeated(
    office: Office, wrong: object
) -> None:
    answer = office.ana().post(TASKS, json=SECRETS | {"password": wrong})
    assert answer.status_code == 422
    assert "array" not in answer.text
    assert "object" not in answer.text


def test_what_runs_by_itself_cannot_have_a_password(office: Office) -> None:
    for request in (SECRETS, {**SECRETS, "type": "salaries", "password": None}):
        body = {"name": "Every Monday", "request": request}
        answer = office.ana().post("/api/saved-exports", json=body)
        assert answer.status_code == 422
        assert "shown once" in answer.json()["detail"]


def test_who_waits_for_the_end_is_told_the_password(office: Office) -> None:
    answer = office.ana(Prefer="wait=1").post(TASKS, json=SECRETS)
    assert MADE.fullmatch(answer.json()["password"])


def test_the_python_client_has_the_password_in_its_answer_only(office: Office) -> None:
    token = office.api.token(office.tenant, "ana", ("hr",))
    with Waybill(office.api.url, token) as waybill:
        task = waybill.submit("secrets", format="csv", password=True)
        assert MADE.fullmatch(task.password or "")
        assert str(task.password) not in repr(task)
        assert waybill.get(task.id).password is None


def test_a_worker_of_a_version_without_passwords_fails_instead_of_writing_the_file_plain(
    office: Office,
) -> None:
    options = office.row(office.ask(timezone="Asia/Tokyo"))["options"]
    with pytest.raises(InvalidRequest, match="needs a newer worker"):
        # What such a worker makes of the stored zone.
        zone_named(options["timezone"])
    assert RequestOptions.of_task(options).timezone == "Asia/Tokyo"
