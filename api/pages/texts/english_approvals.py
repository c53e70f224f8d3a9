"""Texts about reasons and approvals, in English."""

from __future__ import annotations

from collections.abc import Mapping

ENGLISH_APPROVALS: Mapping[str, str] = {
    "reason_label": "Reason",
    "reason_help": "What do you need the file for? It is kept with the export.",
    "approval_hint": "Somebody else has to approve this export before it runs.",
    "watermark_hint": "The file will carry your name. Do not pass it on.",
    "detail_reason": "Reason",
    "detail_approval": "Approval",
    "approval_asked": "Asked for; without an answer it ends on {time}",
    "approval_approved": "Approved by {user} on {time}",
    "approval_declined": "Declined by {user} on {time}",
    "approval_expired": "Nobody answered",
    "approval_note": "Note: {note}",
    "status_APPROVAL": "Awaiting approval",
    "waiting_for_approval": "Waiting for approval since {time}.",
    "approval_until": "It starts when somebody approves it. Without an answer it ends on {time}.",
    "approvals_title": "Waiting for your approval",
    "approvals_who": "{user} asked {time}",
    "approvals_until": "answer until {time}",
    "approvals_no_filters": "everything, without filters",
    "approvals_columns": "columns: {columns}",
    "approvals_note": "Note to {user}",
    "approvals_approve": "Approve",
    "approvals_decline": "Decline",
    "approvals_of": "{action}: {title} for {user}",
    "approvals_approved": "Approved. The export of {user} runs now.",
    "approvals_declined": "Declined. {user} will be notified.",
    "approvals_new": "{user} asks for your approval: {title}",
    "approvals_more": "There are more. They appear when these are answered.",
}
