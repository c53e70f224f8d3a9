"""The compose file and its environment: valid, consistent, and true on real servers."""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
import yaml
from dotenv import dotenv_values
from sqlalchemy import make_url

from tests.support.eventually import wait_for
from tests.support.processes import api, ended, environment, process, run
from waybill.infra.config.settings import PREFIX, Settings
from waybill.infra.config.weak_secrets import is_guessable
from waybill.infra.db.engine import create_engine
from waybill.infra.db.schema import TableSchema
from waybill.infra.tasks.audit_chain import AuditChain

DEPLOY = Path(__file__).parents[2] / "infra" / "deploy"
TEXT = (DEPLOY / "compose.yaml").read_text()
ENV = {name: value or "" for name, value in dotenv_values(DEPLOY / "waybill.env").items()}
#: What compose refuses to start without, and a person without `.env` is told.
REQUIRED = re.compile(r"\$\{(\w+):\?Run infra/deploy/draw-secrets\}")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> dict[str, str]:
    """The secrets that an operator draws."""
    file = tmp_path_factory.mktemp("deploy") / ".env"
    subprocess.run([DEPLOY / "draw-secrets", file], check=True)
    assert file.stat().st_mode & 0o777 == 0o600
    kept = file.read_text()
    subprocess.run([DEPLOY / "draw-secrets", file], check=True, capture_output=True)
    assert file.read_text() == kept
    return {name: value or "" for name, value in dotenv_values(file).items()}


@pytest.fixture(scope="module")
def services(drawn) -> dict[str, Any]:
    """The services of the compose file with these secrets."""
    return yaml.safe_load(REQUIRED.sub(lambda match: drawn[match[1]], TEXT))["services"]


def test_every_setting_of_the_environment_exists(services):
    names = set(ENV) | set(services["api"]["environment"])
    assert {name.removeprefix(PREFIX).lower() for name in names} <= set(Settings.model_fields)


def test_r37_no_secret_is_shipped_and_each_is_drawn(drawn):
    assert set(REQUIRED.findall(TEXT)) == set(drawn)
    assert not any(is_guessable(secret.encode()) for secret in drawn.values())
    # What follows a user's name in an address, or belongs to a name of a secret.
    literal = r"(?:://\w+:|(?:PASSWORD|SECRET\w*|_PASS|_KEY): )(?!\$\{\w+:\?|\d+\b)"
    assert re.findall(literal, TEXT) == []
    assert not {name for name in ENV if "SECRET" in name or "PASSWORD" in name or "URL" in name} - {
        "WAYBILL_S3_ENDPOINT_URL",
        "WAYBILL_S3_PUBLIC_ENDPOINT_URL",
    }


def test_r37_ports_are_published_on_this_machine_only(services):
    published = [port for service in services.values() for port in service.get("ports", [])]
    assert len(published) >= 4
    assert [port for port in published if not port.startswith("127.0.0.1:")] == []


@pytest.mark.parametrize("name", ["api", "worker"])
def test_our_services_share_one_environment_and_wait_for_their_servers(services, name):
    service = services[name]
    assert (DEPLOY / service["env_file"]).is_file()
    assert (DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]).is_file()
    assert service["read_only"] is True
    assert {place.partition(":")[0] for place in service["tmpfs"]} == {"/tmp", ENV["WAYBILL_HOME"]}  # noqa: S108
    assert (service["cap_drop"], service["security_opt"]) == (["ALL"], ["no-new-privileges:true"])
    assert service["healthcheck"]["test"][:3] == ["CMD", "python", "-c"]
    for dependency, condition in service["depends_on"].items():
        if services[dependency].get("restart") == "no":
            assert condition == {"condition": "service_completed_successfully"}
        else:
            assert condition == {"condition": "service_healthy"}
            assert services[dependency]["healthcheck"]["test"]


