"""The compose file and its environment: valid, consistent, and true on real servers."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from dotenv import dotenv_values

from tests.support.processes import api, ended, environment, process, run
from waybill.infra.config.settings import PREFIX, Settings

DEPLOY = Path(__file__).parents[2] / "infra" / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
ENV = {name: value or "" for name, value in dotenv_values(DEPLOY / "waybill.env").items()}


def test_every_setting_of_the_environment_file_exists():
    assert {name.removeprefix(PREFIX).lower() for name in ENV} <= set(Settings.model_fields)


@pytest.mark.parametrize("name", ["api", "worker"])
def test_our_services_share_one_environment_and_wait_for_their_servers(name):
    service = COMPOSE["services"][name]
    assert (DEPLOY / service["env_file"]).is_file()
    assert (DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]).is_file()
    for dependency, condition in service["depends_on"].items():
        assert condition == {"condition": "service_healthy"}
        assert COMPOSE["services"][dependency]["healthcheck"]["test"]


def test_addresses_and_secrets_of_the_two_files_agree():
    services = COMPOSE["services"]
    database, broker = urlsplit(ENV["WAYBILL_DATABASE_URL"]), urlsplit(ENV["WAYBILL_AMQP_URL"])
    storage, public = (
        urlsplit(ENV[f"WAYBILL_S3_{name}"]) for name in ("ENDPOINT_URL", "PUBLIC_ENDPOINT_URL")
    )
    assert {database.hostname, broker.hostname, storage.hostname} <= set(services)
    postgres, rabbitmq, minio = (
        services[name]["environment"] for name in ("postgres", "rabbitmq", "minio")
    )
    assert database.username == postgres["POSTGRES_USER"]
    assert database.password == postgres["POSTGRES_PASSWORD"]
    assert database.path == f"/{postgres['POSTGRES_DB']}"
    assert broker.username == rabbitmq["RABBITMQ_DEFAULT_USER"]
    assert broker.password == rabbitmq["RABBITMQ_DEFAULT_PASS"]
    assert ENV["WAYBILL_S3_ACCESS_KEY_ID"] == minio["MINIO_ROOT_USER"]
    assert ENV["WAYBILL_S3_SECRET_ACCESS_KEY"] == minio["MINIO_ROOT_PASSWORD"]
    assert f"{public.port}:{storage.port}" in services["minio"]["ports"]


def test_the_commands_of_the_services_exist():
    for name in ("api", "worker"):
        command = COMPOSE["services"][name]["command"][0]
        assert run(environment(Path("unused"), "sqlite://"), command, "--help").returncode == 0


def test_the_environment_file_works_on_real_servers(installation, rabbitmq_url):
    """The same file, the same three protocols: only addresses, names and secrets are ours."""
    ours = installation.env
    replaced = {
        "WAYBILL_DATABASE_URL": ours["WAYBILL_DATABASE_URL"],
        "WAYBILL_AMQP_URL": rabbitmq_url,
        "WAYBILL_S3_ENDPOINT_URL": ours["WAYBILL_S3_ENDPOINT_URL"],
        "WAYBILL_S3_PUBLIC_ENDPOINT_URL": ours["WAYBILL_S3_ENDPOINT_URL"],
        "WAYBILL_S3_BUCKET": ours["WAYBILL_S3_BUCKET"],
        "WAYBILL_S3_ACCESS_KEY_ID": ours["WAYBILL_S3_ACCESS_KEY_ID"],
        "WAYBILL_S3_SECRET_ACCESS_KEY": ours["WAYBILL_S3_SECRET_ACCESS_KEY"],
        "WAYBILL_HOME": str(installation.home),
    }
    env = {k: v for k, v in ours.items() if not k.startswith(PREFIX)} | ENV | replaced
    assert run(env, "sample", "--orders", "500").returncode == 0
    before = run(env, "doctor")
    assert before.returncode == 1
    assert "BAD broker" in before.stdout
    assert run(env, "topology").returncode == 0
    after = run(env, "doctor")
    assert after.returncode == 0, after.stdout
    with api(env, installation.log) as client, process(env, installation.log, "worker"):
        body = {"type": "orders", "format": "xlsx", "params": {}}
        task = ended(client, client.post("/api/export-tasks", json=body).json()["id"])
    assert (task["status"], task["rows"]) == ("SUCCESS", 500)
