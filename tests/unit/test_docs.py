"""The documents say what is there: commands, settings, links, decisions, file sizes."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import typer

from waybill.api.cli.main import COMMANDS, app
from waybill.api.explanations.document import document
from waybill.infra.config.table import settings_table
from waybill.infra.metrics.reference import metrics_page

ROOT = Path(__file__).parents[2]
TRACKED = subprocess.run(
    ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
    cwd=ROOT,
    capture_output=True,
    text=True,
    check=True,
).stdout.split()
PAGES = [ROOT / name for name in TRACKED if name.endswith(".md") and (ROOT / name).is_file()]
SOURCES = [ROOT / name for name in TRACKED if name.endswith(".py") and (ROOT / name).is_file()]
README = (ROOT / "README.md").read_text()


def test_the_settings_page_is_the_generated_one():
    assert (ROOT / "docs/settings.md").read_text() == settings_table(), "run `make docs`"


def test_the_errors_page_is_the_generated_one():
    assert (ROOT / "docs/errors.md").read_text() == document(), "run `make docs`"


def test_the_metrics_page_is_the_generated_one():
    assert (ROOT / "docs/metrics.md").read_text() == metrics_page(), "run `make docs`"


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_help_and_is_in_the_readme(name):
    command = typer.main.get_command(app).get_command(None, name)
    assert " ".join(command.help.split()).startswith(COMMANDS[name][2])
    assert f"waybill {name}" in README


def test_every_make_target_of_the_readme_exists_and_is_explained():
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"`make ([a-z]+)", README)):
        assert re.search(rf"^{target}:.*## ", makefile, re.MULTILINE), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_local_link_leads_somewhere(page):
    for target in re.findall(r"\]\((?!https?://|#)([^)#\s]+)", page.read_text()):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_that_a_page_names_exists(page):
    named = re.findall(r"`((?:api|exporter|storage|infra|tests|docs)/[\w./-]*)`", page.read_text())
    assert [path for path in named if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_setting_that_a_page_names_exists(page):
    known = settings_table()
    # `WAYBILL_MAX_QUEUED_…` stands for several.
    named = set(re.findall(r"WAYBILL_[A-Z0-9_]*[A-Z0-9]", page.read_text()))
    assert [name for name in sorted(named) if f"`{name}" not in known] == []


@pytest.mark.parametrize(
    "page", sorted((ROOT / "docs/decisions").glob("*.md")), ids=lambda p: p.stem
)
def test_every_decision_has_the_form(page):
    text = page.read_text()
    assert text.startswith(f"# {page.stem[:4]} ")
    for part in ("Status", "Context", "Decision", "Consequences", "Alternatives"):
        assert f"**{part}.**" in text or f"**{part}:**" in text, part


def test_every_decision_has_a_number_of_its_own():
    numbers = [page.name[:4] for page in (ROOT / "docs/decisions").glob("*.md")]
    # Numbers are given out when work begins, so some are missing for a while.
    assert sorted(numbers) == sorted(set(numbers))


@pytest.mark.parametrize("replaced", sorted((ROOT / "docs/decisions").glob("*.md")))
def test_a_replaced_decision_and_its_successor_name_each_other(replaced):
    status = re.search(r"\*\*Status:\*\*(.*?)\n\n", replaced.read_text(), re.DOTALL)[1]
    for how, target in re.findall(r"(superseded|amended) by \[\d{4}\]\(([^)]+)\)", status):
        successor = (ROOT / "docs/decisions" / target).read_text()
        verb = {"superseded": "supersedes", "amended": "amends"}[how]
        assert f"{verb} [{replaced.name[:4]}]" in successor


def test_the_readmes_dataset_is_python_that_runs():
    (example,) = re.findall(r"```python\n(import sqlalchemy.*?)```", README, re.DOTALL)
    exec(compile(example, "README.md", "exec"), {"__name__": "readme"})


def test_no_source_file_outgrows_its_room():
    long = {
        str(p.relative_to(ROOT)): n for p in SOURCES if (n := len(p.read_text().splitlines())) > 400
    }
    assert long == {}


def test_locks_name_no_index_and_pin_every_hash():
    for name in ("requirements.lock", "requirements-dev.lock"):
        text = (ROOT / name).read_text()
        assert "://" not in text
        assert "index-url" not in text
        pins = re.findall(r"^\S+==\S+.*$", text, re.MULTILINE)
        assert pins
        assert all(pin.endswith("\\") for pin in pins), "a pin without hashes"
