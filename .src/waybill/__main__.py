"""The `waybill` command, also as ``python -m waybill``."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; without the `server` extra, say what to install and exit with 1."""
    try:
        from waybill.api.cli.main import main as run
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "waybill":
            raise
        sys.exit(
            f"waybill: {error.name} is not installed. The command needs the server:"
            ' pip install "waybill-exports[server]"'
        )
    run()


if __name__ == "__main__":
    main()
