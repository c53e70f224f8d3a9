"""The client in an environment that has nothing else, against `waybill serve`."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import api, environment, run
from waybill.storage.config import S3Config

BLOCKING = """
import importlib.metadata, json, sys
from waybill.client import ExportFailed, Waybill

url, token, folder = sys.argv[1:]
states = []
with Waybill(url, token) as waybill:
    task = waybill.submit(
        "orders", format="csv", params={"status": "paid"}, filename="paid",
        columns=["id", {"name": "city", "label": "Town"}], sort=["-id"],
        timezone="Europe/Berlin", lang="zh", csv={"profile": "machine"},
    )
    done = waybill.wait(task.id, on_change=lambda seen: states.append(seen.status))
    file = waybill.download(task.id, folder)
    followed = [seen.status for seen in waybill.follow(task.id)]
"""
ASYNC = """
import asyncio, importlib.metadata, json, sys
from waybill.client import AsyncWaybill

url, token, folder = sys.argv[1:]
states = []

async def main():
    async with AsyncWaybill(url, token) as waybill:
        task = await waybill.submit(
            "orders", format="csv", params={"status": "new"}, filename="new",
            columns=["id", {"name": "city", "label": "Town"}], sort=["-id"],
            timezone="Europe/Berlin", lang="zh", csv={"profile": "machine"},
        )
        done = await waybill.wait(task.id, on_change=lambda seen: states.append(seen.status))
        file = await waybill.download(task.id, folder)
        return done, file, [seen.status async for seen in waybill.follow(task.id)]

done, file, followed = asyncio.run(main())
"""
REPORT = """
print(json.dumps({
    "states": states, "followed": followed, "rows": done.rows, "name": file.name,
    "chosen": [done.sort, done.timezone, done.lang, done.csv["profile"]],
    "lines": file.read_text().splitlines(),
    "installed": sorted(item.name.lower() for item in importlib.metadata.distributions()),
}))
"""


@pytest.fixture(scope="module")
def served(
    python: Path, s3_config: S3Config, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, str]]:
    """Address and token of `waybill serve` of the wheel, with the sample shop."""
    home = tmp_path_factory.mktemp("served")
    env = environment(home, f"sqlite:///{home}/tasks.db", s3_config)
    assert run(env, "sample", "--orders", "200").returncode == 0
    with api(env, home / "log", command=(python, "-m", "waybill")) as client:
        yield str(client.base_url), client.headers["Authorization"].partition(" ")[2]


@pytest.mark.parametrize(("program", "name"), [(BLOCKING, "paid.csv"), (ASYNC, "new.csv")])
def test_from_submit_to_the_file_with_the_client_alone(
    client_python: Path, served: tuple[str, str], tmp_path: Path, program: str, name: str
) -> None:
    done = subprocess.run(
        # Isolated: neither this folder nor a variable leads to the server's packages.
        [client_python, "-I", "-c", program + REPORT, *served, tmp_path],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    assert (made["states"][-1], made["followed"], made["name"]) == ("SUCCESS", ["SUCCESS"], name)
    assert made["chosen"] == [
        [{"column": "id", "descending": True}], "Europe/Berlin", "zh", "machine"
    ]  # fmt: skip
    heading, *rows = made["lines"]
    assert [text.strip('"') for text in heading.split(",")] == ["编号", "Town"]
    assert len(rows) == made["rows"] > 1
    ids = [int(row.split(",")[0]) for row in rows]
    assert ids == sorted(ids, reverse=True)
    assert not {"fastapi", "sqlalchemy", "pyarrow", "boto3", "pip"} & set(made["installed"])
