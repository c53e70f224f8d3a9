"""Cause and remedy of the error codes of saved exports and schedules, in English."""

from __future__ import annotations

from collections.abc import Mapping

SCHEDULES: Mapping[str, tuple[str, str]] = {
    "saved_export_not_found": (
        "There is no saved export with this id, or it is not shared with you.",
        "Look at the list of saved exports.",
    ),
    "schedule_not_found": (
        "There is no schedule with this id, or it belongs to somebody else.",
        "Look at the list of schedules.",
    ),
    "name_taken": (
        "You already have a saved export with this name.",
        "Choose another name, or change the existing one.",
    ),
    "too_many_saved_exports": (
        "You have reached your limit of saved exports.",
        "Delete one that you no longer need.",
    ),
    "too_many_schedules": (
        "You have reached your limit of schedules.",
        "Delete one that you no longer need.",
    ),
    "changed_meanwhile": (
        "Somebody changed it after you read it.",
        "Read it again, and repeat your change.",
    ),
    "schedule_busy": (
        "The previous run of this schedule has not ended yet.",
        "Wait until it has ended. A run that is due meanwhile is skipped.",
    ),
    "owner_not_seen": (
        "The owner of the schedule has not logged in for so long that their rights are not known.",
        "The owner logs in and resumes it. If the owner has left, a colleague makes a schedule of "
        "their own.",
    ),
    "owner_revoked": (
        "The access of the schedule's owner was revoked.",
        "Its owner logs in again and resumes it, if they are to have access.",
    ),
    "saved_export_gone": (
        "The saved export of this schedule was deleted, or its owner no longer shares it.",
        "Choose another saved export for the schedule, or delete the schedule.",
    ),
    "failed_too_often": (
        "Several runs of this schedule failed in a row.",
        "Look at the failed exports for the cause, and then resume the schedule.",
    ),
}