def test_addresses_and_secrets_of_the_files_agree(services):
    ours = services["api"]["environment"]
    database, broker = urlsplit(ours["WAYBILL_DATABASE_URL"]), urlsplit(ours["WAYBILL_AMQP_URL"])
    owner = urlsplit(services["migrate"]["environment"]["WAYBILL_DATABASE_URL"])
    storage, public = (
        urlsplit(ENV[f"WAYBILL_S3_{name}"]) for name in ("ENDPOINT_URL", "PUBLIC_ENDPOINT_URL")
    )
    assert {database.hostname, broker.hostname, storage.hostname} <= set(services)
    postgres, rabbitmq, account = (
        services[name]["environment"] for name in ("postgres", "rabbitmq", "store-account")
    )
    accounts = (DEPLOY / "postgres-accounts.sql").read_text()
    for url, name in ((database, "DATABASE_PASSWORD"), (owner, "DATABASE_OWNER_PASSWORD")):
        assert url.password == postgres[name]
        assert url.path == f"/{postgres['POSTGRES_DB']}"
        assert f"CREATE ROLE {url.username} LOGIN" in accounts
        assert url.username != postgres["POSTGRES_USER"]
    assert broker.username == rabbitmq["RABBITMQ_DEFAULT_USER"]
    assert broker.password == rabbitmq["RABBITMQ_DEFAULT_PASS"]
    assert ENV["WAYBILL_S3_ACCESS_KEY_ID"] != account["MINIO_ROOT_USER"]
    assert f"user add store {ENV['WAYBILL_S3_ACCESS_KEY_ID']} " in str(services["store-account"])
    assert ours["WAYBILL_S3_SECRET_ACCESS_KEY"] == account["STORE_SECRET_KEY"]
    (rights,) = json.loads((DEPLOY / "store-policy.json").read_text())["Statement"]
    bucket = f"arn:aws:s3:::{ENV['WAYBILL_S3_BUCKET']}"
    assert rights["Resource"] == [bucket, f"{bucket}/*"]
    assert f"127.0.0.1:{public.port}:{storage.port}" in services["minio"]["ports"]


def test_prometheus_finds_every_process_and_may_read_it(services):
    compose = yaml.safe_load(TEXT)
    found = yaml.safe_load((DEPLOY / "prometheus/prometheus.yaml").read_text())
    for job in found["scrape_configs"]:
        for target in job["dns_sd_configs"]:
            assert set(target["names"]) <= set(services)
    jobs = {job["job_name"]: job for job in found["scrape_configs"]}
    for name in ("waybill-api", "waybill-worker"):
        file = jobs[name]["authorization"]["credentials_file"]
        assert file.removeprefix("/run/secrets/") in services["prometheus"]["secrets"]
    assert compose["secrets"]["metrics_token"] == {"environment": "METRICS_TOKEN"}
    address = services["worker"]["environment"]["WAYBILL_WORKER_ADDRESS"]
    [target] = jobs["waybill-worker"]["dns_sd_configs"]
    assert address == f"0.0.0.0:{target['port']}"
    for service in ("prometheus", "grafana"):
        for volume in services[service]["volumes"]:
            source = volume.partition(":")[0]
            assert (DEPLOY / source).exists() or source in compose["volumes"]


def test_the_commands_of_the_services_exist(services):
    for name in ("api", "worker", "migrate"):
        command = services[name]["command"][0]
        assert run(environment(Path("unused"), "sqlite://"), command, "--help").returncode == 0


@pytest.fixture
def database_accounts(installation, postgres_server, drawn) -> tuple[str, str]:
    """The URLs of the two accounts in the installation's database: the owner's and the other."""
    url = make_url(installation.database)
    prefix = f"w{secrets.token_hex(4)}"
    script = (DEPLOY / "postgres-accounts.sql").read_text().replace("waybill", prefix)
    superuser = url.set(drivername="postgresql").render_as_string(hide_password=False)
    subprocess.run(
        ["psql", "--no-psqlrc", "-v", "ON_ERROR_STOP=1", superuser],
        input=script,
        env=os.environ | drawn,
        text=True,
        check=True,
    )
    owner, other = (
        url.set(drivername="postgresql", username=name, password=drawn[password])
        for name, password in (
            (f"{prefix}_owner", "DATABASE_OWNER_PASSWORD"),
            (prefix, "DATABASE_PASSWORD"),
        )
    )
    return owner.render_as_string(hide_password=False), other.render_as_string(hide_password=False)


