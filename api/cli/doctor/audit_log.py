"""What `waybill doctor` says of the audit log: who could rewrite it, and whether anybody has."""

from __future__ import annotations

from waybill.infra.bootstrap import Stack
from waybill.infra.tasks.audit_chain import AuditChain, AuditLogChanged

#: Checkpoints of the last day; `waybill audit-log verify` checks all of them.
_NEWEST = 24


def check_audit_log(stack: Stack) -> str:
    """Its triggers, the rights of this account, and its newest checkpoints."""
    stack.check_database()
    chain = AuditChain(stack.engine)
    protection = chain.protection()
    if protection is None:
        return "not made yet"
    if protection.missing:
        raise AuditLogChanged(
            f"Triggers of the audit log are missing or disabled: {', '.join(protection.missing)}."
        )
    found = chain.verify(newest=_NEWEST)
    rights = "this account may only add to it"
    if protection.may_rewrite:
        rights = "this account may rewrite it: give processes one that may only add to it"
    if stack.engine.dialect.name == "sqlite":
        rights = "who may write the file may rewrite it"
    growth = "" if stack.settings.audit_retention else "; it grows for ever: set WAYBILL_AUDIT_DAYS"
    return (
        f"{found.entries:,} entries of {found.checkpoints} checkpoints are unchanged; {rights}"
        f"{growth}"
    )
