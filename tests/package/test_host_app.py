"""An application with `api/`, `infra/`, Alembic and `notification` of its own uses our wheel."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import psycopg
from sqlalchemy.engine import make_url

HOST = Path(__file__).parents[1] / "host_app"


def test_a_host_migrates_and_submits_beside_its_own_tables(
    python: Path, postgres_url: str, tmp_path: Path
) -> None:
    # Not the account called `waybill`, in whose search path our schema would be.
    url = make_url(postgres_url)
    plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as database:
        database.execute(f"ALTER DATABASE {url.database} SET search_path = public")
        done = subprocess.run(
            [python, "main.py"],
            cwd=HOST,
            env={
                **{k: v for k, v in os.environ.items() if not k.startswith("WAYBILL_")},
                "DATABASE_URL": postgres_url,
                "PYTHONDONTWRITEBYTECODE": "1",
                "WAYBILL_DATABASE_URL": postgres_url,
                "WAYBILL_DATASETS": "api.exports",
                "WAYBILL_HOME": str(tmp_path),
                "WAYBILL_S3_ENDPOINT_URL": "http://127.0.0.1:9",
                "WAYBILL_S3_ACCESS_KEY_ID": "x",
                "WAYBILL_S3_SECRET_ACCESS_KEY": "x",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        made = json.loads(done.stdout.splitlines()[-1])
        assert str(HOST.parents[1]) not in made["waybill"]

        def rows(query: str) -> list[str]:
            return [str(row[0]) for row in database.execute(query)]

        assert rows("SELECT id FROM waybill.export_task") == [made["kept"]]
        assert rows("SELECT task_id FROM waybill.outbox") == [made["kept"]]
        assert rows("SELECT company FROM public.invoices") == ["acme"]
        assert rows("SELECT words FROM public.notification") == ["ours"]
        assert rows("SELECT version_num FROM public.alembic_version") == ["a1b2c3d4e5f6"]
