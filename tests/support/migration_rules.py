"""What a migration may not do to an installation that runs, by the SQL it has for PostgreSQL."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from io import StringIO

from alembic.migration import MigrationContext
from alembic.operations import Operations

#: A default that PostgreSQL keeps in its catalogue instead of writing it into every row.
_CONSTANT = re.compile(r"DEFAULT ('[^']*'|-?\d+(\.\d+)?|true|false|NULL)( |$)", re.IGNORECASE)
_CREATED = re.compile(r"^CREATE TABLE (\w+)")
_INDEX = re.compile(r"^CREATE (?:UNIQUE )?INDEX (CONCURRENTLY )?\w+ ON (\w+)")
_CHANGED = re.compile(r"^(?:ALTER TABLE|CREATE TRIGGER .* ON|DROP TRIGGER .* ON) (\w+)")
#: Rewrites or reads every row while it holds a lock, or takes away what the version before needs.
_REFUSED = {
    r"^ALTER TABLE \w+ (DROP|RENAME)": "takes away",
    r"^ALTER TABLE \w+ ALTER COLUMN \w+ (TYPE|SET NOT NULL|DROP DEFAULT)": "changes a column",
    r"^DROP (TABLE|VIEW)": "takes away",
    r"^DROP INDEX (?!CONCURRENTLY)": "drops an index without CONCURRENTLY",
    r"^(UPDATE|DELETE|TRUNCATE)\b": "changes rows",
    r"^(VACUUM|CLUSTER|REINDEX|LOCK)\b": "locks a table",
}


def statements_of(upgrade: Callable[[], None]) -> list[str]:
    """The statements of a migration on PostgreSQL, each on one line."""
    output = StringIO()
    options = {"as_sql": True, "output_buffer": output}
    with Operations.context(MigrationContext.configure(dialect_name="postgresql", opts=options)):
        upgrade()
    lines = (" ".join(text.split()) for text in output.getvalue().split(";\n\n"))
    return [line for line in lines if line]


def broken_rules(upgrade: Callable[[], None], *, online: bool = False) -> list[str]:
    """What is wrong with a migration, one line each. `online`: it runs outside a transaction."""
    return list(_broken(statements_of(upgrade), online))


def _broken(statements: list[str], online: bool) -> Iterator[str]:
    created = {match[1] for line in statements if (match := _CREATED.match(line))}
    changed = {
        match[1]
        for line in statements
        if (match := _CHANGED.match(line)) and match[1] not in created
    }
    if len(changed) > 1:
        yield f"locks several tables at once: {', '.join(sorted(changed))}"
    for line in statements:
        concurrent = " INDEX CONCURRENTLY " in line
        if concurrent != online:
            yield f"has `online` without being only CONCURRENTLY, or is that without it: {line}"
        if (index := _INDEX.match(line)) and index[2] not in created and not concurrent:
            yield f"builds an index without CONCURRENTLY: {line}"
        yield from (f"{what}: {line}" for rule, what in _REFUSED.items() if re.match(rule, line))
        if (match := _CHANGED.match(line)) and match[1] in changed:
            yield from _broken_change(line)


def _broken_change(line: str) -> Iterator[str]:
    """What is wrong with a change of a table that has rows."""
    if " ADD COLUMN " in line:
        constant = bool(_CONSTANT.search(line))
        if not constant and re.search(r"\b(DEFAULT|SERIAL|BIGSERIAL|GENERATED)\b", line):
            yield f"writes a value into every row: {line}"
        if " NOT NULL" in line and not constant:
            yield f"adds a column that the version before does not fill: {line}"
        if re.search(r"\b(UNIQUE|PRIMARY KEY|REFERENCES|CHECK)\b", line):
            yield f"checks every row: {line}"
    if " ADD CONSTRAINT " in line and not re.search(r"NOT VALID|USING INDEX", line):
        yield f"checks every row: {line}"
