"""Where a login continues: pages and files of our own, and never an address of another site."""

from __future__ import annotations

import re

from waybill.api.links.pages import file_address

#: The pages. Their queries fill in forms and filters.
_PAGE = re.compile(r"/(admin(/[a-z-]+){0,3}|docs)?(\?[!#-;=?-\[\]_a-z~]*)?")
_MAX_CHARS = 2000


def own_path(text: str) -> str:
    """`text` if it is the path of a page or a file of ours, else an empty string.

    A redirect to it stays on this host: it begins with one slash, and has no backslash and no
    control character, which browsers turn into a second one or drop.
    """
    if len(text) > _MAX_CHARS:
        return ""
    return file_address(text) or (text if _PAGE.fullmatch(text) else "")
