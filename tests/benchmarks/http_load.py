"""Sends requests as quickly as they are answered, from a process of its own.

Clients are plain and keep their connections, so that most of the time is the server's.
"""

from __future__ import annotations

import http.client
import itertools
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

_CLIENTS = 8


def send_all(
    url: str, tokens: Sequence[str], bodies: Sequence[dict[str, Any]] | None, *, times: int = 1
) -> list[float]:
    """Seconds of each answer to POSTs of `bodies`, or to `times` GETs, several at a time.

    Clients take the tokens in turn.
    The last number is the time from the first request to the last answer.
    """
    request = {"url": url, "tokens": list(tokens), "bodies": bodies, "times": times}
    done = subprocess.run(
        [sys.executable, "-m", __spec__.name],
        input=json.dumps(request),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def main() -> None:
    """What the process does."""
    request = json.load(sys.stdin)
    bodies = request["bodies"]
    clients = _CLIENTS if bodies else 1
    shares = [bodies[n::clients] if bodies else [None] * request["times"] for n in range(clients)]
    start = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        answers = pool.map(
            lambda share, token: _send(request["url"], token, share),
            shares,
            itertools.cycle(request["tokens"]),
        )
        seconds = [each for share in answers for each in share]
    sys.stdout.write(json.dumps([*seconds, time.perf_counter() - start]))


def _send(url: str, token: str, bodies: Sequence[dict[str, Any] | None]) -> list[float]:
    where = urlsplit(url)
    target = f"{where.path}?{where.query}" if where.query else where.path
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    connection = http.client.HTTPConnection(where.hostname, where.port)
    seconds = []
    for body in bodies:
        start = time.perf_counter()
        if body is None:
            connection.request("GET", target, headers=headers)
        else:
            connection.request("POST", target, json.dumps(body), headers)
        answer = connection.getresponse()
        text = answer.read()
        seconds.append(time.perf_counter() - start)
        if answer.status >= 300:
            raise RuntimeError(text.decode())
    connection.close()
    return seconds


if __name__ == "__main__":
    main()
