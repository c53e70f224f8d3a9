"""Prometheus's own tool judges the alert rules, the dashboard's queries and the metrics' text."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import yaml

from tests.support.servers.task_api import TaskApi, ask, running_api

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "infra/deploy"


def promtool(*arguments: str | Path, text: str | None = None) -> str:
    done = subprocess.run(
        ["promtool", *arguments], input=text, capture_output=True, text=True, check=False
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, f"{said}\nIs it installed? Run tests/install-servers."
    return said


def test_the_configuration_is_valid_and_each_alert_fires_on_what_it_is_for() -> None:
    promtool("check", "config", "--syntax-only", DEPLOY / "prometheus/prometheus.yaml")
    promtool("check", "rules", DEPLOY / "prometheus/alerts.yaml")
    tests = ROOT / "tests/judges/alerts.test.yaml"
    promtool("test", "rules", tests)
    rules = re.findall(r"- alert: (\w+)", (DEPLOY / "prometheus/alerts.yaml").read_text())
    for case in yaml.safe_load(tests.read_text())["tests"]:
        assert [one["alertname"] for one in case["alert_rule_test"]] == rules


def test_the_queries_of_the_dashboard_are_promql(tmp_path: Path) -> None:
    dashboard = json.loads((DEPLOY / "grafana/waybill.json").read_text())
    queries = [
        re.sub(r"\$\w+", ".*", target["expr"])
        for panel in dashboard["panels"]
        for target in panel.get("targets", [])
    ]
    rules = [{"record": f"query:{n}", "expr": query} for n, query in enumerate(queries)]
    file = tmp_path / "queries.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    assert f"{len(queries)} rules found" in promtool("check", "rules", file)


def test_the_text_of_metrics_has_nothing_to_complain_about(tmp_path: Path) -> None:
    with running_api(f"sqlite:///{tmp_path}/tasks.db", tmp_path) as api:
        finish_one(api)
        text = api.client().get("/metrics").text
    assert "waybill_exports_accepted_total{" in text
    assert promtool("check", "metrics", text=text) == ""


def finish_one(api: TaskApi) -> None:
    api.finish(ask(api.person()))
