"""A shared file and the exported audit log, through the processes an operator starts."""

from __future__ import annotations

import csv
import hashlib

import httpx2
from sqlalchemy import make_url

from tests.support.processes import SECRET, api, ended, run
from waybill.api.session.development_tokens import mint
from waybill.infra.config.settings import load


def test_a_colleague_gets_the_file_and_the_secrets_stay_out_of_log_and_audit(
    installation, tmp_path
):
    # The rows are in a database of their own: the audit log must not be looked for there.
    rows = f"sqlite:///{tmp_path}/shop.db"
    env = installation.env | {
        "WAYBILL_SOURCE_URL": rows,
        "WAYBILL_PUBLIC_URL": "https://exports.example/",
    }
    assert make_url(installation.database).get_backend_name() == "postgresql"
    assert run(env, "sample", "--orders", "1000").returncode == 0
    settings = load(home=installation.home, jwt_secret=SECRET)

    def headers(user: str, *roles: str) -> dict[str, str]:
        token = mint(settings, user, "acme", frozenset(roles), settings.link_ttl)
        return {"Authorization": f"Bearer {token}"}

    bob, root = headers("bob", "sales"), headers("root", "admin")
    with api(env, installation.log) as client:
        asked = {"type": "orders", "format": "csv", "params": {}}
        task = ended(client, client.post("/api/export-tasks", json=asked).json()["id"])
        links = f"/api/export-tasks/{task['id']}/links"
        link = client.post(links, json={"max_uses": 1}).json()
        path = f"/d/{link['token']}"

        click = client.get(path, headers=bob)
        file = httpx2.get(click.headers["location"])
        used_up = client.get(path, headers=bob)
        client.get(path, headers={"Authorization": "Bearer nobody"})

        client.headers.update(root)
        audit = {"type": "waybill-audit", "format": "csv", "params": {"tenant": "acme"}}
        log = ended(client, client.post("/api/export-tasks", json=audit).json()["id"])
        log_url = client.get(
            f"/api/export-tasks/{log['id']}/download", headers={"Accept": "application/json"}
        ).json()["url"]
        log_file = httpx2.get(log_url)

    assert link["url"] == f"https://exports.example{path}"
    assert (click.status_code, used_up.status_code) == (302, 404)
    assert hashlib.sha256(file.content).hexdigest() == task["sha256"]
    assert log["status"] == "SUCCESS", log["last_error"]
    entries = list(csv.DictReader(log_file.content.decode("utf-8-sig").splitlines()))
    assert [(item["Actor"], item["Action"]) for item in entries if item["Action"] != "claim"] == [
        ("ann", "submit"),
        (entries[1]["Actor"], "finish"),
        # Polling until the end shows it.
        ("ann", "link_shown"),
        ("ann", "share"),
        ("bob", "follow_link"),
        ("root", "submit"),
    ]
    written = installation.log.read_text() + log_file.text
    secrets = [link["token"], bob["Authorization"], SECRET]
    secrets += [str(httpx2.URL(click.headers["location"]).params["X-Amz-Signature"])]
    assert [secret for secret in secrets if secret in written] == []
    assert "request refused" in written


def test_the_command_line_exports_the_audit_log_too(installation, tmp_path):
    env = installation.env | {"WAYBILL_SOURCE_URL": f"sqlite:///{tmp_path}/none.db"}
    assert run(env, "migrate").returncode == 0

    result = run(env, "export", "waybill-audit", "-o", str(tmp_path / "audit.csv"))

    assert result.returncode == 0, result.stderr
    assert (tmp_path / "audit.csv").read_text("utf-8-sig").startswith('"ID","At","Tenant"')
