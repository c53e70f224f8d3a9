"""Cause and remedy of the codes of `waybill doctor`, in English."""

from __future__ import annotations

from collections.abc import Mapping

CHECKS: Mapping[str, tuple[str, str]] = {
    "clock_skew": (
        "The clock of this machine disagrees with that of the task database or the object store.",
        "Synchronise them with a time server. Signed links and tokens depend on the time.",
    ),
    "insecure_installation": (
        "A secret is an example or easy to guess, or the bucket is open to everybody.",
        "Draw another secret, or close the bucket; the message says which.",
    ),
    "link_unreachable": (
        "The host in signed links cannot be reached from here.",
        "Set WAYBILL_S3_PUBLIC_ENDPOINT_URL to a host that browsers can reach.",
    ),
    "mail_unreachable": (
        "The mail server does not take our mails.",
        "Check that it runs at the address in WAYBILL_SMTP_URL, and the user and password there.",
    ),
    "no_worker": (
        "Exports wait in a queue that no worker takes them from.",
        "Start a worker for that queue: waybill worker --queue NAME.",
    ),
    "rights_missing": (
        "The credentials lack a right to the bucket. The message names it.",
        "Grant the rights listed in docs/stores.md.",
    ),
    "topology_missing": (
        "An exchange or a queue of Waybill is missing in RabbitMQ.",
        "Run `waybill topology` as a user with the configure right.",
    ),
    "wrong_region": (
        "The bucket is in another region than the one that links are signed for.",
        "Set WAYBILL_S3_REGION to the region of the bucket, or remove it.",
    ),
}
