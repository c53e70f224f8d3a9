"""A tutorial as one program for bash: its commands, its files, and what it says is printed.

Commands are fences of ``sh``; files are fences with a title; a fence of ``text`` after them holds
lines that they print. Fences of ``console`` are shown, and not run.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent

_FENCE = re.compile(r"^( *)```(\w*)(?: title=\"([^\"]+)\")?\n(.*?)^\1```$", re.M | re.S)
#: Before the output of each step: no program prints it.
_MARK = "\x1e"

#: What the reader does in other terminals: servers go on running, and the same command again comes
#: after Ctrl-C. `make setup` is not repeated: it made the environment that runs this test.
_TERMINALS = """\
set -euo pipefail
SERVER= WORKER=
end() {{ if [ -n "$1" ]; then kill "$1"; wait "$1" || true; fi; }}
trap 'end "$WORKER"; end "$SERVER"' EXIT
make() {{ command make --dry-run "$@" >/dev/null; }}
listening() {{
  until curl -s -o /dev/null http://127.0.0.1:{port}/; do kill -0 "$SERVER"; sleep 0.3; done
}}
waybill() {{
  case "$1" in
    serve)
      end "$SERVER"
      command waybill serve --port {port} "${{@:2}}" >>"$HOME/server.log" 2>&1 &
      SERVER=$!
      listening ;;
    worker)
      end "$WORKER"
      command waybill worker >>"$HOME/worker.log" 2>&1 &
      WORKER=$! ;;
    *) command waybill "$@" ;;
  esac
}}
uvicorn() {{
  end "$SERVER"
  command uvicorn "$@" >>"$HOME/server.log" 2>&1 &
  SERVER=$!
  listening
}}
"""


@dataclass
class Step:
    """Commands, and lines that they print."""

    commands: str
    printed: list[str] = field(default_factory=list)


def fences(page: str) -> list[tuple[str, str | None, str]]:
    """Language, title and body of each fence of a page."""
    return [
        (language, title or None, dedent(body)) for _, language, title, body in _FENCE.findall(page)
    ]


def steps(page: str) -> list[Step]:
    """The steps of a tutorial, in order."""
    found: list[Step] = []
    for language, title, body in fences(page):
        if title is not None:
            found.append(Step(f"cat >{title} <<'END OF THE FILE'\n{body}END OF THE FILE\n"))
        elif language == "sh":
            found.append(Step(body))
        elif language == "text":
            found[-1].printed += body.splitlines()
    return found


def program(tutorial: list[Step], replaced: Mapping[str, str], port: int) -> str:
    """One script for bash. `replaced` are addresses and secrets of the page, and ours."""
    parts = [f"printf '{_MARK}'\n{step.commands}" for step in tutorial]
    text = "".join(parts)
    for theirs, ours in {**replaced, "127.0.0.1:8000": f"127.0.0.1:{port}"}.items():
        assert theirs in text, theirs
        text = text.replace(theirs, ours)
    return _TERMINALS.format(port=port) + text.replace("--port 8000", f"--port {port}")


def run(script: str, folder: Path, home: Path, seconds: float) -> list[str]:
    """Run a script of `program`, and return what each step printed. Nothing of it goes on.

    Raises:
        AssertionError: a command failed; with the last ones, and the logs of the servers.
    """
    own = {name: value for name, value in os.environ.items() if not name.startswith("WAYBILL_")}
    printed, traced = home / "printed", home / "commands.log"
    with printed.open("w") as output, traced.open("w") as errors:
        shell = subprocess.Popen(
            ["bash", "-x", "-c", script],
            cwd=folder,
            env=own | {"HOME": str(home), "LC_ALL": "C.UTF-8", "PS4": "$EPOCHREALTIME "},
            stdout=output,
            stderr=errors,
            start_new_session=True,
        )
        try:
            code = shell.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(shell.pid, signal.SIGTERM)
            code = shell.wait()
    logs = [f"{path.name}:\n{path.read_text()[-3000:]}" for path in sorted(home.glob("*.log"))]
    assert code == 0, "\n".join([printed.read_text()[-2000:], *logs])
    return printed.read_text().split(_MARK)[1:]
