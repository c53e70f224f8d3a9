"""Cause and remedy of each error code, in English."""

from __future__ import annotations

from collections.abc import Mapping

from waybill.api.explanations.english_checks import CHECKS
from waybill.api.explanations.english_schedules import SCHEDULES

ENGLISH: Mapping[str, tuple[str, str]] = {
    "approval_declined": (
        "The request was declined.",
        "Talk to the person who declined it. You can ask again with another reason.",
    ),
    "approval_expired": (
        "Nobody answered the request for approval in time.",
        "Run the export again to ask once more, and tell an approver.",
    ),
    "approval_needed": (
        "Rows of this dataset are given out only after somebody has approved the export.",
        "Start an export. It runs as soon as it is approved.",
    ),
    "address_in_use": (
        "Another program is already listening on this address.",
        "Stop it, or choose another port with --port.",
    ),
    "backlog_full": (
        "The message broker has been unavailable for so long that new exports are refused.",
        "Accepted exports are not lost. Try again after the time in `Retry-After`, and "
        "tell an operator.",
    ),
    "audit_log_changed": (
        "The audit log is not what its checkpoints say, or its triggers are missing.",
        "Find out who changed it: compare it with a backup, and with the heads in logs of workers.",
    ),
    "bad_broker_url": (
        "The address of the message broker is invalid.",
        "Set WAYBILL_AMQP_URL to a URL like amqp://user:password@host/vhost. A cluster has several"
        " addresses, all of one vhost: amqp://user:password@a:5672,b:5672/vhost.",
    ),
    "bad_cursor": (
        "The cursor was issued for another list, filter or user.",
        "Read the list from the start, without a cursor.",
    ),
    "bad_json": (
        "The request body is not valid JSON, or it is ambiguous.",
        "Correct the body as the message says.",
    ),
    "bad_message": (
        "A message in the queue is damaged or was not sent by Waybill.",
        "Inspect it with `waybill dead-letters show`, and find out which program "
        "publishes to the queue.",
    ),
    "bad_notify": (
        "A notification cannot be sent to this target.",
        "The message says why. Remove `notify`, or use another target.",
    ),
    "bad_opt_out_link": (
        "This address does not stop any mails.",
        "Copy the whole link from the mail.",
    ),
    "bad_request": (
        "The request cannot be read.",
        "Compare it with the API description at /openapi.json.",
    ),
    "bad_settings": (
        "A setting has an invalid value, or does not exist.",
        "Correct the setting named in the message. docs/settings.md lists all settings.",
    ),
    "broker_refused": (
        "RabbitMQ does not let our user do what it has to do.",
        "Give the user of WAYBILL_AMQP_URL the right that the message names. Without the configure"
        " right, run `waybill topology` as a user who has it.",
    ),
    "broker_unavailable": (
        "RabbitMQ does not answer.",
        "Check that it is running and that WAYBILL_AMQP_URL points to it. No tasks are lost.",
    ),
    "broker_unsupported": (
        "This version of RabbitMQ lacks features that Waybill needs.",
        "Use RabbitMQ 3.10 to 4.x.",
    ),
    "cancelled": (
        "The export was cancelled.",
        "Nothing is wrong. Start it again if you still need the file.",
    ),
    "checksum_mismatch": (
        "The object store received different bytes than were sent.",
        "Try again. If it happens often, an operator should check the network and the "
        "object store.",
    ),
    "clock_wrong": (
        "The clock of a worker is wrong, and the object store refuses its requests.",
        "Set the clock of that machine, then start the worker again. Other workers go on.",
    ),
    "consumers_lost": (
        "RabbitMQ closed the consumers of a worker.",
        "The worker reconnects by itself. If it does not, check the broker's log.",
    ),
    "queue_unconfirmed": (
        "A work queue of RabbitMQ confirms no message.",
        "Look at its members with `rabbitmq-queues quorum_status`, and start the nodes that are "
        "away. Accepted exports wait.",
    ),
    "content_too_large": (
        "The request body is too large.",
        "Send only names and parameters. A request for an export is small.",
    ),
    "daily_rows_exceeded": (
        "This user or organisation has reached its limit of exported rows for today.",
        "Try again tomorrow (UTC), or ask an operator for a higher limit.",
    ),
    "database_not_migrated": (
        "Waybill's own tables are missing, or of another version.",
        "An operator has to run `waybill migrate` with the version that serves requests.",
    ),
    "database_read_only": (
        "Waybill's own database takes no writes: it is a standby, or set to read-only.",
        "Try again in a minute. If the problem persists, an operator has to lead"
        " WAYBILL_DATABASE_URL to the primary.",
    ),
    "database_unavailable": (
        "Waybill's own database did not answer.",
        "Try again in a minute. If the problem persists, tell an operator.",
    ),
    "dead_letter_not_found": (
        "There is no dead letter with this number.",
        "Check the list. It may have been replayed or deleted.",
    ),
    "demo_failed": (
        "The demo did not complete.",
        "The message names the step that failed. `waybill doctor` checks the requirements.",
    ),
    "demo_not_installed": (
        "A package that the demo needs is not installed.",
        "Run `make setup`.",
    ),
    "embedded_server": (
        "The local S3 server could not be started.",
        "Check its log under WAYBILL_HOME, or use another store with WAYBILL_S3_ENDPOINT_URL.",
    ),
    "export_rejected": (
        "The export cannot be made as requested.",
        "Change the request as the message says. The same request would fail again.",
    ),
    "file_expired": (
        "The file was deleted at the end of its retention period.",
        "Run the export again to get a new file with current data.",
    ),
    "file_missing": (
        "Something other than Waybill has deleted or replaced the file in the object store.",
        "Run the export again to get a new file with current data.",
    ),
    "file_not_ready": (
        "The export has no file: it is still running, or it ended without one.",
        "Wait until it is ready. If it failed, start it again.",
    ),
    "file_not_written": (
        "The file could not be written on this machine.",
        "Check that the folder exists, is writable and has enough space.",
    ),
    "foreign_origin": (
        "The request came from a page of another site, or through a proxy that hides the address "
        "of Waybill's own.",
        "Use Waybill's own page, or send a bearer token instead of the session cookie. If this is "
        "its own page, an operator has to set WAYBILL_PUBLIC_URL to its address.",
    ),
    "http_error": (
        "The request was refused. The status says why.",
        "Compare the request with the API description at /openapi.json.",
    ),
    "idempotency_mismatch": (
        "This Idempotency-Key was already used with a different request.",
        "Use a new key for a new request.",
    ),
    "identity_provider_down": (
        "The identity provider that verifies logins does not answer.",
        "Try again in a minute. If the problem persists, tell an operator.",
    ),
    "incomplete_export": (
        "The rows in the file did not match the rows in the database, so the file was discarded.",
        "Try again. If it fails in the same way, report it: this should not happen.",
    ),
    "internal_error": (
        "An unexpected error occurred.",
        "Try again. If it fails again, report it with the id of the export or the request.",
    ),
    "invalid_filename": (
        "The file name contains characters that are not allowed.",
        "Choose another file name.",
    ),
    "invalid_request": (
        "The request contains an invalid value.",
        "Correct the fields named in the message.",
    ),
    "lease_lost": (
        "Another worker took over the task, because this one did not respond for too long.",
        "Nothing needs to be done. The other worker continues the task.",
    ),
    "limit_exceeded": (
        "The export is larger than the format or the object store allows.",
        "Narrow the filters, or choose a format without this limit, such as csv.gz or parquet.",
    ),
    "link_not_found": (
        "This link does not exist or is no longer valid.",
        "Ask the person who sent it for a new link.",
    ),
    "method_not_allowed": (
        "This address does not support this method.",
        "Use one of the methods in the Allow header.",
    ),
    "not_found": (
        "There is nothing at this address.",
        "Check the address.",
    ),
    "not_json": (
        "The request body is not application/json.",
        "Send JSON with this content type and without a content encoding.",
    ),
    "not_now": (
        "Too many requests at once.",
        "Try again after the time in `Retry-After`.",
    ),
    "out_of_memory": (
        "The worker ran out of memory.",
        "Try again when fewer exports are running. If it happens again, an operator "
        "should give the workers more memory.",
    ),
    "overloaded": (
        "More requests arrive than this server can answer in time.",
        "Nothing was done. Send the request again after the time in `Retry-After`.",
    ),
    "password_lost": (
        "The keys made of the file's password can no longer be used.",
        "Run the export again: it gets a new password.",
    ),
    "password_needed": (
        "The file needs a password, and Waybill keeps none.",
        "Its owner has to run the export again: it gets a new password.",
    ),
    "permission_denied": (
        "You do not have the required role.",
        "Ask an administrator for the role. Without it, the same request would fail again.",
    ),
    "prefetch_refused": (
        "The browser tried to prefetch a share link, but each visit counts as a use.",
        "Click the link.",
    ),
    "read_conflict": (
        "The database ended the read because the rows changed meanwhile.",
        "Try again when fewer changes are made. On a standby, an operator can raise "
        "max_standby_streaming_delay or set hot_standby_feedback.",
    ),
    "read_cancelled": (
        "Reading from the database was stopped before the last row.",
        "Try again.",
    ),
    "request_timeout": (
        "The request took too long to arrive.",
        "Send it again. If that is slow, too, check the network and the proxies on the way.",
    ),
    "revocations_unread": (
        "The list of revoked logins could not be read from the task database yet.",
        "Try again in a minute. If the problem persists, tell an operator.",
    ),
    "row_too_large": (
        "One row of this export is too large for the memory of a worker.",
        "The message names the row and its largest column: leave that column out, or cut its "
        "values in the dataset. An operator can raise WAYBILL_MEMORY.",
    ),
    "source_away": (
        "No connection to the source database can be made.",
        "Try again later. If the problem persists, tell the owner of the database.",
    ),
    "source_error": (
        "The data could not be read from the database.",
        "Try again. If it fails again, tell the owner of the database.",
    ),
    "runs_alone": (
        "The next export needs a worker to itself, because its last worker was lost.",
        "Nothing needs to be done. It starts when the worker's other exports have ended.",
    ),
    "source_rejected": (
        "The database refused the query of this dataset.",
        "Tell the owner of the dataset. The same request would fail again.",
    ),
    "source_unavailable": (
        "The source database is currently unavailable.",
        "Try again later. If the problem persists, tell the owner of the database.",
    ),
    "stalled": (
        "The export made no progress for a long time and was stopped.",
        "Try again. If it happens again, narrow the filters or tell an operator.",
    ),
    "stopped": (
        "The attempt was stopped before the file was complete.",
        "Nothing needs to be done. The task continues by itself.",
    ),
    "storage_clock": (
        "The object store refuses requests because the clocks disagree too much.",
        "Tell an operator: the object store or Waybill's machines need a time server.",
    ),
    "storage_config": (
        "The object store refused Waybill's credentials, or the bucket does not exist.",
        "Tell an operator. Start the export again after the problem is fixed.",
    ),
    "storage_error": (
        "The object store refused the file.",
        "Try again. If it fails again, tell an operator.",
    ),
    "storage_unavailable": (
        "The object store is unreachable or overloaded.",
        "Try again later. If the problem persists, tell an operator.",
    ),
    "task_conflict": (
        "The current state of the export does not allow this.",
        "Check its state again. It may have changed.",
    ),
    "task_not_found": (
        "You have no such export.",
        "Check the id. Deleted exports and those of other users are not visible.",
    ),
    "token_in_query": (
        "The address contains an access token, and addresses are logged.",
        "Send the token in the Authorization header.",
    ),
    "too_many_exports": (
        "This user or organisation has too many exports waiting or running.",
        "Wait until some of them end, or cancel those you do not need.",
    ),
    "too_many_links": (
        "This export has reached its limit of share links.",
        "Use one of the existing links, or run the export again and share the new one.",
    ),
    "too_many_streams": (
        "You have too many event streams open.",
        "Close other pages, or watch all exports with one stream.",
    ),
    "preview_left": (
        "Nobody waited for this preview any more.",
        "Ask for it again.",
    ),
    "preview_too_slow": (
        "The first rows took too long to read.",
        "Narrow the filters and try again. The export itself is not affected.",
    ),
    "preview_unavailable": (
        "The first rows cannot be read at the moment.",
        "Try again in a minute. If it persists, an operator has to look at the source database.",
    ),
    "too_many_previews": (
        "You are asking for previews too quickly.",
        "Wait a moment, then try again. Retry-After states the seconds.",
    ),
    "too_many_submits": (
        "You or your organisation are starting exports too quickly.",
        "Wait a moment, then start the export again. Retry-After states the seconds.",
    ),
    "try_later": (
        "The message arrived too early, or this worker is busy.",
        "Nothing needs to be done. The message is delivered again.",
    ),
    "unauthenticated": (
        "You are not logged in, or your token is no longer valid.",
        "Log in again, or send a valid bearer token.",
    ),
    "unknown_dataset": (
        "There is no dataset with this name, or it is no longer available.",
        "Choose one from the list of datasets.",
    ),
    "upload_conflict": (
        "Another process ended the upload before it was complete.",
        "Try again.",
    ),
    "upload_too_large": (
        "The file is larger than the object store allows.",
        "Narrow the filters, or choose a more compact format, such as csv.gz or parquet.",
    ),
    "worker_lost": (
        "The worker that ran the export stopped responding.",
        "Try again. If it happens again, an operator should check whether workers run "
        "out of memory.",
    ),
    "worker_stopping": (
        "The worker is shutting down.",
        "Nothing needs to be done. Another worker starts the task again.",
    ),
    **CHECKS,
    **SCHEDULES,
}
