"""Static files of the pages, under an address that changes with their content.

Browsers may cache them forever and still never combine an old script with a new page.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from fastapi import FastAPI
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

_FOLDER = Path(__file__).parent / "static"


def mount_static(app: FastAPI) -> str:
    """Serve the files, and return their base address."""
    address = f"/static/{_digest()}"
    app.mount(address, _Immutable(directory=_FOLDER), name="static")
    return address


class _Immutable(StaticFiles):
    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response


def _digest() -> str:
    content = hashlib.sha256()
    for path in sorted(_FOLDER.iterdir()):
        content.update(path.name.encode() + b"\0" + path.read_bytes())
    return content.hexdigest()[:12]
