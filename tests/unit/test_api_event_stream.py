"""One stream by itself: what it keeps for a slow reader, its ids, and when it ends."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from tests.support.servers.ports import free_ports
from waybill.api.events import stream as events_stream
from waybill.api.events.hub import EventHub
from waybill.api.events.stream import Message, Permission, Stream, position_in, position_text
from waybill.api.languages import LANGUAGES, Language
from waybill.api.problems.errors import IdentityProviderDown, TooManyStreams
from waybill.api.session.development_tokens import mint
from waybill.api.session.tokens import TokenVerifier
from waybill.exporter.datasets.principal import Principal
from waybill.infra.config.settings import load
from waybill.infra.tasks.queries.changes import State, StateQuery, TaskChanges

SECRET = "a secret of the tests, long enough for HS256"
ANA = Principal("ana", "acme", frozenset({"sales"}))
ONE, TWO = UUID(int=1), UUID(int=2)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOON_ID = "1772366400000000"
WHOLE, REST = State([], whole=True), State([], whole=False)


def verifier(**settings: str) -> TokenVerifier:
    return TokenVerifier(load(jwt_secret=SECRET) if not settings else load(**settings))


def permission(
    checked_by: TokenVerifier | None = None, ttl: timedelta = timedelta(minutes=5)
) -> Permission:
    """For a token that was good at first; `checked_by` verifies it again each time."""
    token = mint(load(jwt_secret=SECRET), "ana", "acme", frozenset({"sales"}), ttl)
    every = timedelta(0) if checked_by else timedelta(minutes=1)
    identity = verifier().verify(token)
    return Permission(checked_by or verifier(), identity, verify_every=every)


@pytest.fixture
def stream() -> Stream:
    return Stream(StateQuery(ANA), permission())


def about(task_id: UUID, text: str, **more: Any) -> Message:
    return Message("task", dict.fromkeys(LANGUAGES, text), task_id, **more)


async def sent(stream: Stream, frames: Any) -> list[str]:
    """What is sent now, up to a silence."""
    lines: list[str] = []
    while True:
        try:
            lines.append((await asyncio.wait_for(anext(frames), 0.05)).decode())
        except TimeoutError:
            return lines


async def test_a_slow_reader_gets_the_latest_of_each_task_and_nothing_older(stream: Stream):
    stream.begin(REST, [])
    for number in range(10_000):
        stream.put(about(ONE if number % 2 else TWO, f"{number}"))
    assert len(stream._pending) == 2

    _greeting, *frames = await sent(stream, stream.frames())

    assert frames == ["event: task\ndata: 9998\n\n", "event: task\ndata: 9999\n\n"]


async def test_only_the_last_event_of_a_batch_carries_the_position(stream: Stream):
    stream.begin(WHOLE, [about(ONE, "1"), about(TWO, "2")])
    stream.position = NOON

    _greeting, *frames = await sent(stream, stream.frames())

    assert [frame.splitlines()[0] for frame in frames] == [
        "event: reset", "event: task", "event: task"
    ]  # fmt: skip
    assert ["id:" in frame for frame in frames] == [False, False, True]
    assert f"\nid: {NOON_ID}\n" in frames[-1]


async def test_what_changes_while_a_batch_is_sent_is_not_covered_by_its_id(stream: Stream):
    stream.begin(REST, [about(ONE, "1"), about(TWO, "2")])
    stream.position = NOON
    frames = stream.frames()
    await anext(frames)
    await anext(frames)
    stream.put(about(ONE, "3"))
    stream.position = NOON + timedelta(seconds=1)

    assert f"id: {NOON_ID}\n" in (await anext(frames)).decode()


@pytest.mark.parametrize(("language", "words"), [("en", "Late."), ("zh", "晚了。")])
async def test_a_stream_speaks_the_language_it_was_opened_in(language: Language, words: str):
    stream = Stream(StateQuery(ANA), permission(), language)
    stream.begin(REST, [Message("task", {"en": "Late.", "zh": "晚了。"}, ONE)])

    _greeting, frame = await sent(stream, stream.frames())

    assert f"data: {words}\n" in frame


async def test_a_heartbeat_carries_the_position_along(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(events_stream, "HEARTBEAT", timedelta(seconds=0.01))
    beat = 'event: heartbeat\ndata: {"interval_seconds":0.01}\n'
    frames = stream.frames()
    # The first one comes at once, and says when to connect again.
    first, _, retry = (await anext(frames)).decode().rstrip().rpartition("\n")
    assert first + "\n" == beat
    assert retry.startswith("retry: ")
    assert await anext(frames) == f"{beat}\n".encode()
    stream.position = NOON
    assert await anext(frames) == f"{beat}id: {NOON_ID}\n\n".encode()


async def test_the_stream_of_one_task_ends_with_it_and_carries_versions():
    stream = Stream(StateQuery(ANA, ONE), permission())
    stream.begin(WHOLE, [about(ONE, "1", version=4)])
    stream.put(about(TWO, "not mine"))
    frames = stream.frames()
    await anext(frames)
    assert await anext(frames) == b"event: task\ndata: 1\nid: 4\n\n"
    stream.put(about(ONE, "2", version=5, final=True))
    assert [frame async for frame in frames] == [b"event: task\ndata: 2\nid: 5\n\n"]


async def test_a_closed_stream_ends_at_once(stream: Stream):
    frames = stream.frames()
    await anext(frames)
    stream.put(about(ONE, "1"))
    stream.close()
    assert [frame async for frame in frames] == []


async def test_a_stream_ends_when_its_token_does():
    # Times in tokens are whole seconds.
    stream = Stream(StateQuery(ANA), permission(ttl=timedelta(seconds=1.9)))
    began = asyncio.get_running_loop().time()
    assert len([frame async for frame in stream.frames()]) == 1
    assert asyncio.get_running_loop().time() - began <= 2


async def test_a_token_that_is_no_longer_trusted_ends_the_stream_before_the_next_event():
    stream = Stream(StateQuery(ANA), permission(verifier(jwt_secret="another " + SECRET)))
    stream.put(about(ONE, "1"))
    assert len([frame async for frame in stream.frames()]) == 1


@pytest.mark.server
async def test_an_identity_provider_that_is_down_ends_no_stream():
    [port] = free_ports(1)
    nobody = verifier(jwks_url=f"http://127.0.0.1:{port}/")
    with pytest.raises(IdentityProviderDown):
        nobody.verify(mint(load(jwt_secret=SECRET), "ana", "acme", frozenset()))
    assert await permission(nobody).holds()


@pytest.mark.parametrize(
    "text",
    [None, "", "-1", "1e9", "abc", "٣", "1" * 17, "9" * 400, " 5", "5;", "0x10", "1.5", "\x00"],
)
def test_r31_what_is_no_position_is_ignored(text: str | None):
    assert position_in(text) is None


def test_a_position_survives_the_way_through_an_id():
    moment = datetime(2026, 3, 1, 12, 0, 0, 123457, tzinfo=UTC)
    assert position_in(position_text(moment)) == moment
    assert position_text(NOON) == NOON_ID


def test_r38_the_streams_of_all_users_together_are_bounded() -> None:
    stopping = asyncio.Event()
    # A process that is about to end: it polls for nobody.
    stopping.set()
    hub = EventHub(TaskChanges(sa.create_engine("sqlite://")), stopping, most_streams=2)
    users = [Stream(StateQuery(replace(ANA, user=name)), permission()) for name in "abc"]
    with hub.opened(users[0]), hub.opened(users[1]), pytest.raises(TooManyStreams, match="server"):
        hub.opened(users[2]).__enter__()
    with hub.opened(users[2]):
        assert hub.open_streams == 1
