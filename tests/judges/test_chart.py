"""Helm's own engine renders the chart, and the schemas of Kubernetes judge what comes out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import yaml

import waybill
from tests.support.eventually import wait_for
from tests.support.servers.task_api import TaskApi, ask
from waybill.infra.config.settings import PREFIX, Settings, environment_name
from waybill.infra.tasks.states import TaskStatus

# Their wheel holds a library of 85 MB, for the usual machines.
helm = pytest.importorskip("helm_python", reason="no wheel of Helm's engine for this machine")

CHART = Path(__file__).parents[2] / "infra/deploy/chart"
#: The oldest Kubernetes of the chart that has schemas, and the newest.
VERSIONS = ("1.25", "1.37")
VALUES: dict[str, Any] = {
    "image": {"repository": "registry.example/waybill"},
    "settings": {
        "WAYBILL_PUBLIC_URL": "https://exports.example.com",
        "WAYBILL_S3_ENDPOINT_URL": "https://s3.example.com",
    },
    "secrets": {
        name: {"name": "waybill", "key": name.lower()}
        for name in ("WAYBILL_DATABASE_URL", "WAYBILL_AMQP_URL", "WAYBILL_JWT_SECRET")
    },
    "migration": {"databaseUrl": {"name": "waybill", "key": "owner-database-url"}},
}
SCALED = VALUES | {
    "autoscaling": {"enabled": True, "connection": {"name": "waybill", "key": "scaler"}},
    "worker": {"queues": ["orders", "users"], "concurrency": 3},
}


def rendered(values: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    """What the chart makes, by kind and name."""
    with helm.Chart.load(str(CHART)) as chart:
        chart.validate_schema(values)
        texts = chart.render(values, name="demo", namespace="exports")
    documents = (
        document
        for name, text in texts.items()
        if name.endswith(".yaml")
        for document in yaml.safe_load_all(text)
        if document
    )
    return {(one["kind"], one["metadata"]["name"]): one for one in documents}


def pods(values: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        name.rpartition("-")[2]: one["spec"]["template"]["spec"]
        for (kind, name), one in rendered(values).items()
        if kind in ("Deployment", "Job")
    }


@pytest.mark.parametrize("values", [VALUES, SCALED], ids=["fixed", "scaled"])
@pytest.mark.parametrize("version", VERSIONS)
def test_helm_has_nothing_to_complain_about_and_kubernetes_takes_every_object(
    values: dict[str, Any], version: str
) -> None:
    import kubernetes_validate

    found = helm.lint(str(CHART), values)
    assert found["errors"] == []
    assert [one["error"] for one in found["messages"]] == ["icon is recommended"]
    for (kind, _), document in rendered(values).items():
        # KEDA's objects are its own: no schema of Kubernetes has them.
        if not document["apiVersion"].startswith("keda.sh/"):
            kubernetes_validate.validate(document, version, strict=True)
        else:
            assert kind in ("ScaledObject", "TriggerAuthentication")


@pytest.mark.parametrize(
    "wrong",
    [
        {"settings": {"WAYBILL_JWT_SECRET": "in plain sight"}},
        {"secrets": {"WAYBILL_JWT_SECRET": "in plain sight"}},
        {"image": {"repository": "r", "tag": "latest"}},
        {"worker": {"shutdownGraceSeconds": 5}},
        {"worker": {"queues": ["it's"]}},
        {"ingres": {}},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_values_that_are_wrong_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(helm.HelmError):
        rendered(VALUES | wrong)


@pytest.mark.parametrize("missing", ["image", "migration"])
def test_what_only_the_operator_knows_is_asked_for(missing: str) -> None:
    with pytest.raises(helm.HelmError, match=missing):
        rendered({name: value for name, value in VALUES.items() if name != missing})


def test_every_pod_is_locked_down_and_has_its_secrets_by_reference() -> None:
    known = {environment_name(field) for field in Settings.model_fields}
    assert set(pods(VALUES)) == {"api", "worker", "migrate"}
    for spec in pods(VALUES).values():
        assert spec["enableServiceLinks"] is False
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True
        [container] = spec["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert {place["mountPath"] for place in container["volumeMounts"]} == {
            "/tmp",  # noqa: S108
            "/var/lib/waybill",
        }
        assert container["image"] == f"registry.example/waybill:{waybill.__version__}"
        assert container["resources"]["limits"]["memory"]
        names = [item["name"] for item in container["env"]]
        assert len(names) == len(set(names))
        assert {name for name in names if name.startswith(PREFIX)} <= known
        for item in container["env"]:
            assert "valueFrom" in item or item["name"] not in VALUES["secrets"]


def test_a_worker_has_longer_to_end_than_its_exports_and_may_be_probed() -> None:
    spec = pods(VALUES)["worker"]
    [container] = spec["containers"]
    env = {item["name"]: item.get("value") for item in container["env"]}
    assert spec["terminationGracePeriodSeconds"] >= int(env["WAYBILL_SHUTDOWN_GRACE"]) + 60
    assert env["WAYBILL_WORKER_ADDRESS"] == "0.0.0.0:9100"
    assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "metrics"}
    assert container["ports"] == [{"name": "metrics", "containerPort": 9100}]
    made = rendered(VALUES)
    assert made["PodDisruptionBudget", "demo-waybill-worker"]["spec"]["maxUnavailable"] == 1


def test_the_migration_runs_before_the_release_as_the_owner_of_the_tables() -> None:
    job = rendered(VALUES)["Job", "demo-waybill-migrate"]
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    [container] = job["spec"]["template"]["spec"]["containers"]
    assert container["args"] == ["migrate"]
    [url] = [item for item in container["env"] if item["name"] == "WAYBILL_DATABASE_URL"]
    assert url["valueFrom"]["secretKeyRef"]["key"] == "owner-database-url"


def test_the_ingress_ends_tls_and_holds_no_stream_back() -> None:
    ingress = rendered(VALUES)["Ingress", "demo-waybill"]
    assert ingress["spec"]["tls"] == [
        {"hosts": ["exports.example.com"], "secretName": "waybill-tls"}
    ]
    annotations = ingress["metadata"]["annotations"]
    assert annotations["nginx.ingress.kubernetes.io/proxy-buffering"] == "off"
    made = rendered(VALUES)
    policy = made["NetworkPolicy", "demo-waybill-egress"]["spec"]
    [block] = [to["ipBlock"] for rule in policy["egress"] for to in rule.get("to", [])]
    assert block["except"] == ["169.254.0.0/16"]


def test_the_chart_is_of_this_version() -> None:
    about = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert (about["appVersion"], about["version"]) == (waybill.__version__,) * 2


def test_workers_are_scaled_by_what_waits_and_runs(api: TaskApi) -> None:
    scaled = rendered(SCALED)["ScaledObject", "demo-waybill-worker"]["spec"]
    assert "replicas" not in rendered(SCALED)["Deployment", "demo-waybill-worker"]["spec"]
    # Workers publish, clean up and run schedules as well: one stays.
    assert scaled["minReplicaCount"] >= 1
    [trigger] = scaled["triggers"]
    assert (trigger["type"], trigger["metadata"]["targetQueryValue"]) == ("postgresql", "3")
    query = trigger["metadata"]["query"]
    if api.engine.dialect.name != "postgresql":
        query = query.replace("waybill.", "")

    def wanted() -> int:
        with api.engine.connect() as connection:
            return int(connection.execute(sa.text(query)).scalar_one())

    before = wanted()
    waiting, running, done = (ask(api.person(), params={"at_least": n}) for n in (1, 2, 3))
    assert wanted() == before + 3
    api.begin(running)
    api.finish(done)
    assert wanted() == before + 2
    assert waiting["status"] == TaskStatus.PENDING
    assert wait_for(lambda: wanted() == before + 2)
