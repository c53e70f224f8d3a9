"""Approval: who has to agree before an export of a dataset runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from pydantic import BaseModel

from waybill.exporter.datasets.principal import Principal
from waybill.exporter.errors import ExportRejected, PermissionDenied


class ApprovalNeeded(PermissionDenied):
    """Rows of this dataset are given out only after an approval."""

    code = "approval_needed"


class ApprovalDeclined(ExportRejected):
    """The approver declined the request."""

    code = "approval_declined"


class ApprovalExpired(ExportRejected):
    """Nobody answered the request for approval in time."""

    code = "approval_expired"


@dataclass(frozen=True, slots=True)
class ApprovalRequest:
    """An export that waits for an approval, as a rule sees it."""

    dataset: str
    requester: Principal
    params: BaseModel
    format: str
    #: Why the requester needs the file; empty if no reason was given.
    reason: str = ""


#: Whether the person may approve the request: ``rule(person, request)``.
ApprovalRule = Callable[[Principal, ApprovalRequest], bool]


@dataclass(frozen=True, slots=True)
class Approval:
    """Who may approve the exports of a dataset, and how long a request waits for an answer.

    An approver is always of the requester's tenant, may export the dataset too, and is not the
    requester.

    Raises:
        ValueError: `within` is not positive.
    """

    #: The name of a role, or a function ``rule(person, request)``. It is called for each request in
    #: an approver's list, so it should be quick.
    by: str | ApprovalRule
    #: A request without an answer ends after this time.
    within: timedelta = timedelta(days=7)
    #: An address that gets a mail for each request; its domain is in ``WAYBILL_MAIL_DOMAINS``.
    mail: str | None = None

    def __post_init__(self) -> None:
        if self.within <= timedelta(0):
            raise ValueError("the time for an answer has to be positive")

    @classmethod
    def of(cls, declared: Approval | str | ApprovalRule | None) -> Approval | None:
        """What `@dataset` was given."""
        if declared is None or isinstance(declared, Approval):
            return declared
        return cls(declared)

    def may_be_given_by(self, person: Principal, request: ApprovalRequest) -> bool:
        """Whether `person` may approve `request`, as far as this rule says. Never the requester."""
        requester = request.requester
        if person.tenant != requester.tenant or person.user == requester.user:
            return False
        if isinstance(self.by, str):
            return self.by in person.roles
        return bool(self.by(person, request))
