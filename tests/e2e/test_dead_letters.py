"""An export that always fails, and a message nobody can read: seen once, mended, replayed."""

from __future__ import annotations

import json
import os

import aio_pika
import sqlalchemy as sa

from tests.support.amqp_probe import names_of
from tests.support.eventually import wait_for
from tests.support.processes import api, ended, process, run
from tests.support.task_store import ANN, Worker, new_task
from tests.support.task_tables import sqlite_tables
from waybill.infra.broker.port import WakeUp
from waybill.infra.db.engine import create_engine
from waybill.infra.db.tables import audit_log
from waybill.infra.tasks.dead_letters import DeadLetters
from waybill.infra.tasks.lifecycle.requests import TaskRequests

FRAGILE_DATASET = """
from pathlib import Path
import sqlalchemy as sa
from waybill import dataset

@dataset("fragile")
def fragile(params, user):
    if not Path({mended!r}).exists():
        raise RuntimeError("password=canary-7c1f")
    return sa.select(sa.literal(1).label("n"))
"""


def letters(env) -> list[dict]:
    return json.loads(run(env, "dead-letters", "list", "--json").stdout)


def claims_of(database: str, task_id: str) -> list:
    engine = create_engine(database)
    with engine.connect() as connection:
        rows = connection.execute(
            sa.select(audit_log.c.action, audit_log.c.at).order_by(audit_log.c.id)
        ).all()
    engine.dispose()
    return [row.at for row in rows if row.action == "claim"]


def test_an_export_that_always_fails_ends_as_one_dead_letter_and_can_be_replayed(
    installation, rabbitmq_url, tmp_path
):
    mended = tmp_path / "mended"
    datasets = tmp_path / "fragile.py"
    datasets.write_text(FRAGILE_DATASET.format(mended=str(mended)))
    env = installation.env | {
        "WAYBILL_DATASETS": str(datasets),
        "WAYBILL_AMQP_URL": rabbitmq_url,
        "WAYBILL_RETRY_DELAYS": "0.5,1.5",
    }
    with api(env, installation.log) as client, process(env, installation.log, "worker"):
        body = {"type": "fragile", "format": "csv", "params": {}}
        task = ended(client, client.post("/api/export-tasks", json=body).json()["id"])
        assert (task["status"], task["attempt"]) == ("FAILED", 3)
        assert task["last_error"]["code"] == "internal_error"

        first, second, third = claims_of(installation.database, task["id"])
        # Not sooner than the delays say; a busy machine may be later.
        assert (second - first).total_seconds() >= 0.5
        assert (third - second).total_seconds() >= 1.5

        (letter,) = wait_for(lambda: letters(env))
        assert (letter["task_id"], letter["reason"].split(":")[0]) == (task["id"], "internal_error")
        alerts = [line for line in installation.log.read_text().splitlines() if '"alert"' in line]
        assert len(alerts) == 1

        mended.touch()
        replay = json.loads(run(env, "dead-letters", "replay", str(letter["id"]), "--json").stdout)
        again = json.loads(run(env, "dead-letters", "replay", str(letter["id"]), "--json").stdout)
        assert [replay[0]["outcome"], again[0]["outcome"]] == ["replayed", "already_replayed"]
        assert ended(client, replay[0]["task_id"])["status"] == "SUCCESS"
        assert letters(env) == []
    # What a person sees says what happened and where to look, never the error's own words.
    assert "canary" not in json.dumps([task, letter])


async def test_f27_garbage_goes_to_the_dead_letters_once_and_nothing_else_stops(
    installation, rabbitmq_url
):
    env = installation.env | {"WAYBILL_AMQP_URL": rabbitmq_url}
    assert run(env, "sample", "--orders", "100").returncode == 0
    assert run(env, "topology").returncode == 0
    with api(env, installation.log) as client, process(env, installation.log, "worker"):
        names = names_of(env["WAYBILL_DATABASE_URL"])
        connection = await aio_pika.connect(rabbitmq_url)
        async with connection:
            channel = await connection.channel()
            for body in (b"not json", b"\x00" * 5000, b'{"v": 99}'):
                await channel.default_exchange.publish(
                    aio_pika.Message(body), names.work_queue("orders")
                )
        found = wait_for(lambda: len(seen := letters(env)) == 3 and seen)
        assert {letter["reason"].split(":")[0] for letter in found} == {"bad_message"}
        body = {"type": "orders", "format": "csv", "params": {}}
        task = ended(client, client.post("/api/export-tasks", json=body).json()["id"])
        assert (task["status"], task["rows"]) == ("SUCCESS", 100)
        assert len(letters(env)) == 3


def test_r49_replays_on_the_command_line_say_which_were_refused(tmp_path):
    env = os.environ | {
        "WAYBILL_DATABASE_URL": f"sqlite:///{tmp_path}/tasks.db",
        "WAYBILL_HOME": str(tmp_path),
        "WAYBILL_MAX_SUBMITS_PER_MINUTE": "1",
    }
    with sqlite_tables(tmp_path) as engine:
        recorded, runs = DeadLetters(engine), Worker(engine)
        for number in range(2):
            task = TaskRequests(engine).submit(ANN, new_task(params={"n": number})).task
            runs.fail(runs.claim(task.id, "w"), code="x", message="y", retry_in=None)
            assert recorded.record(WakeUp(task.id, 2, "dead").encode(), "orders", "x: y")

    done = run(env, "dead-letters", "replay", "1", "2", "3", "--json")

    outcomes = [item["outcome"] for item in json.loads(done.stdout)]
    assert outcomes == ["replayed", "too_many_submits", "dead_letter_not_found"]
    assert done.returncode == 2
    assert "2: You are starting exports too fast." in done.stderr
    assert [letter["id"] for letter in letters(env)] == [2]
