"""Errors of settings and of the task database that they name, in a module that loads neither."""

from __future__ import annotations

from waybill.exporter.errors import InvalidRequest, WaybillError


class BadSettings(InvalidRequest):
    """A setting cannot be used. The message names it and never repeats its value."""

    code = "bad_settings"


class DatabaseUnavailable(WaybillError):
    """The task database cannot be reached."""

    code = "database_unavailable"


class DatabaseReadOnly(DatabaseUnavailable):
    """The task database takes no writes: it is a standby, or was set to read-only."""

    code = "database_read_only"


class TablesMissing(DatabaseUnavailable):
    """The task tables are missing, or of another version. Run `waybill migrate`."""

    code = "database_not_migrated"


class ClockSkew(WaybillError):
    """The clock of this machine disagrees with that of the task database or the object store."""

    code = "clock_skew"
    retry = False
