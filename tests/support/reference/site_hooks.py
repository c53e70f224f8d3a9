"""What the site has beside `docs/`: pages made from code, files of the root, and the decisions.

MkDocs loads this by its path (`hooks` in `mkdocs.yml`) and calls the functions by their names.
"""

from __future__ import annotations

import json
import posixpath
import re
from pathlib import Path
from typing import Any

import rjieba
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from pymdownx.slugs import slugify
from pymdownx.superfences import fence_code_format

from tests.support.reference import MADE, OF_THE_ROOT

ROOT = Path(__file__).parents[3]
#: `make docs` puts both there where there is npm. Without the first, diagrams are shown as text;
#: without the second, the search needs a web server. Neither is ever asked of another host.
MERMAID = ROOT / ".site-tools/mermaid.min.js"
SHIM = ROOT / ".site-tools/iframe-worker.js"
#: Characters of Chinese text, without its punctuation.
_HAN = re.compile(r"[\u3400-\u9fff]+")
#: A blank of no width. The search's `separator` in `mkdocs.yml` has it, and pages show none.
_BETWEEN_WORDS = "\u200b"
_LINK = re.compile(r"\[([^\]]*)\]\((?!https?://|#)([^)\s#]+)(#[^)\s]*)?\)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Anchors as GitHub makes them; every decision in the navigation; diagrams if they can be."""
    # Lower case, blanks to hyphens, other signs dropped: the same links work in both places.
    config.mdx_configs.setdefault("toc", {})["slugify"] = slugify(case="lower")
    if MERMAID.exists():
        fence = {"name": "mermaid", "class": "mermaid", "format": fence_code_format}
        config.mdx_configs.setdefault("pymdownx.superfences", {})["custom_fences"] = [fence]
        config.extra_javascript.append("assets/mermaid.min.js")
    config.extra["polyfills"] = [f"assets/{SHIM.name}"]
    pages = sorted((ROOT / "docs/decisions").glob("*.md"))
    (config.nav or []).append({"Decisions": [f"decisions/{page.name}" for page in pages]})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are not in `docs/`."""
    for name, page in MADE.items():
        files.append(File.generated(config, name, content=page()))
    for name, path in OF_THE_ROOT.items():
        files.append(File.generated(config, name, content=(ROOT / path).read_text()))
    for script in (MERMAID, SHIM):
        text = script.read_text() if script.exists() else ""
        files.append(File.generated(config, f"assets/{script.name}", content=text))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Links lead where they do in the repository; those to code, which is no page, become text."""
    address = page.file.src_uri
    source = OF_THE_ROOT.get(address, f"docs/{address}")
    shown = {path: name for name, path in OF_THE_ROOT.items()}
    shown["docs/decisions"] = "decisions/0001-record-decisions.md"

    def moved(found: re.Match[str]) -> str:
        text, path, anchor = found[1], found[2], found[3] or ""
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
        if target not in shown and not target.startswith("docs/"):
            return text
        place = shown.get(target, target.removeprefix("docs/"))
        return f"[{text}]({posixpath.relpath(place, posixpath.dirname(address) or '.')}{anchor})"

    return _LINK.sub(moved, markdown)


# After the index was written, and before `offline` copies it into a script.
@event_priority(-50)
def on_post_build(config: MkDocsConfig) -> None:
    """Part the words of Chinese text in the search index: the search looks for whole words."""
    file = Path(config.site_dir, "search/search_index.json")
    index = json.loads(file.read_text())
    for entry in index["docs"]:
        for part in ("title", "text"):
            entry[part] = _HAN.sub(_words, entry[part])
    file.write_text(json.dumps(index, ensure_ascii=False, separators=(",", ":")))


def _words(found: re.Match[str]) -> str:
    words = _BETWEEN_WORDS.join(rjieba.cut(found[0]))
    return f"{_BETWEEN_WORDS}{words}{_BETWEEN_WORDS}"
