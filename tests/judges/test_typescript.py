"""Our OpenAPI document as TypeScript sees it: types made of it, and a program that uses them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.support.servers.task_api import running_api

_FOLDER = Path(__file__).parent / "typescript"
_TOOLS = _FOLDER / "node_modules" / ".bin"


def run(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    said = done.stdout + done.stderr
    assert done.returncode == 0, f"{said}\nIs it installed? Run tests/install-servers."
    return said


def test_a_program_against_the_generated_types_compiles(tmp_path: Path) -> None:
    document = tmp_path / "openapi.json"
    with running_api(f"sqlite:///{tmp_path}/tasks.db", tmp_path) as api:
        document.write_bytes(api.client().get("/openapi.json").content)
    run(_TOOLS / "openapi-typescript", document, "--output", tmp_path / "api.d.ts")
    program = shutil.copy(_FOLDER / "use.ts", tmp_path)
    run(_TOOLS / "tsc", "--strict", "--noEmit", "--skipLibCheck", "--lib", "es2022,dom", program)
