"""Whose fault an error is: the one declaration that decides what it costs a task.

Everything in Waybill may import this module; it imports nothing of Waybill.
"""

from __future__ import annotations

from enum import StrEnum


class Fault(StrEnum):
    """Where the cause of an error lies. Every error class states it as `fault`.

    A fault of the installation costs a task time and no attempt: the task waits until the part
    works again, or until ``WAYBILL_GIVE_UP_AFTER``. Every other fault counts as an attempt.
    """

    #: The task itself: another attempt would fail the same way.
    TASK = "task"
    #: It cannot be known: another attempt may succeed.
    UNKNOWN = "unknown"
    #: The object store: away, refusing our credentials, full, or of another time than we are.
    STORAGE = "storage"
    #: The database the rows are read from: away, or refusing our account.
    SOURCE = "source"

    @property
    def of_installation(self) -> bool:
        """Whether a part of the installation is at fault, and no task is."""
        return self in (Fault.STORAGE, Fault.SOURCE)
