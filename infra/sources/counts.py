"""Queries that give other rows each time they run: for those a count proves nothing.

Where a database tells beforehand, such a query is exported uncounted, and the task says so. Where
only the outcome tells, the count is repeated in the same snapshot: if that differs from itself,
the query is at fault, and otherwise rows were lost on their way.
"""

from __future__ import annotations

from collections.abc import Callable

from waybill.infra.sources.errors import SourceRejected
from waybill.infra.sources.statements import STANDARD, SYNTAXES, words

#: Functions whose value is another one for each call, by SQLAlchemy's name of the database.
#: PostgreSQL knows its own better: see `waybill.infra.sources.postgres.volatile`.
_RANDOM = {
    "sqlite": frozenset({"random", "randomblob"}),
    "mysql": frozenset({"rand", "uuid", "uuid_short", "random_bytes"}),
    "duckdb": frozenset({"random", "uuid", "gen_random_uuid", "uuidv4", "uuidv7"}),
}
_RANDOM["mariadb"] = _RANDOM["mysql"]

#: Two counts of a query with chance in it may agree by chance.
_RECOUNTS = 3


def names_chance(statement: str, backend: str) -> bool:
    """Whether `statement` calls a function of the database's that gives chance values."""
    calls = words(statement, SYNTAXES.get(backend, STANDARD))
    random = _RANDOM.get(backend, frozenset())
    return any(word in random and behind == "(" for word, behind in calls)


def check_count(expected: int | None, read: int, recount: Callable[[], int]) -> None:
    """Find out whether the query is why `expected` and `read` differ. Silent if it is not.

    Raises:
        SourceRejected: the same snapshot gives several numbers of rows.
    """
    if expected in {None, read}:
        return
    if any(recount() != expected for _ in range(_RECOUNTS)):
        raise SourceRejected(
            "This query gives other rows each time it runs, so no export of it can be complete."
            " Leave random and volatile functions out of its conditions, or save its rows in a"
            " table and export that."
        )
