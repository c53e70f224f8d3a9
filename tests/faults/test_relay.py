"""The relay between a committed wake-up and a broker that does not confirm (G2)."""

from __future__ import annotations

from tests.support.guarded import only_confirms_mark


async def test_g2_only_a_confirm_marks_a_wake_up_and_until_then_it_is_sent_again(sqlite_engine):
    await only_confirms_mark(sqlite_engine)
