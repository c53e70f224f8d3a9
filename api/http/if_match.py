"""Entity tags of what has a version, and the header ``If-Match``. (RFC 9110, 13.1.1.)"""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import Header

IfMatch = Annotated[
    str | None,
    Header(description="`ETag` of the version to change; 412 if there is a newer one."),
]

_TAG = re.compile(r'"([0-9]{1,18})"')


def tag_of(version: int) -> str:
    """The entity tag of a version."""
    return f'"{version}"'


def versions_of(if_match: str | None) -> list[int] | None:
    """The versions that the header allows; None for any. Tags that are not ours match nothing."""
    if if_match is None or if_match.strip() == "*":
        return None
    tags = (_TAG.fullmatch(tag.strip()) for tag in if_match.split(","))
    return [int(tag[1]) for tag in tags if tag]
