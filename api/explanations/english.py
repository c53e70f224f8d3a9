"""Cause and remedy of each stable code, in English."""

from __future__ import annotations

from collections.abc import Mapping

ENGLISH: Mapping[str, tuple[str, str]] = {
    "address_in_use": (
        "Another program listens on this address.",
        "End it, or choose another port with --port.",
    ),
    "backlog_full": (
        "The message broker has been away for so long that no more exports are accepted.",
        "Nothing that was accepted is lost. Try again when `Retry-After` says; tell an operator.",
    ),
    "bad_broker_url": (
        "The broker's address cannot be read.",
        "Give WAYBILL_AMQP_URL the form amqp://user:password@host/vhost.",
    ),
    "bad_cursor": (
        "The cursor was made for another list, filter or person.",
        "Start the list again without a cursor.",
    ),
    "bad_json": (
        "The body of the request is not valid JSON, or can be read in two ways.",
        "Mend the body; the message says what is wrong.",
    ),
    "bad_message": (
        "A message in the queue does not come from Waybill, or is damaged.",
        "Look at it with `waybill dead-letters show`, and find out who publishes into the queue.",
    ),
    "bad_notify": (
        "Nobody can be told in the way that was asked for.",
        "The message says why; leave `notify` out, or name another address.",
    ),
    "bad_request": (
        "The request cannot be read.",
        "Compare it with the API's description at /openapi.json.",
    ),
    "bad_settings": (
        "A setting has a value that cannot be used, or a name that does not exist.",
        "Mend the setting that the message names; docs/settings.md lists them all.",
    ),
    "broker_unavailable": (
        "RabbitMQ does not answer.",
        "Check that it runs and that WAYBILL_AMQP_URL leads to it. Nothing is lost meanwhile.",
    ),
    "broker_unsupported": (
        "This version of RabbitMQ lacks what Waybill needs.",
        "Use RabbitMQ 3.10 to 4.x.",
    ),
    "cancelled": (
        "Somebody cancelled this export.",
        "Nothing is wrong. Start it again if the file is still needed.",
    ),
    "checksum_mismatch": (
        "The bytes that reached the object store differ from those that were sent.",
        "Try again. If it happens often, an operator should look at the network and the store.",
    ),
    "clock_skew": (
        "The clocks of this machine and of the object store disagree.",
        "Set both by a time server; signed links depend on it.",
    ),
    "consumers_lost": (
        "RabbitMQ closed the consumers of a worker.",
        "The worker connects again by itself. If it does not, look at the broker's log.",
    ),
    "content_too_large": (
        "The body of the request is too large.",
        "Send only names and parameters; a request for an export is small.",
    ),
    "daily_rows_exceeded": (
        "As many rows were exported today as this user or organisation may.",
        "Try again tomorrow, by UTC, or ask an operator for a higher limit.",
    ),
    "database_unavailable": (
        "Waybill's own database did not answer.",
        "Try again in a minute. If it lasts, tell an operator.",
    ),
    "dead_letter_not_found": (
        "There is no dead letter of this number.",
        "List them; it may have been replayed or removed.",
    ),
    "demo_failed": (
        "The demonstration did not come to its end.",
        "The message says at which step; `waybill doctor` checks what it needs.",
    ),
    "demo_not_installed": (
        "A package the demonstration needs is not installed.",
        "Run `make setup`.",
    ),
    "embedded_server": (
        "The local S3 server could not be started.",
        "Look at its log under WAYBILL_HOME, or use another store with WAYBILL_S3_ENDPOINT_URL.",
    ),
    "export_rejected": (
        "The export cannot be made as it was asked for.",
        "Change the request as the message says. The same request would fail again.",
    ),
    "file_expired": (
        "The file was deleted at the end of its retention.",
        "Run the export again to get a new file with today's rows.",
    ),
    "file_not_ready": (
        "The export has no file: it is still running, or ended without one.",
        "Wait until it is ready, or start it again if it failed.",
    ),
    "file_not_written": (
        "The file could not be written on this machine.",
        "Check that the folder exists, may be written to and has room.",
    ),
    "foreign_origin": (
        "The request came from a page of another site.",
        "Use Waybill's own page, or send a bearer token instead of the session.",
    ),
    "http_error": (
        "The request was refused; its status says why.",
        "Compare it with the API's description at /openapi.json.",
    ),
    "idempotency_mismatch": (
        "This Idempotency-Key was used before with another request.",
        "Use a new key for a new request.",
    ),
    "identity_provider_down": (
        "The service that vouches for logins does not answer.",
        "Try again in a minute. If it lasts, tell an operator.",
    ),
    "incomplete_export": (
        "The rows in the file and the rows in the database did not agree, so no file was kept.",
        "Try again. If it fails the same way, report it: this should not happen.",
    ),
    "internal_error": (
        "Something happened that nobody foresaw.",
        "Try again. If it fails again, report it with the id of the export or of the request.",
    ),
    "invalid_filename": (
        "The file name holds characters that cannot be used.",
        "Choose another file name.",
    ),
    "invalid_request": (
        "A value of the request cannot be used.",
        "Correct the fields that the message names.",
    ),
    "lease_lost": (
        "Another worker has taken the task over, because this one was silent for too long.",
        "Nothing has to be done; the task goes on there.",
    ),
    "limit_exceeded": (
        "The export is larger than its format, or the store, can hold.",
        "Narrow the filters, or choose a format without this limit, such as csv.gz or parquet.",
    ),
    "link_not_found": (
        "This link does not exist, or cannot be followed any more.",
        "Ask whoever sent it for a new one.",
    ),
    "link_unreachable": (
        "The host signed into links cannot be reached from here.",
        "Set WAYBILL_S3_PUBLIC_ENDPOINT_URL to a host that browsers reach.",
    ),
    "method_not_allowed": (
        "This address has no such method.",
        "Use one of those in the Allow header.",
    ),
    "not_found": (
        "There is nothing at this address.",
        "Check the address.",
    ),
    "not_json": (
        "The body of the request is not application/json.",
        "Send JSON with this content type and without a content encoding.",
    ),
    "not_now": (
        "Too much is asked for at once.",
        "Try again when `Retry-After` says.",
    ),
    "out_of_memory": (
        "The worker ran out of memory.",
        "Try again when less is running. If it repeats, an operator should give workers more.",
    ),
    "permission_denied": (
        "You do not have the role this needs.",
        "Ask an administrator for the role. The same request would fail again without it.",
    ),
    "prefetch_refused": (
        "The browser looked ahead at a share link, which counts clicks.",
        "Click the link.",
    ),
    "read_cancelled": (
        "Reading from the database was ended before the last row.",
        "Try again.",
    ),
    "source_error": (
        "The rows could not be read from the database.",
        "Try again. If it fails again, tell whoever looks after the database.",
    ),
    "source_rejected": (
        "The database refuses the query of this dataset.",
        "Tell whoever declared the dataset; the same request would fail again.",
    ),
    "source_unavailable": (
        "The database that holds the rows cannot be read just now.",
        "Try again later. If it lasts, tell whoever looks after the database.",
    ),
    "stalled": (
        "The export got no further for a long time and was ended.",
        "Try again. If it repeats, narrow the filters or tell an operator.",
    ),
    "stopped": (
        "The attempt had to end before the file was complete.",
        "Nothing has to be done; the task goes on by itself.",
    ),
    "storage_config": (
        "The object store refuses Waybill's credentials, or has no such bucket.",
        "Tell an operator. Start the export again once it is mended.",
    ),
    "storage_error": (
        "The object store refused the file.",
        "Try again. If it fails again, tell an operator.",
    ),
    "storage_unavailable": (
        "The object store cannot be reached, or is overloaded.",
        "Try again later. If it lasts, tell an operator.",
    ),
    "task_conflict": (
        "The export is in a state that does not allow this.",
        "Look at its state again; it may have changed since.",
    ),
    "task_not_found": (
        "There is no such export of yours.",
        "Check the id. Exports of other people, and deleted ones, cannot be seen.",
    ),
    "token_in_query": (
        "An access token stands in the address, where it would be logged.",
        "Send it in the Authorization header.",
    ),
    "too_many_exports": (
        "Too many exports of this user or organisation wait or run.",
        "Wait for some of them to end, or cancel what is not needed.",
    ),
    "too_many_links": (
        "This export has as many share links as one may have.",
        "Share one of the links that are there; an export run again starts with none.",
    ),
    "too_many_streams": (
        "Too many event streams of yours are open.",
        "Close other pages, or watch all exports by one stream.",
    ),
    "try_later": (
        "The message came too early, or this worker is full.",
        "Nothing has to be done; it is delivered again.",
    ),
    "unauthenticated": (
        "You are not logged in, or your token is not valid any more.",
        "Log in again, or send a valid bearer token.",
    ),
    "unknown_dataset": (
        "There is no dataset of this name, or it is not offered any more.",
        "Choose one from the list of datasets.",
    ),
    "upload_conflict": (
        "The upload was ended by somebody else before it was complete.",
        "Try again.",
    ),
    "upload_too_large": (
        "The file is larger than the object store can hold.",
        "Narrow the filters, or choose a smaller format, such as csv.gz or parquet.",
    ),
    "worker_lost": (
        "The worker that ran the export stopped answering.",
        "Try again. If it repeats, an operator should look for workers that run out of memory.",
    ),
    "worker_stopping": (
        "The worker is shutting down.",
        "Nothing has to be done; another one starts the task again.",
    ),
}