@pytest.fixture
def broker_account(rabbitmq_server, rabbitmq_vhost, drawn) -> str:
    """The URL of an account with the rights of the configuration."""
    lines = (DEPLOY / "rabbitmq-account.conf").read_text().splitlines()
    rights = dict(line.split(" = ") for line in lines if not line.startswith("#"))
    assert rights["default_user_tags.administrator"] == "false"
    user = f"u{secrets.token_hex(4)}"
    rabbitmq_server.rabbitmqctl("add_user", user, drawn["BROKER_PASSWORD"])
    patterns = [rights[f"default_permissions.{name}"] for name in ("configure", "write", "read")]
    rabbitmq_server.rabbitmqctl("set_permissions", "-p", rabbitmq_vhost, user, *patterns)
    url = urlsplit(rabbitmq_server.url(rabbitmq_vhost))
    host = f"{user}:{drawn['BROKER_PASSWORD']}@{url.hostname}:{url.port}"
    return url._replace(netloc=host).geturl()


def test_r37_the_files_work_on_real_servers_with_the_least_accounts(
    installation, services, database_accounts, broker_account
):
    """The same files, the same three protocols: only addresses, names and secrets are ours."""
    ours = installation.env
    owner, other = database_accounts
    replaced = {
        "WAYBILL_DATABASE_URL": other,
        "WAYBILL_AMQP_URL": broker_account,
        "WAYBILL_S3_ENDPOINT_URL": ours["WAYBILL_S3_ENDPOINT_URL"],
        "WAYBILL_S3_PUBLIC_ENDPOINT_URL": ours["WAYBILL_S3_ENDPOINT_URL"],
        "WAYBILL_S3_BUCKET": ours["WAYBILL_S3_BUCKET"],
        "WAYBILL_S3_ACCESS_KEY_ID": ours["WAYBILL_S3_ACCESS_KEY_ID"],
        "WAYBILL_S3_SECRET_ACCESS_KEY": ours["WAYBILL_S3_SECRET_ACCESS_KEY"],
        "WAYBILL_HOME": str(installation.home),
    }
    clean = {k: v for k, v in ours.items() if not k.startswith(PREFIX)}
    env = clean | ENV | services["api"]["environment"] | replaced
    as_owner = env | {"WAYBILL_DATABASE_URL": owner}
    assert run(as_owner, "migrate").returncode == 0
    assert run(as_owner, "sample", "--orders", "500").returncode == 0
    before = run(env, "doctor")
    assert before.returncode == 1
    assert "BAD broker" in before.stdout
    assert run(env, "topology").returncode == 0
    after = run(env, "doctor")
    assert after.returncode == 0, after.stdout
    assert "this account may only add to it" in after.stdout
    with api(env, installation.log) as client, process(env, installation.log, "worker"):
        body = {"type": "orders", "format": "xlsx", "params": {}}
        task = ended(client, client.post("/api/export-tasks", json=body).json()["id"])
    assert (task["status"], task["rows"]) == ("SUCCESS", 500)
    engine = create_engine(other, schema=TableSchema(None))
    made = wait_for(AuditChain(engine).extend)
    engine.dispose()
    verified = run(env, "audit-log", "verify", "--head", made.head, "--json")
    assert verified.returncode == 0, verified.stderr
    found = json.loads(verified.stdout)
    assert (found["head"], found["uncovered"]) == (made.head, 0)
    assert found["entries"] >= 4
    with psycopg.connect(other, autocommit=True) as connection:
        connection.execute("SET search_path = waybill")
        for statement in (
            "TRUNCATE audit_log",
            "UPDATE audit_log SET actor = 'eve'",
            "DELETE FROM audit_log",
            "DELETE FROM audit_checkpoint",
            "ALTER TABLE audit_log DISABLE TRIGGER ALL",
            "DROP TABLE audit_log",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)
