"""``/embed/waybill-export.js``: the script of the `<waybill-export>` button."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse

from waybill.api.embed.cors import SCRIPT_PATH

router = APIRouter(include_in_schema=False)

_SCRIPT = Path(__file__).parent / "waybill-export.js"
#: Pages name it by one address, so it cannot change with its content. Short, since both are ours.
_HEADERS = {"Cache-Control": "public, max-age=300"}


@router.get(SCRIPT_PATH)
async def script() -> FileResponse:
    """The script, which needs nothing else."""
    return FileResponse(_SCRIPT, media_type="text/javascript", headers=_HEADERS)
