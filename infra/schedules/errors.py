"""Errors of saved exports and schedules, and the reasons for which a schedule is paused."""

from __future__ import annotations

from waybill.exporter.errors import ExportRejected


class SavedExportNotFound(ExportRejected, KeyError):
    """There is no such saved export."""

    code = "saved_export_not_found"


class ScheduleNotFound(ExportRejected, KeyError):
    """There is no such schedule."""

    code = "schedule_not_found"


class NameTaken(ExportRejected):
    """You have a saved export of this name already."""

    code = "name_taken"


class TooManySavedExports(ExportRejected):
    """You have as many saved exports as you may have; delete one first."""

    code = "too_many_saved_exports"


class TooManySchedules(ExportRejected):
    """You have as many schedules as you may have; delete one first."""

    code = "too_many_schedules"


class ChangedMeanwhile(ExportRejected):
    """It was changed after you read it."""

    code = "changed_meanwhile"


class ScheduleBusy(ExportRejected):
    """The last run of this schedule is still under way."""

    code = "schedule_busy"


class OwnerNotSeen(ExportRejected):
    """The owner of the schedule has not been here for a long time."""

    code = "owner_not_seen"


class OwnerRevoked(ExportRejected):
    """The access of the schedule's owner was revoked."""

    code = "owner_revoked"


class SavedExportGone(ExportRejected):
    """The saved export of this schedule was deleted, or is no longer shared."""

    code = "saved_export_gone"


class FailedTooOften(ExportRejected):
    """The runs of this schedule failed too often in a row."""

    code = "failed_too_often"
