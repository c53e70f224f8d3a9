"""The pictures of the architecture page are those of today's imports."""

from __future__ import annotations

from tests.support.import_graph import PAGE, with_pictures


def test_the_pictures_show_the_imports_as_they_are() -> None:
    page = PAGE.read_text()
    assert page == with_pictures(page), "run `make docs`"
