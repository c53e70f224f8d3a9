"""Logs: one JSON object a line, with control characters escaped and no secret inside."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

from waybill.infra.config.log_floods import FloodFilter

#: Their logs hold signed headers, links, and connection strings with passwords.
_NOISY = (
    "aio_pika",
    "aiormq",
    "alembic",
    "asyncio",
    "boto3",
    "botocore",
    "httpcore2",
    "httpx2",
    "s3transfer",
    "urllib3",
    "uvicorn",
)
_PLAIN_FIELDS = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


class JsonLines(logging.Formatter):
    """Formats a record as one line of JSON. `extra` fields stand beside the message."""

    def format(self, record: logging.LogRecord) -> str:
        """Render `record`; a newline in a file name cannot forge a second line."""
        entry: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        entry |= {k: v for k, v in record.__dict__.items() if k not in _PLAIN_FIELDS}
        if record.exc_info:
            entry["stack"] = self.formatException(record.exc_info)
        # JSON leaves this one control character as it is.
        return json.dumps(entry, ensure_ascii=True, default=str).replace("\x7f", "\\u007f")


def configure_logging(level: int = logging.INFO) -> None:
    """Send logs to stderr as JSON lines, once per process."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    handler.addFilter(FloodFilter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
    # A stack trace for every lost connection; `waybill.infra.broker` logs the same in one line.
    logging.getLogger("aiormq").setLevel(logging.CRITICAL)
