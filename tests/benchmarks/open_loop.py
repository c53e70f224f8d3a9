"""An open loop of HTTP requests: sent at a fixed rate, however late the answers are.

A closed loop of clients slows down with the server, and shows neither a queue that grows nor what
is refused. Latency counts from the moment at which a request was due.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit

#: A request without an answer after this many seconds has failed.
_PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class Load:
    """What is sent. Tokens, targets and bodies are taken in turn; GETs where there is no body."""

    url: str
    targets: Sequence[str]
    tokens: Sequence[str]
    rate: float
    seconds: float
    #: One JSON object with a place for the number of the request, so that all are different.
    body: str | None = None


def send(load: Load) -> dict[str, Any]:
    """Send `load` from a process of its own.

    Returns the number of answers by status (`"lost"` for none), how many of those that were
    refused said when to come back, and percentiles in milliseconds of answers below 400 and of the
    others.
    """
    done = subprocess.run(
        [sys.executable, "-m", __spec__.name],
        input=json.dumps(asdict(load)),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


class _Loop:
    def __init__(self, load: Load) -> None:
        self._load = load
        address = urlsplit(load.url)
        self._host, self._port = address.hostname, address.port
        self._idle: deque[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = deque()
        self._statuses: Counter[str] = Counter()
        self._timed = 0
        self._accepted: list[float] = []
        self._refused: list[float] = []

    async def run(self) -> dict[str, Any]:
        load = self._load
        count = round(load.rate * load.seconds)
        start = time.perf_counter()
        async with asyncio.TaskGroup() as tasks:
            for number in range(count):
                due = start + number / load.rate
                if (early := due - time.perf_counter()) > 0:
                    await asyncio.sleep(early)
                tasks.create_task(self._one(number, due))
        seconds = time.perf_counter() - start
        return {
            "sent": count,
            "seconds": round(seconds, 2),
            "answered_per_second": round(len(self._accepted) / seconds, 1),
            "statuses": dict(self._statuses),
            "with_retry_after": self._timed,
            "accepted_ms": _percentiles(self._accepted),
            "refused_ms": _percentiles(self._refused),
        }

    async def _one(self, number: int, due: float) -> None:
        try:
            async with asyncio.timeout(_PATIENCE):
                status, head = await self._exchange(number)
        except (OSError, EOFError, TimeoutError):
            self._statuses["lost"] += 1
            return
        self._statuses[str(status)] += 1
        taken = time.perf_counter() - due
        if status < 400:
            self._accepted.append(taken)
        else:
            self._refused.append(taken)
            self._timed += b"\r\nretry-after:" in head.lower()

    async def _exchange(self, number: int) -> tuple[int, bytes]:
        load = self._load
        reader, writer = await self._connection()
        body = b"" if load.body is None else load.body.replace("%d", str(number)).encode()
        head = (
            f"{'GET' if load.body is None else 'POST'} {load.targets[number % len(load.targets)]}"
            f" HTTP/1.1\r\nHost: {self._host}\r\n"
            f"Authorization: Bearer {load.tokens[number % len(load.tokens)]}\r\n"
        )
        if body:
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        writer.write(head.encode() + b"\r\n" + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        status = int(answer[9:12])
        lowered = answer.lower()
        length = int(lowered.partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0] or 0)
        await reader.readexactly(length)
        if b"\r\nconnection: close" in lowered:
            writer.close()
        else:
            self._idle.append((reader, writer))
        return status, answer

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        while self._idle:
            reader, writer = self._idle.pop()
            # The server closes what has been idle for some seconds.
            if not reader.at_eof() and not writer.is_closing():
                return reader, writer
            writer.close()
        return await asyncio.open_connection(self._host, self._port)


def _percentiles(seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    return {
        f"p{share}": round(1000 * ordered[min(len(ordered) - 1, len(ordered) * share // 100)], 1)
        for share in (50, 95, 99)
        if ordered
    }


def main() -> None:
    """What the process does."""
    load = Load(**json.load(sys.stdin))
    sys.stdout.write(json.dumps(asyncio.run(_Loop(load).run())))


if __name__ == "__main__":
    main()
