"""The tutorial works: its commands run one after the other, on servers of our own."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import make_url

from tests.support.servers.ports import free_ports
from tests.support.servers.rabbitmq import RabbitServer
from tests.support.servers.rabbitmq_broker import ClusteredServer
from tests.support.tutorial import program, run, steps
from waybill.storage.config import S3Config

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/tutorial.md").read_text()
#: Much longer than it takes on a busy machine.
_SECONDS = 500.0


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_command_of_the_tutorial_does_what_the_page_says(
    postgres_url: str,
    rabbitmq_server: RabbitServer | ClusteredServer,
    rabbitmq_vhost: str,
    s3_config: S3Config,
    tmp_path: Path,
) -> None:
    database = make_url(postgres_url).set(drivername="postgresql")
    replaced = {
        "postgresql://waybill:tutorial@127.0.0.1:5432/shop": database.render_as_string(False),
        "amqp://waybill:tutorial@127.0.0.1:5672/": rabbitmq_server.url(rabbitmq_vhost),
        "http://127.0.0.1:9000": s3_config.endpoint_url or "",
        "S3_ACCESS_KEY_ID=waybill": f"S3_ACCESS_KEY_ID={s3_config.access_key_id}",
        "S3_SECRET_ACCESS_KEY=tutorial": f"S3_SECRET_ACCESS_KEY={s3_config.secret_access_key}",
        "BUCKET=shop-exports": "BUCKET=tutorial",
    }
    tutorial = steps(PAGE)
    (port,) = free_ports(1)

    printed = run(program(tutorial, replaced, port), ROOT, tmp_path, _SECONDS)

    assert len(printed) == len(tutorial)
    for step, output in zip(tutorial, printed, strict=True):
        assert [line for line in step.printed if line not in output] == [], output
