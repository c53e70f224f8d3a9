"""The state machine of a task: the only code that inserts one or changes its status.

::

             submit, join               reuse
                  │                       │
                  ▼       share           ▼  expire, lose
        ┌──────PENDING──────────────►SUCCESS────────►EXPIRED
        │     │ │   ▲                     ▲
        │     │ │   │ fail, rescue,       │
        │claim│ │   │ release, postpone   │
        │     ▼ │   │                     │
        │    PROCESSING───────────────────┘
        │     │ │ │         finish
        │     │ │ └──────────────────►FAILED
        │     │ │ fail, rescue: no attempt left
        │     │ └─── give_up ────────►FAILED
        │     │      decline, approval_expired
        ▼     │
     CANCELLED◄ cancel; fail, rescue, release, postpone: cancellation was requested

=========  ================================  =====================  ==========================
move       from → to                         made for               wake-up
=========  ================================  =====================  ==========================
submit     – → PENDING                       a user                 ``run``
ask        – → PENDING                       a user, who needs an   none: nobody may claim it
                                             approval               yet
join       – → PENDING                       a user, as a follower  none: its leader runs
reuse      – → SUCCESS                       a user; a fresh file   none
claim      PENDING → PROCESSING              a worker               none
finish     PROCESSING → SUCCESS              a worker               none
fail       PROCESSING → PENDING, FAILED,     a worker               ``retry``, later; ``dead``:
           CANCELLED                                                a dead letter
rescue     as fail                           the sweeper            as fail
release    PROCESSING → PENDING, CANCELLED   a worker that stops    ``release``
postpone   PROCESSING → PENDING, CANCELLED   a worker; the          ``postpone``, later
                                             installation is ill
give_up    PENDING → FAILED                  the sweeper: it came   ``dead``: a dead letter
                                             back too late
decline    PENDING → FAILED                  an approver            none
approval_  PENDING → FAILED                  the sweeper: nobody    none
expired                                      answered
cancel     PENDING → CANCELLED               a user                 none
share      PENDING → SUCCESS                 a follower             none
expire     SUCCESS → EXPIRED                 the sweeper            none
lose       SUCCESS → EXPIRED                 who finds that the     none
                                             file is gone
=========  ================================  =====================  ==========================

Without a change of status: an approver lets a task be claimed (``approve``), cancelling a
PROCESSING task asks its worker to stop, a worker pauses an export so that others pass
(``step_aside``, ``go_on``), and a follower whose leader ended without a file leads or runs alone
(``lead``). A retry by a user submits a new task.

Each move is one conditional UPDATE whose WHERE clause says what must still be true, so of two
processes that try at once one changes nothing, whatever it believes. Its audit row, its wake-up
and, for a move that ends the task, the side effects of `complete` are part of the caller's
transaction.
"""

from __future__ import annotations

from waybill.infra.tasks.lifecycle.transitions.approving import (
    AWAITS_ANSWER,
    approve,
    ask,
    decline,
    end_unanswered,
)
from waybill.infra.tasks.lifecycle.transitions.claiming import claim, due_parameters, is_due
from waybill.infra.tasks.lifecycle.transitions.completion import promote_follower
from waybill.infra.tasks.lifecycle.transitions.moves import Conditions, update_tasks
from waybill.infra.tasks.lifecycle.transitions.steps import (
    cancel,
    expire,
    fail,
    finish,
    give_up,
    go_on,
    join,
    lose,
    postpone,
    release,
    reuse,
    step_aside,
    submit,
)

__all__ = [
    "AWAITS_ANSWER",
    "Conditions",
    "approve",
    "ask",
    "cancel",
    "claim",
    "decline",
    "due_parameters",
    "end_unanswered",
    "expire",
    "fail",
    "finish",
    "give_up",
    "go_on",
    "is_due",
    "join",
    "lose",
    "postpone",
    "promote_follower",
    "release",
    "reuse",
    "step_aside",
    "submit",
    "update_tasks",
]
