"""What to do about what `waybill doctor` finds, where the error itself does not say it."""

from __future__ import annotations

from waybill.api.explanations import explain
from waybill.exporter.errors import WaybillError
from waybill.storage.errors import StorageError

#: Codes whose remedy in docs/errors.md is one for operators.
_EXPLAINED = frozenset(
    {
        "audit_log_changed",
        "broker_refused",
        "broker_unavailable",
        "broker_unsupported",
        "clock_skew",
        "link_unreachable",
        "mail_unreachable",
        "queue_unconfirmed",
        "rights_missing",
        "topology_missing",
    }
)
#: Codes that users meet too: to them, errors.md says to tell an operator.
_FOR_OPERATORS = {
    "database_unavailable": "Correct WAYBILL_DATABASE_URL, or start the database.",
    "identity_provider_down": "Correct the provider's address in the settings, or start it.",
    "source_away": "Correct WAYBILL_SOURCE_URL, or start the database.",
    "storage_config": "Compare WAYBILL_S3_BUCKET, the credentials and their rights with"
    " docs/stores.md.",
    "storage_unavailable": "Check that the store runs at the address in WAYBILL_S3_ENDPOINT_URL.",
}


def with_remedy(error: WaybillError | StorageError) -> str:
    """What is wrong, and what to do about it, in one line."""
    remedy = explain(error.code).remedy if error.code in _EXPLAINED else None
    remedy = remedy or _FOR_OPERATORS.get(error.code)
    return f"{error.message} {remedy}" if remedy else error.message
