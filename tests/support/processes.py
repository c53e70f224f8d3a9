"""Waybill's own processes, started the way an operator starts them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx2

from tests.support.eventually import PATIENCE_SECONDS, wait_for
from tests.support.servers.ports import free_ports
from waybill.api.session.development_tokens import mint
from waybill.infra.config.settings import load
from waybill.storage.config import S3Config

WAYBILL = Path(sys.executable).with_name("waybill")
SECRET = "a-secret-of-the-test-run-that-is-long-enough"


def environment(
    home: Path, database: str, s3: S3Config | None = None, **more: str
) -> dict[str, str]:
    """Settings for one private installation; the machine's own WAYBILL_ settings are left out."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("WAYBILL_")}
    settings = {
        "WAYBILL_HOME": str(home),
        "WAYBILL_DATABASE_URL": database,
        "WAYBILL_JWT_SECRET": SECRET,
        "WAYBILL_LEASE_SECONDS": "2",
        "WAYBILL_RETRY_DELAYS": "0.2,0.5",
    }
    if s3 is not None:
        settings |= {
            "WAYBILL_S3_ENDPOINT_URL": s3.endpoint_url or "",
            "WAYBILL_S3_BUCKET": s3.bucket,
            "WAYBILL_S3_ACCESS_KEY_ID": s3.access_key_id or "",
            "WAYBILL_S3_SECRET_ACCESS_KEY": s3.secret_access_key or "",
        }
    return clean | settings | more


def run(
    env: dict[str, str],
    *args: str,
    command: Sequence[str | Path] = (WAYBILL,),
    seconds: float = 120,
) -> subprocess.CompletedProcess[str]:
    """Run a `waybill` command to its end, which it has to reach in `seconds`."""
    return subprocess.run(
        [*command, *args], env=env, capture_output=True, text=True, check=False, timeout=seconds
    )


@contextmanager
def process(
    env: dict[str, str], log: Path, *args: str, command: Sequence[str | Path] = (WAYBILL,)
) -> Iterator[subprocess.Popen[bytes]]:
    """A long-running `waybill` command, ended with SIGTERM if the test did not end it.

    Asked once, it has to end by itself: whatever it started ends with it.
    """
    with log.open("ab") as output:
        running = subprocess.Popen([*command, *args], env=env, stdout=output, stderr=output)
        asked = False
        try:
            yield running
        finally:
            if running.poll() is None:
                running.send_signal(signal.SIGTERM)
                asked = True
            try:
                running.wait(20)
            except subprocess.TimeoutExpired:
                running.kill()
                running.wait()
                raise
        assert not asked or running.returncode == 0, log.read_text()


@contextmanager
def api(
    env: dict[str, str],
    log: Path,
    user: str = "ann",
    command: Sequence[str | Path] = (WAYBILL,),
) -> Iterator[httpx2.Client]:
    """`waybill serve` on a free port, and a client that is logged in as `user`."""
    (port,) = free_ports(1)
    roles = frozenset({"sales", "support"})
    # As `waybill token` does, which takes a second to start.
    token = mint(load(jwt_secret=env["WAYBILL_JWT_SECRET"]), user, "acme", roles)
    with (
        process(env, log, "serve", "--port", str(port), command=command) as server,
        httpx2.Client(
            base_url=f"http://127.0.0.1:{port}",
            headers={"Authorization": f"Bearer {token}"},
            timeout=30,
        ) as client,
    ):

        def healthy() -> bool:
            assert server.poll() is None, log.read_text()
            try:
                return client.get("/healthz").status_code == 200
            except httpx2.TransportError:
                return False

        wait_for(healthy)
        yield client


def ended(client: httpx2.Client, task_id: str, seconds: float = PATIENCE_SECONDS) -> dict:
    """Wait for a task to end, and return it."""

    def look() -> dict | None:
        task = client.get(f"/api/export-tasks/{task_id}").json()
        return None if task["status"] in ("PENDING", "PROCESSING") else task

    return wait_for(look, seconds)
