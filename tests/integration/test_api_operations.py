"""What operators and generators of clients ask: health, figures, the OpenAPI document."""

from __future__ import annotations

from pathlib import Path

from openapi_spec_validator import validate
from prometheus_client.parser import text_string_to_metric_families

import waybill
from tests.support.servers.task_api import TASKS, TaskApi, ask, running_api
from waybill.infra.config.errors import DatabaseUnavailable


def test_a_process_that_answers_is_live(api: TaskApi) -> None:
    answer = api.client().get("/healthz")

    alive = {"status": "ok", "version": waybill.__version__, "failures": {}}
    assert (answer.status_code, answer.json()) == (200, alive)


def test_a_process_whose_checks_pass_is_ready(tmp_path: Path) -> None:
    with running_api(
        f"sqlite:///{tmp_path}/tasks.db", tmp_path, checks={"database": lambda: None}
    ) as api:
        assert api.client().get("/readyz").json() == {"status": "ok", "failures": {}}


def test_what_is_not_ready_is_named_and_keeps_its_secrets(tmp_path: Path) -> None:
    def refuse() -> None:
        raise DatabaseUnavailable()

    def stumble() -> None:
        raise RuntimeError("postgresql://u:hunter2@db")

    checks = {"fine": lambda: None, "database": refuse, "broker": stumble}
    with running_api(f"sqlite:///{tmp_path}/tasks.db", tmp_path, checks=checks) as api:
        answer = api.client().get("/readyz")

    assert answer.status_code == 503
    assert answer.json() == {
        "status": "unavailable",
        "failures": {
            "database": "The task database cannot be reached.",
            "broker": "The check failed.",
        },
    }


def test_figures_count_tasks_by_status(api: TaskApi) -> None:
    def waiting() -> float:
        families = text_string_to_metric_families(api.client().get("/metrics").text)
        [family] = [item for item in families if item.name == "waybill_tasks"]
        samples = {sample.labels["status"]: sample.value for sample in family.samples}
        assert set(samples) == {
            "PENDING", "PROCESSING", "SUCCESS", "FAILED", "CANCELLED", "EXPIRED"
        }  # fmt: skip
        return samples["PENDING"]

    before = waiting()
    ask(api.person())

    assert waiting() == before + 1


def test_the_openapi_document_is_valid_and_shows_examples_and_problems(api: TaskApi) -> None:
    document = api.client().get("/openapi.json").json()

    validate(document)
    submit = document["paths"][TASKS]["post"]
    assert "application/problem+json" in submit["responses"]["422"]["content"]
    schemas = document["components"]["schemas"]
    assert schemas["ExportRequest"]["example"]["type"] == "orders"
    assert schemas["TaskBody"]["example"]["status"] == "SUCCESS"
    assert {"HTTPBearer", "APIKeyCookie"} <= set(document["components"]["securitySchemes"])
    assert "FieldError" in schemas
    assert "HTTPValidationError" not in schemas
