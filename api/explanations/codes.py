"""Every stable code, where it is met, and whether doing the same again may help.

The words are in `waybill.api.explanations.english` and `.chinese`. A test reads the code base and
fails for a code without an entry, and for an entry that nothing raises.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

#: Codes a task can end with, and attempts before its last one. True: a retry may pass.
TASK_CODES: Mapping[str, bool] = {
    "cancelled": True,
    "checksum_mismatch": True,
    "database_unavailable": True,
    "export_rejected": False,
    "incomplete_export": True,
    "internal_error": True,
    "invalid_filename": False,
    "invalid_request": False,
    "limit_exceeded": False,
    "out_of_memory": True,
    "permission_denied": False,
    "read_cancelled": True,
    "source_error": True,
    "source_rejected": False,
    "source_unavailable": True,
    "stalled": True,
    "storage_config": False,
    "storage_error": True,
    "storage_unavailable": True,
    "unknown_dataset": False,
    "upload_conflict": True,
    "upload_too_large": False,
    "worker_lost": True,
}

#: Codes of problem documents, with their status. True: the same request may pass later.
PROBLEM_CODES: Mapping[str, tuple[HTTPStatus, bool]] = {
    "backlog_full": (HTTPStatus.SERVICE_UNAVAILABLE, True),
    "bad_cursor": (HTTPStatus.FORBIDDEN, False),
    "bad_json": (HTTPStatus.BAD_REQUEST, False),
    "bad_notify": (HTTPStatus.UNPROCESSABLE_ENTITY, False),
    "bad_request": (HTTPStatus.BAD_REQUEST, False),
    "checksum_mismatch": (HTTPStatus.SERVICE_UNAVAILABLE, True),
    "content_too_large": (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, False),
    "daily_rows_exceeded": (HTTPStatus.TOO_MANY_REQUESTS, True),
    "database_unavailable": (HTTPStatus.SERVICE_UNAVAILABLE, True),
    "dead_letter_not_found": (HTTPStatus.NOT_FOUND, False),
    "export_rejected": (HTTPStatus.UNPROCESSABLE_ENTITY, False),
    "file_expired": (HTTPStatus.GONE, False),
    "file_not_ready": (HTTPStatus.CONFLICT, True),
    "foreign_origin": (HTTPStatus.FORBIDDEN, False),
    "http_error": (HTTPStatus.BAD_REQUEST, False),
    "idempotency_mismatch": (HTTPStatus.UNPROCESSABLE_ENTITY, False),
    "identity_provider_down": (HTTPStatus.SERVICE_UNAVAILABLE, True),
    "internal_error": (HTTPStatus.INTERNAL_SERVER_ERROR, True),
    "invalid_filename": (HTTPStatus.UNPROCESSABLE_ENTITY, False),
    "invalid_request": (HTTPStatus.UNPROCESSABLE_ENTITY, False),
    "limit_exceeded": (HTTPStatus.UNPROCESSABLE_ENTITY, False),
    "link_not_found": (HTTPStatus.NOT_FOUND, False),
    "method_not_allowed": (HTTPStatus.METHOD_NOT_ALLOWED, False),
    "not_found": (HTTPStatus.NOT_FOUND, False),
    "not_json": (HTTPStatus.UNSUPPORTED_MEDIA_TYPE, False),
    "not_now": (HTTPStatus.TOO_MANY_REQUESTS, True),
    "permission_denied": (HTTPStatus.FORBIDDEN, False),
    "prefetch_refused": (HTTPStatus.SERVICE_UNAVAILABLE, True),
    "storage_config": (HTTPStatus.SERVICE_UNAVAILABLE, False),
    "storage_error": (HTTPStatus.SERVICE_UNAVAILABLE, True),
    "storage_unavailable": (HTTPStatus.SERVICE_UNAVAILABLE, True),
    "task_conflict": (HTTPStatus.CONFLICT, False),
    "task_not_found": (HTTPStatus.NOT_FOUND, False),
    "token_in_query": (HTTPStatus.BAD_REQUEST, False),
    "too_many_exports": (HTTPStatus.TOO_MANY_REQUESTS, True),
    "too_many_links": (HTTPStatus.CONFLICT, False),
    "too_many_streams": (HTTPStatus.TOO_MANY_REQUESTS, True),
    "unauthenticated": (HTTPStatus.UNAUTHORIZED, False),
    "unknown_dataset": (HTTPStatus.UNPROCESSABLE_ENTITY, False),
}

#: Codes met on the command line and in the log. True: the same command may pass later.
COMMAND_CODES: Mapping[str, bool] = {
    "address_in_use": False,
    "bad_broker_url": False,
    "bad_message": False,
    "bad_settings": False,
    "broker_unavailable": True,
    "broker_unsupported": False,
    "clock_skew": False,
    "consumers_lost": True,
    "demo_failed": True,
    "demo_not_installed": False,
    "embedded_server": True,
    "file_not_written": False,
    "lease_lost": True,
    "link_unreachable": False,
    "stopped": True,
    "try_later": True,
    "worker_stopping": True,
}

#: Whether doing the same again may help, by code. A task's own answer comes first.
RETRY_HELPS: Mapping[str, bool] = {
    **COMMAND_CODES,
    **{code: helps for code, (_, helps) in PROBLEM_CODES.items()},
    **TASK_CODES,
}
