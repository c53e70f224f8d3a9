"""Event streams of a real server: what they tell, to whom, and how one goes on after a cut."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from jsonschema import Draft202012Validator

from tests.support.event_reader import Event, listening
from tests.support.servers.task_api import TASKS, TaskApi, ask
from waybill.api.events import stream as events_stream
from waybill.api.events.hub import MAX_STREAMS_PER_USER
from waybill.api.events.stream import position_text
from waybill.api.session.development_tokens import mint
from waybill.infra.tasks.model import TaskProgress

ALL = f"{TASKS}/events"


def events_of(task: dict[str, Any]) -> str:
    return f"{TASKS}/{task['id']}/events"


def told(events: list[Event]) -> list[tuple[str, Any]]:
    """Kind and status of each event."""
    return [(event.kind, event.data.get("status")) for event in events]


def test_one_task_is_told_from_its_state_now_to_its_end(api: TaskApi) -> None:
    client = api.person()
    task = ask(client)
    with listening(client, events_of(task)) as stream:
        first = stream.next()
        claim = api.begin(task, TaskProgress(250, 1000, bytes_uploaded=9, snapshot_at=None))
        second = stream.until(task["id"], "PROCESSING")[-1]
        api.runs.fail(claim, code="x", message="It broke.", retry_in=None)
        rest = list(stream)

    shown = client.get(f"{TASKS}/{task['id']}")
    assert told([first, second, *rest]) == [
        ("task", "PENDING"), ("task", "PROCESSING"), ("task", "FAILED")
    ]  # fmt: skip
    assert second.data["progress"]["rows_done"] == 250
    assert rest[-1].data == shown.json()
    assert shown.headers["ETag"] == f'"{rest[-1].id}-en"'


def test_each_reader_is_told_in_their_own_language(api: TaskApi) -> None:
    tenant = api.tenant()
    english, chinese = api.person(tenant), api.person(tenant)
    chinese.headers["Accept-Language"] = "zh-CN"
    task = ask(english)
    path = events_of(task)
    with listening(english, path) as here, listening(chinese, path) as there:
        here.next(), there.next()
        api.fail(task)
        told_here, told_there = here.next(), there.next()

    assert told_here.data == english.get(f"{TASKS}/{task['id']}").json()
    assert told_there.data == chinese.get(f"{TASKS}/{task['id']}").json()
    assert told_here.data["last_error"]["cause"] != told_there.data["last_error"]["cause"]


def test_the_stream_of_an_ended_task_is_its_state_and_then_no_content(api: TaskApi) -> None:
    client = api.person()
    task = ask(client)
    api.finish(task)
    with listening(client, events_of(task)) as stream:
        events = list(stream)
    again = client.get(events_of(task), headers={"Last-Event-ID": events[-1].id or ""})

    assert told(events) == [("task", "SUCCESS")]
    # Anything else would make a browser connect again for ever.
    assert (again.status_code, again.content) == (204, b"")


def test_a_stream_is_neither_stored_nor_held_back_on_its_way(api: TaskApi) -> None:
    client = api.person()
    with listening(client, ALL) as stream:
        stream.next()
        headers = stream.response.headers
        assert headers["Content-Type"] == "text/event-stream; charset=utf-8"
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Accel-Buffering"] == "no"
        assert "Content-Length" not in headers


def test_all_of_mine_are_told_and_nothing_of_others(api: TaskApi) -> None:
    tenant = api.tenant()
    client = api.person(tenant)
    old = ask(client, params={"city": "old"})
    api.fail(old)
    with listening(client, ALL) as stream:
        assert [stream.next().kind, stream.next().data["id"]] == ["reset", old["id"]]
        for stranger in (api.person(), api.person(tenant, user="bob")):
            foreign = ask(stranger)
            stranger.post(f"{TASKS}/{foreign['id']}/cancel")
            stranger.delete(f"{TASKS}/{foreign['id']}")
        client.delete(f"{TASKS}/{old['id']}")
        new = ask(client, params={"city": "new"})
        events = [stream.next(), stream.next()]

    assert {(event.kind, event.data["id"]) for event in events} == {
        ("deleted", old["id"]), ("task", new["id"])
    }  # fmt: skip


def test_r3_a_stream_of_somebody_else_s_task_is_a_stream_that_never_was(api: TaskApi) -> None:
    task = ask(api.person())
    answer = api.person().get(events_of(task))
    assert (answer.status_code, answer.json()["code"]) == (404, "task_not_found")


def test_r18_a_token_in_the_address_of_a_stream_is_refused(api: TaskApi) -> None:
    token = api.token(api.tenant())
    for client in (api.client(), api.client(token)):
        answer = client.get(ALL, params={"access_token": token})
        assert (answer.status_code, answer.json()["code"]) == (400, "token_in_query")


def test_a_session_cookie_opens_a_stream(api: TaskApi) -> None:
    token = api.token(api.tenant())
    with listening(api.client(cookies={"waybill_session": token}), ALL) as stream:
        assert stream.next().kind == "reset"


def wire_events(response: httpx2.Response) -> Iterator[dict[str, Any]]:
    """Every block on the wire as an object, read by the standard and by nothing of ours."""
    fields: dict[str, Any] = {}
    for line in response.iter_lines():
        if not line:
            yield fields
            fields = {}
            continue
        name, _, value = line.partition(":")
        fields[name] = int(value) if name == "retry" else value.removeprefix(" ")


def test_each_event_on_the_wire_has_the_form_of_the_document(
    api: TaskApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """O46: the first event had a comment, `retry` and no data."""
    monkeypatch.setattr(events_stream, "HEARTBEAT", timedelta(seconds=0.05))
    client = api.person()
    document = client.get("/openapi.json").json()
    gone, task = ask(client, params={"city": "gone"}), ask(client)
    api.fail(gone)
    for path, kinds in ((ALL, ["heartbeat", "reset", "task", "deleted"]), (events_of(task), [])):
        documented = path.replace(task["id"], "{task_id}")
        answer = document["paths"][documented]["get"]["responses"]["200"]
        schema = answer["content"]["text/event-stream"]["x-itemSchema"]
        form = Draft202012Validator({**schema, "components": document["components"]})
        seen = set()
        with client.stream("GET", path, timeout=10) as response:
            for event in wire_events(response):
                form.validate(event)
                content = next(
                    item["properties"]["data"]["contentSchema"]
                    for item in schema["oneOf"]
                    if item["properties"]["event"]["const"] == event["event"]
                )
                whole = {**content, "components": document["components"]}
                Draft202012Validator(whole).validate(json.loads(event["data"]))
                if "retry" in event:
                    assert not seen
                if event["event"] == "task" and path == ALL:
                    client.delete(f"{TASKS}/{gone['id']}")
                seen.add(event["event"])
                if seen >= set(kinds or ["heartbeat", "task"]):
                    break


GARBAGE = ["", "-1", "-99999999999999999999", "9" * 300, "abc", "1e3", "' OR 1=1--", "é", "0"]


@pytest.mark.parametrize("last_id", GARBAGE)
def test_r31_a_last_event_id_that_is_none_gets_the_full_state(api: TaskApi, last_id: str) -> None:
    client = api.person()
    task = ask(client)
    with listening(client, ALL, last_id.encode()) as stream:
        assert [stream.next().kind, stream.next().data["id"]] == ["reset", task["id"]]
    with listening(client, events_of(task), last_id.encode()) as stream:
        assert stream.next().data["id"] == task["id"]


def test_after_a_cut_what_was_missed_is_told_and_no_more(api: TaskApi) -> None:
    client = api.person()
    kept, ended, gone = (ask(client, params={"city": name}) for name in ("Oslo", "Rome", "Lima"))
    api.fail(gone)
    with listening(client, ALL) as stream:
        last_id = stream.until_id()
    client.delete(f"{TASKS}/{gone['id']}")
    api.fail(ended)
    new = ask(client, params={"city": "new"})

    with listening(client, ALL, last_id) as stream:
        seen: dict[str, str | None] = {}
        while not {ended["id"], gone["id"], new["id"]} <= set(seen):
            event = stream.next()
            assert event.kind != "reset"
            seen[event.data["id"]] = event.data.get("status")
        client.post(f"{TASKS}/{kept['id']}/cancel")
        stream.until(kept["id"], "CANCELLED")

    assert seen | {kept["id"]: None} == {
        kept["id"]: None, ended["id"]: "FAILED", gone["id"]: None, new["id"]: "PENDING"
    }  # fmt: skip


def test_the_id_of_yesterday_gets_the_full_state(api: TaskApi) -> None:
    client = api.person()
    yesterday = position_text(datetime.now(UTC) - timedelta(days=1))
    with listening(client, ALL, yesterday) as stream:
        assert stream.next().kind == "reset"


def test_a_stream_ends_with_its_token_and_another_needs_a_new_one(api: TaskApi) -> None:
    tenant = api.tenant()
    short = mint(api.services.settings, "ana", tenant, frozenset({"sales"}), timedelta(seconds=1.9))
    began = datetime.now(UTC)
    with listening(api.client(short), ALL) as stream:
        events = list(stream)
    lasted = datetime.now(UTC) - began

    assert [event.kind for event in events] == ["reset"]
    assert lasted < timedelta(seconds=3)
    # Still within the leeway that other requests get.
    answer = api.client(short).get(ALL)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


def test_one_user_holds_so_many_streams_and_others_are_not_affected(api: TaskApi) -> None:
    tenant = api.tenant()
    client, colleague = api.person(tenant), api.person(tenant, user="bob")
    streams = [client.stream("GET", ALL) for _ in range(MAX_STREAMS_PER_USER)]
    try:
        assert {stream.__enter__().status_code for stream in streams} == {200}
        refused = client.get(ALL)
        with listening(colleague, ALL) as stream:
            assert stream.next().kind == "reset"
        open_now = figure(client, "waybill_event_streams")
    finally:
        for stream in streams:
            stream.__exit__(None, None, None)

    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_streams")
    assert int(refused.headers["Retry-After"]) > 0
    assert open_now >= MAX_STREAMS_PER_USER
    # Those who left make room at once.
    with listening(client, ALL) as stream:
        assert stream.next().kind == "reset"


def test_a_silent_stream_has_a_heartbeat(api: TaskApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events_stream, "HEARTBEAT", timedelta(seconds=0.1))
    client = api.person()
    with listening(client, ALL) as stream:
        stream.next()
        new = ask(client)
        stream.until(new["id"], "PENDING")
        assert [beat.data for beat in stream.heartbeats[:2]] == [{"interval_seconds": 0.1}] * 2


def figure(client: httpx2.Client, name: str) -> float:
    [line] = [line for line in client.get("/metrics").text.splitlines() if line.startswith(name)]
    return float(line.split()[-1])
