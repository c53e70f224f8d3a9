"""Mistakes of operators, planted one by one: `waybill doctor` names each and its remedy in a line.

What is asked are the real servers, unless a mistake needs a clock or a policy that they lack.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import sqlalchemy as sa

from tests.support.servers.certificates import self_signed
from tests.support.servers.ports import free_ports
from tests.support.servers.postgres import PostgresServer
from tests.support.servers.s3_gate import GateRequest, Refusal, S3Gate, refuse
from tests.support.servers.s3_stub import S3Stub
from tests.support.task_store import ANN, new_task
from waybill.api.cli.doctor.command import CHECKS, run_check
from waybill.infra.bootstrap import Stack
from waybill.infra.broker.rabbitmq.broker import RabbitBroker
from waybill.infra.config.settings import load
from waybill.infra.tasks.lifecycle.requests import TaskRequests
from waybill.storage.config import S3Config
from waybill.storage.s3 import S3Store
from waybill.storage.store import Owner

SECRET = "a secret of the tests, long enough for HS256"
Settings = dict[str, Any]


@dataclass
class Lab:
    """Servers, started when a case asks for them, and the home of the installation."""

    request: pytest.FixtureRequest
    home: Path
    monkeypatch: pytest.MonkeyPatch
    closing: ExitStack
    #: Settings that every case has: tables in a file of its own, a secret nobody guesses.
    settings: Settings = field(init=False)

    def __post_init__(self) -> None:
        self.settings = {
            "home": self.home,
            "database_url": f"sqlite:///{self.home / 'tasks.db'}",
            "jwt_secret": SECRET,
        }

    def server(self, fixture: str) -> Any:
        return self.request.getfixturevalue(fixture)

    def bucket(self, **changes: Any) -> S3Config:
        """A bucket of this case on the S3 server of the run."""
        config = replace(self.server("s3_config"), bucket=f"planted-{uuid4().hex[:12]}")
        with closing(S3Store(config)) as store:
            store.ensure_bucket()
        return replace(config, **changes)

    def gate(self, *rules: Any, **options: Any) -> S3Gate:
        """A store that refuses what these rules refuse."""
        return self.closing.enter_context(S3Gate(self.bucket(), *rules, **options))

    def migrated(self, **settings: Any) -> Stack:
        """The parts of a process whose tables are made."""
        stack = self.closing.enter_context(Stack(load(**self.settings | settings)))
        stack.migrate()
        return stack


@pytest.fixture
def lab(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Lab]:
    monkeypatch.delenv("AWS_CA_BUNDLE", raising=False)
    with ExitStack() as stack:
        yield Lab(request, tmp_path, monkeypatch, stack)


def store(config: S3Config) -> Settings:
    """The settings of a store."""
    return {
        "s3_endpoint_url": config.endpoint_url,
        "s3_bucket": config.bucket,
        "s3_access_key_id": config.access_key_id,
        "s3_secret_access_key": config.secret_access_key,
    }


def https_page(lab: Lab) -> Settings:
    links = {"s3_public_endpoint_url": "http://files.example.com"}
    return store(lab.bucket()) | links | {"public_url": "https://exports.example.com"}


def links_to_loopback(lab: Lab) -> Settings:
    return store(lab.bucket()) | {"public_url": "http://exports.example.com"}


def wrong_region(lab: Lab) -> Settings:
    where = Refusal(
        400,
        "AuthorizationHeaderMalformed",
        "the region is wrong; expecting 'eu-central-1'",
        more="<Region>eu-central-1</Region>",
        headers=(("x-amz-bucket-region", "eu-central-1"),),
    )
    gate = lab.gate(refuse(where, lambda request: request.signed_for != "eu-central-1"))
    return store(gate.config()) | {"s3_region": "us-east-1"}


def denied(when: Callable[[GateRequest], bool]) -> Callable[[Lab], Settings]:
    """A policy of the bucket that denies some requests."""
    answer = Refusal(403, "AccessDenied", "with an explicit deny in a resource-based policy")
    return lambda lab: store(lab.gate(refuse(answer, when)).config())


def versions_stay(lab: Lab) -> Settings:
    answer = Refusal(403, "AccessDenied", "with an explicit deny in a resource-based policy")
    gate = lab.gate(refuse(answer, lambda request: "versions" in request.query))
    bucket, enabled = gate.behind.bucket, {"Status": "Enabled"}
    with closing(S3Store(gate.behind)) as behind:
        behind.connection.call(
            lambda client: client.put_bucket_versioning(
                Bucket=bucket, VersioningConfiguration=enabled
            )
        )
    return store(gate.config())


def wrong_clock(lab: Lab) -> Settings:
    stub = lab.closing.enter_context(S3Stub(clock_ahead=timedelta(minutes=5)))
    return store(stub.config())


def own_authority(lab: Lab) -> Settings:
    certificate = self_signed(lab.home, "127.0.0.1")
    return store(lab.gate(tls=certificate.server()).config())


def wrong_key(lab: Lab) -> Settings:
    return store(lab.bucket()) | {"s3_secret_access_key": "another-secret"}


def store_away(lab: Lab) -> Settings:
    return store(lab.bucket()) | {"s3_endpoint_url": f"http://127.0.0.1:{free_ports(1)[0]}"}


def shared_bucket(lab: Lab) -> Settings:
    config = lab.bucket()
    lab.migrated()
    with closing(S3Store(config)) as other:
        other.ensure_rules(Owner("other", "exports/other/"), 7)
    return store(config)


def open_bucket(lab: Lab) -> Settings:
    config = lab.bucket()
    allowed = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": ["s3:GetObject"],
        "Resource": [f"arn:aws:s3:::{config.bucket}/*"],
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    with closing(S3Store(config)) as opened:
        opened.connection.call(
            lambda client: client.put_bucket_policy(Bucket=config.bucket, Policy=policy)
        )
    return store(config)


def no_topology(lab: Lab) -> Settings:
    lab.migrated()
    return {"amqp_url": lab.server("rabbitmq_url")}


def no_right(lab: Lab) -> Settings:
    url = lab.server("rabbitmq_url")
    broker = lab.migrated(amqp_url=url).rabbit_broker()

    async def declare() -> None:
        await broker.declare_topology()
        await broker.close()

    asyncio.run(declare())
    lab.server("rabbitmq_server").set_rights(lab.server("rabbitmq_vhost"), write="^$")
    return {"amqp_url": url}


def shared_vhost(lab: Lab) -> Settings:
    url = lab.server("rabbitmq_url")
    stack = lab.migrated(amqp_url=url)
    other = RabbitBroker(
        url, ["orders"], delays=[timedelta(seconds=1)], installation="0123456789ab"
    )

    async def declare() -> None:
        for broker in (stack.rabbit_broker(), other):
            await broker.declare_topology()
            await broker.announce()
            await broker.close()

    asyncio.run(declare())
    return {"amqp_url": url}


def broker_away(lab: Lab) -> Settings:
    lab.migrated()
    return {"amqp_url": f"amqp://u:p@127.0.0.1:{free_ports(1)[0]}/"}


def wrong_password(lab: Lab) -> Settings:
    url = sa.make_url(lab.server("postgres_url")).set(password="canary")
    return {"database_url": url.render_as_string(hide_password=False)}


def one_account(lab: Lab) -> Settings:
    settings = {"database_url": lab.server("postgres_url")}
    lab.migrated(**settings)
    return settings


def read_only(lab: Lab) -> Settings:
    url = lab.server("postgres_url")
    plain = sa.make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute(
            f'ALTER DATABASE "{sa.make_url(url).database}" SET default_transaction_read_only = on'
        )
    return {"database_url": url}


def replica(lab: Lab) -> Settings:
    folder = Path(tempfile.mkdtemp(prefix="waybill-standby-"))
    lab.closing.callback(shutil.rmtree, folder)
    server = PostgresServer(folder, wal_level="replica")
    server.start()
    lab.closing.callback(server.stop, immediate=True)
    server.become_standby()
    return {"database_url": server.url()}


def nobody_works(lab: Lab) -> Settings:
    TaskRequests(lab.migrated().engine).submit(ANN, new_task(queue="orders"))
    return {}


def dead_letter(lab: Lab) -> Settings:
    lab.migrated().dead_letters.record(b"nonsense", "orders", "bad_message: no wake-up.")
    return {}


def tables_made(lab: Lab) -> Settings:
    lab.migrated()
    return {}


def just(**settings: Any) -> Callable[[Lab], Settings]:
    """Settings that need no server."""
    return lambda _: settings


#: The mistake, the check that finds it, what its line says, and what it says to do.
PLANTED: dict[str, tuple[Callable[[Lab], Settings], str, str, str]] = {
    "a page over https and links over http": (
        https_page, "signing host", "mixed content", "WAYBILL_S3_PUBLIC_ENDPOINT_URL has to be",
    ),
    "links to this machine": (
        links_to_loopback, "signing host", "their own machines", "WAYBILL_S3_PUBLIC_ENDPOINT_URL",
    ),
    "another region": (
        wrong_region, "storage", "in the region eu-central-1", "WAYBILL_S3_REGION has to be",
    ),
    "a bucket that demands a header": (
        denied(lambda request: request.method == "POST" and "uploads" in request.query),
        "storage rights", "s3:PutObject is missing", "WAYBILL_S3_SSE",
    ),
    "a bucket whose versions stay": (
        versions_stay, "storage rights", "s3:DeleteObjectVersion is missing", "docs/stores.md",
    ),
    "a wrong clock": (wrong_clock, "storage", "behind that of the object store", "time server"),
    "an authority of one's own": (
        own_authority, "storage", "certificate is not accepted", "AWS_CA_BUNDLE",
    ),
    "another secret key": (wrong_key, "storage", "refuses our credentials", "WAYBILL_S3_BUCKET"),
    "a store that is away": (store_away, "storage", "cannot be reached", "WAYBILL_S3_ENDPOINT_URL"),
    "two installations on one bucket": (
        shared_bucket, "storage", "shared with the installation other", "WAYBILL_S3_BUCKET",
    ),
    "a bucket open to everybody": (open_bucket, "secrets", "without a signature", "close it"),
    "no topology": (no_topology, "broker", "is missing", "`waybill topology`"),
    "a right that is missing": (no_right, "broker", "lacks the write right", "Give the user"),
    "two installations on one vhost": (
        shared_vhost, "broker", "shared with the installation 0123456789ab", "a vhost of its own",
    ),
    "a broker that is away": (broker_away, "broker", "cannot be reached", "WAYBILL_AMQP_URL"),
    "a wrong password": (wrong_password, "database", "the password of", "WAYBILL_DATABASE_URL"),
    "a replica as the task database": (replica, "database", "is a standby", "to the primary"),
    "a database set to read-only": (
        read_only, "database", "takes no writes", "default_transaction_read_only",
    ),
    "one account for everything": (
        one_account, "audit log", "may rewrite it", "give processes one that may only add",
    ),
    "an audit log without an end": (
        tables_made, "audit log", "grows for ever", "set WAYBILL_AUDIT_DAYS",
    ),
    "a shipped secret": (
        just(jwt_secret="change-me-to-at-least-thirty-two-random-bytes"),
        "secrets", "WAYBILL_JWT_SECRET: an example", "Draw another one",
    ),
    "no mail server": (
        just(smtp_url="smtp://127.0.0.1:1", smtp_from="exports@example.com"),
        "mail", "Nothing answers", "WAYBILL_SMTP_URL",
    ),
    "a mail server and no sender": (
        just(smtp_url="smtp://127.0.0.1:1"), "mail", "no mail goes", "WAYBILL_SMTP_FROM is not",
    ),
    "no worker": (nobody_works, "workers", "No worker takes exports from 'orders'", "Start one"),
    "a dead letter": (
        dead_letter, "dead letters", "1 open", "`waybill dead-letters list`",
    ),
    "a public address of the embedded store": (
        just(s3_public_endpoint_url="https://files.example.com"),
        "signing host", "not used with the embedded store", "set WAYBILL_S3_ENDPOINT_URL",
    ),
    "more memory than there is": (
        just(memory="900TiB"), "memory", "the kernel would end the worker", "WAYBILL_MEMORY",
    ),
    "everybody is the proxy": (
        just(trusted_proxy_networks="0.0.0.0/0", proxy_tenant="acme"),
        "proxy login", "is nearly everybody", "Name the proxy",
    ),
    "no identity provider": (
        just(jwks_url="http://127.0.0.1:1/keys"),
        "identity provider", "Connection refused", "Correct the provider's address",
    ),
    "a source that is away": (
        just(source_url="postgresql://u:canary@127.0.0.1:1/x"),
        "source", "Nothing listens at the address of the source URL", "WAYBILL_SOURCE_URL",
    ),
    "no datasets": (
        just(datasets="/no/such/datasets.py"), "datasets", "/no/such", "WAYBILL_DATASETS",
    ),
}  # fmt: skip
#: What is no fault, so that its line begins with "ok".
NOTES = {
    "two installations on one bucket",
    "two installations on one vhost",
    "one account for everything",
    "an audit log without an end",
    "a dead letter",
}


@pytest.mark.parametrize("mistake", PLANTED)
def test_a_planted_mistake_is_named_in_one_line_with_its_remedy(lab: Lab, mistake: str) -> None:
    plant, check, says, remedy = PLANTED[mistake]
    settings = load(**lab.settings | plant(lab))

    found = run_check(check, CHECKS[check], settings)

    assert found["ok"] is (mistake in NOTES), found["detail"]
    assert says in found["detail"]
    assert remedy in found["detail"]
    assert "\n" not in found["detail"]
    assert "canary" not in found["detail"]
