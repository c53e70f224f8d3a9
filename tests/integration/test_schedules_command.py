"""`waybill schedules`: an operator lists, pauses, runs and deletes what people have scheduled."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.support.processes import run
from tests.support.servers.task_api import SECRET, running_api

pytestmark = pytest.mark.slow


def test_an_operator_works_on_the_schedules_of_all_tenants(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/tasks.db"
    env = {
        "WAYBILL_HOME": str(tmp_path),
        "WAYBILL_DATABASE_URL": url,
        "WAYBILL_JWT_SECRET": SECRET,
        "WAYBILL_S3_ENDPOINT_URL": "http://127.0.0.1:9",
        "WAYBILL_S3_ACCESS_KEY_ID": "key",
        "WAYBILL_S3_SECRET_ACCESS_KEY": "secret",
        "PATH": "/usr/bin:/bin",
    }

    def waybill(*arguments: str, code: int = 0) -> Any:
        done = run(env, "schedules", *arguments, "--json")
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout) if code == 0 else done.stderr

    with running_api(url, tmp_path) as api:
        tenant = api.tenant()
        ana = api.person(tenant)
        request = {"type": "orders", "format": "xlsx", "params": {}}
        saved = ana.post("/api/saved-exports", json={"name": "All", "request": request}).json()
        plan = {
            "saved_export_id": saved["id"],
            "cron": "every Monday 08:00",
            "timezone": "Europe/Berlin",
            "notify": {"email": "team@acme.example"},
        }
        made = ana.post("/api/schedules", json=plan).json()["id"]

        [listed] = waybill("list")
        assert (listed["tenant"], listed["owner"], listed["state"]) == (tenant, "ana", "active")
        assert (listed["cron"], listed["words"]) == ("0 8 * * 1", "Every Monday at 08:00")
        assert waybill("list", "--tenant", "nobody") == []
        assert len(waybill("show", made)["next_runs"]) == 5
        assert "acme.example" not in json.dumps(listed)

        assert waybill("pause", made)["state"] == "paused"
        assert waybill("resume", made)["state"] == "active"
        # The datasets of the command are those of the sample shop, which has orders as well.
        task = waybill("run", made)["task_id"]
        assert ana.get(f"/api/export-tasks/{task}").json()["created_by"] == "ana"
        busy = waybill("run", made, code=2)
        assert busy == "waybill: The last run of this schedule is still under way.\n"

        assert waybill("delete", made) == {"schedule_id": made, "deleted": True}
        gone = waybill("show", made, code=2)
        assert gone == waybill("pause", str(uuid4()), code=2)
        assert gone == "waybill: There is no such schedule.\n"
        assert ana.get("/api/schedules").json()["items"] == []
