"""The page of the Python API: the public names, out of their signatures and docstrings."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from dataclasses import is_dataclass
from textwrap import dedent
from types import ModuleType
from typing import Any

import waybill
import waybill.client

_HEAD = """\
# Python API

These names are stable; every other module of Waybill is private. [Embedding](embedding.md) shows
how they are used.
"""
_SECTION = re.compile(r"^(Raises|Yields|Returns):\n((?:    .*\n?)+)", re.MULTILINE)


def python_page() -> str:
    """The page."""
    parts = [
        _HEAD,
        *_module(waybill, "Declare datasets, submit exports, mount the server."),
        *_module(waybill.client, "The HTTP client, which installs without the server."),
    ]
    return "\n".join(parts).rstrip() + "\n"


def _module(module: ModuleType, purpose: str) -> Iterator[str]:
    yield f"## `{module.__name__}`\n\n{purpose}\n"
    for name in sorted(module.__all__):
        yield from _entry(name, getattr(module, name))


def _entry(name: str, value: Any) -> Iterator[str]:
    yield f"### `{name}`\n"
    if inspect.isclass(value):
        yield from _class(value)
    elif inspect.isfunction(value):
        yield f"```python\n{_signature(value)}\n```\n\n{_prose(value)}\n"
    else:
        yield f"```python\n{name} = {value}\n```\n"


def _class(value: type) -> Iterator[str]:
    bases = [base.__name__ for base in value.__bases__ if base.__module__.startswith("waybill")]
    if "__init__" in vars(value) and not is_dataclass(value):
        made = _signature(value.__init__).removeprefix("def __init__").removesuffix(" -> None")
        made = made.replace("(self, ", "(").replace("    self,\n", "")
        yield f"```python\n{value.__name__}{made}\n```\n"
    yield f"{_prose(value)}\n" + (f"\nA `{bases[0]}`.\n" if bases else "")
    if fields := list(_fields(value)):
        yield "\n".join(fields) + "\n"
    for name, method in vars(value).items():
        function = method.__func__ if isinstance(method, classmethod | staticmethod) else method
        if name.startswith("_") or not inspect.isfunction(function) or not function.__doc__:
            continue
        yield f"#### `{value.__name__}.{name}`\n\n```python\n{_signature(function)}\n```\n"
        yield f"{_prose(function)}\n"


def _fields(value: type) -> Iterator[str]:
    """The public fields of a class, with their defaults and what the comment before them says."""
    source = dedent(inspect.getsource(value))
    lines = source.splitlines()
    (node,) = ast.parse(source).body
    assert isinstance(node, ast.ClassDef)
    for field in node.body:
        if not isinstance(field, ast.AnnAssign) or ast.unparse(field.target).startswith("_"):
            continue
        comment: list[str] = []
        for line in reversed(lines[: field.lineno - 1]):
            if not line.strip().startswith("#: "):
                break
            comment.insert(0, line.strip().removeprefix("#: "))
        meaning = f": {' '.join(comment)}" if comment else ""
        kind = f"{ast.unparse(field.target)}: {ast.unparse(field.annotation)}"
        yield f"- `{kind}{_default(field.value)}`{meaning}"


def _default(value: ast.expr | None) -> str:
    """As in `name: kind = default`; of a `field(…)`, what it says of the default."""
    if isinstance(value, ast.Call) and ast.unparse(value.func) == "field":
        given = {str(one.arg): ast.unparse(one.value) for one in value.keywords}
        made = f"{given['default_factory']}()" if "default_factory" in given else None
        text = given.get("default", made)
        return f" = {text}" if text else ""
    return f" = {ast.unparse(value)}" if value is not None else ""


def _signature(function: Any) -> str:
    """As it is written, on a line for each argument where there are many."""
    (node,) = ast.parse(dedent(inspect.getsource(function))).body
    assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    head = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    line = f"{head} {node.name}({ast.unparse(node.args)}){returns}"
    if len(line) <= 96:
        return line
    single = ast.unparse(node.args)
    arguments = re.split(r", (?=\*|\*\*|\w+:|\w+(?:,|$))", single)
    return f"{head} {node.name}(\n" + "".join(f"    {one},\n" for one in arguments) + f"){returns}"


def _prose(value: Any) -> str:
    """A docstring as Markdown."""
    text = inspect.getdoc(value) or ""
    return _SECTION.sub(lambda found: f"**{found[1]}**\n\n{_items(found[2])}", f"{text}\n").strip()


def _items(block: str) -> str:
    lines: list[str] = []
    for line in dedent(block).splitlines():
        if line.startswith(" ") and lines:
            lines[-1] += f" {line.strip()}"
        elif line:
            lines.append(f"- {line}")
    return "\n".join(lines)
