"""The how-to pages work: each command in a fence of `sh` runs, in the order of its page.

What `tests/support/tutorial.py` calls `console` is shown there and not run: it needs Docker, a
package index or another company's server. Its `waybill` commands are checked by
`tests/unit/test_docs_commands.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.servers.ports import free_ports
from tests.support.tutorial import Step, fences, program, run

ROOT = Path(__file__).parents[2]
#: Much longer than it takes on a busy machine.
_SECONDS = 500.0

_START = f"""\
export PATH="{ROOT}/.venv/bin:$PATH" WAYBILL_DATASETS="$HOME/guides.py" WAYBILL_RETRY_DELAYS=0.1,0.1
cd "$HOME"
cat >guides.py <<'END'
import sqlalchemy as sa
from waybill import dataset
from waybill.infra.sample.datasets import *

@dataset("broken")
def broken(params, user):
    raise RuntimeError("always")
END
ids() {{
  waybill "$@" --json |
    python -c 'import json, sys; [print(item["id"]) for item in json.load(sys.stdin)]'
}}
first() {{ ids "$@" | sed -n 1p; }}
ask() {{
  curl -sf http://127.0.0.1:8000/api/export-tasks -H "Authorization: Bearer $TOKEN" \\
    -H 'Content-Type: application/json' -H "Prefer: wait=${{2:-20}}" \\
    -d "{{\\"type\\": \\"$1\\", \\"format\\": \\"csv\\"}}"
}}
waybill sample --orders 200
waybill serve
TOKEN=$(waybill token --user ann --tenant acme --role sales)
"""
_EMBEDDING = """\
cp "$REPOSITORY/docs/examples/shop_exports.py" .
python - <<'END'
import sqlite3
shop = sqlite3.connect("closings.db")
shop.execute("CREATE TABLE closings (id INTEGER PRIMARY KEY, tenant TEXT, month TEXT)")
shop.execute("INSERT INTO closings VALUES (1, 'acme', '2026-11'), (2, 'other', '2026-11')")
shop.commit()
END
KEPT=$WAYBILL_DATASETS
"""
_SOURCES = """\
export WAYBILL_DATASETS=$KEPT
unset WAYBILL_SOURCE_URL
mkdir -p lake/orders/2026
python - <<'END'
import duckdb
shop = duckdb.connect("shop.duckdb")
shop.execute("CREATE TABLE orders AS SELECT range AS id, 'Rome' AS city, 2 AS total FROM range(9)")
shop.execute("COPY orders TO 'lake/orders.parquet'")
shop.execute("COPY orders TO 'lake/orders/2026/orders.parquet'")
END
"""
_OPERATIONS = """\
ask broken >/dev/null
ask broken >/dev/null
# A letter is stored just after its export has failed.
until LETTERS=($(ids dead-letters list)); [ ${#LETTERS[@]} = 2 ]; do sleep 0.2; done
LETTER=${LETTERS[0]} OTHER=${LETTERS[1]}
waybill pauses add --queue users --note "So that an export waits."
ask users 1 >/dev/null
WAITING=$(first tasks list --status PENDING)
python - <<'END'
from waybill.infra.bootstrap import Stack
from waybill.infra.config.settings import load
from waybill.infra.tasks.audit_chain import AuditChain
with Stack(load()) as stack:
    AuditChain(stack.engine).extend()
END
HEAD=$(waybill audit-log verify | sed 's/.*Head: //')
"""


@dataclass(frozen=True)
class Guide:
    """A page, what its reader has by then, and what stands on it for names of the reader's own."""

    page: str
    before: str = ""
    replaced: dict[str, str] = field(default_factory=dict)

    def commands(self) -> list[str]:
        text = (ROOT / self.page).read_text()
        return [body for language, title, body in fences(text) if language == "sh" and not title]

    def steps(self) -> list[Step]:
        found = [Step(self.before), *map(Step, self.commands())]
        for theirs, ours in self.replaced.items():
            assert any(theirs in step.commands for step in found[1:]), theirs
            for step in found[1:]:
                step.commands = step.commands.replace(theirs, ours)
        return found


GUIDES = [
    Guide("README.md", _START, {".venv/bin/": "", "<id>": "$(first tasks list)"}),
    Guide("docs/columns.md"),
    Guide("docs/formats.md"),
    Guide(
        "docs/embedding.md", _EMBEDDING, {"postgresql://localhost/shop": "sqlite:///closings.db"}
    ),
    Guide("docs/sources.md", _SOURCES, {"/data/lake": "LAKE"}),
    Guide(
        "docs/operations.md",
        _OPERATIONS,
        {
            "letters show 17": 'letters show "$LETTER"',
            "replay 17 ": 'replay "$LETTER" ',
            "dismiss 18": 'dismiss "$OTHER"',
            "0b5b0c8e-…": '"$WAITING"',
            "17:5f2c…": '"$HEAD"',
            "6fd1…": "6fd1",
        },
    ),
]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_command_of_the_guides_works(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    steps = [step for guide in GUIDES for step in guide.steps()]
    script = program(steps, {"LAKE": str(tmp_path / "lake")}, port)

    printed = run(f"REPOSITORY={ROOT}\n{script}", ROOT, tmp_path, _SECONDS)

    assert len(printed) == len(steps)
    assert {path.name for path in tmp_path.glob("*.xlsx")} == {"orders.xlsx", "closing.xlsx"}
    said = "".join(printed)
    assert "HTTP/1.1 202" in said
    assert "are unchanged" in said


def test_no_page_with_commands_is_left_out() -> None:
    others = {"docs/tutorial.md", "docs/tutorial.zh-CN.md", "README.zh-CN.md"}
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]
    with_commands = {
        str(page.relative_to(ROOT)) for page in pages if "```sh\n" in page.read_text()
    } - others
    assert with_commands == {guide.page for guide in GUIDES}
