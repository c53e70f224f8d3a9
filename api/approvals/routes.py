"""``/api/approvals``, and the answers to exports that wait for one."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter

from waybill.api.approvals.schemas import ApprovalAnswer, ApprovalBody, ApprovalList
from waybill.api.approvals.service import approve, decline, waiting_for
from waybill.api.context import ServicesDep
from waybill.api.exports.view import TASKS_PATH
from waybill.api.http.strict_json import StrictRoute
from waybill.api.problems.documents import problem_docs
from waybill.api.session.auth import Caller

router = APIRouter(tags=["approvals"], route_class=StrictRoute)

_PROBLEMS = problem_docs(400, 401, 403, 404, 409, 413, 415, 422)


@router.get("/api/approvals", response_model=ApprovalList, responses=problem_docs(401))
def list_approvals(user: Caller, services: ServicesDep) -> ApprovalList:
    """Exports of others that wait for the caller's approval, oldest first."""
    return waiting_for(services, user)


@router.post(f"{TASKS_PATH}/{{task_id}}/approve", response_model=ApprovalBody, responses=_PROBLEMS)
def approve_export(
    task_id: UUID, body: ApprovalAnswer, user: Caller, services: ServicesDep
) -> ApprovalBody:
    """Approve an export of somebody else: it runs with the rights of its requester.

    Repeating the call changes nothing.
    """
    return approve(services, user, task_id, body.note)


@router.post(f"{TASKS_PATH}/{{task_id}}/decline", response_model=ApprovalBody, responses=_PROBLEMS)
def decline_export(
    task_id: UUID, body: ApprovalAnswer, user: Caller, services: ServicesDep
) -> ApprovalBody:
    """Decline an export of somebody else: it ends as `FAILED`, with `approval_declined`.

    Repeating the call changes nothing.
    """
    return decline(services, user, task_id, body.note)
