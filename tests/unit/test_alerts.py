"""Alert rules and the dashboard: every metric they name exists, every alert has its section."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from waybill.infra.metrics.catalogue import CATALOGUE, Kind

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "infra/deploy"
RULES = [
    rule
    for group in yaml.safe_load((DEPLOY / "prometheus/alerts.yaml").read_text())["groups"]
    for rule in group["rules"]
]
DASHBOARD = json.loads((DEPLOY / "grafana/waybill.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
#: Of Prometheus itself, and of RabbitMQ's exporter.
FOREIGN = re.compile(r"up|rabbitmq_global_messages_dead_lettered_\w+_total")
SAMPLES = {
    metric.name + suffix: metric
    for metric in CATALOGUE
    for suffix in (("_bucket", "_sum", "_count") if metric.kind is Kind.HISTOGRAM else ("",))
}


def expressions(panel: dict[str, Any]) -> list[str]:
    return [target["expr"] for target in panel["targets"]]


def check(expression: str) -> None:
    """Every metric is in the catalogue, and every label is one of the metrics beside it."""
    named = set(re.findall(r"\b(?:waybill|rabbitmq)_\w+|\bup\b", expression))
    ours = {name for name in named if not FOREIGN.fullmatch(name)}
    assert named
    assert ours - set(SAMPLES) == set()
    for name, matchers in re.findall(r"\b(waybill_\w+)\{([^}]*)\}", expression):
        labels = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers))
        assert labels <= {*SAMPLES[name].labels, "job", "instance"}, name
    known = {label for name in ours for label in SAMPLES[name].labels} | {"le"}
    for labels in re.findall(r"\bby \(([^)]*)\)", expression):
        assert {label.strip() for label in labels.split(",")} <= known


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_names_metrics_that_exist_and_its_section_of_the_runbook(rule) -> None:
    check(rule["expr"])
    page, _, anchor = rule["annotations"]["runbook_url"].partition("#")
    headings = re.findall(r"^## (.+)$", (ROOT / page).read_text(), re.MULTILINE)
    assert (rule["alert"], anchor) == (rule["alert"], rule["alert"].lower())
    assert rule["alert"] in headings
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert rule["annotations"]["summary"].endswith(".")


def test_every_section_of_the_runbook_is_that_of_an_alert() -> None:
    headings = re.findall(r"^## (.+)$", (ROOT / "docs/alerts.md").read_text(), re.MULTILINE)
    assert headings == [rule["alert"] for rule in RULES]


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_a_panel_shows_metrics_that_exist(panel) -> None:
    for expression in expressions(panel):
        check(expression)
    assert panel["description"]
    assert panel["datasource"]["uid"] == "waybill"


def test_every_metric_is_on_the_dashboard() -> None:
    shown = " ".join(expression for panel in PANELS for expression in expressions(panel))
    bases = {metric.name for name, metric in SAMPLES.items() if re.search(rf"\b{name}\b", shown)}
    assert bases == {metric.name for metric in CATALOGUE}


def test_panels_have_ids_of_their_own_and_do_not_overlap() -> None:
    taken = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])
        }
        assert max(x for x, _ in cells) < 24
        assert not cells & taken
        taken |= cells
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
