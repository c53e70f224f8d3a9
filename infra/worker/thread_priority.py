"""The priority of threads: those of an export in shards yield processors to short exports."""

from __future__ import annotations

import os
import sys
import threading

#: Steps of `nice`. At five a thread gets a third of what its neighbours get, and all that they
#: leave (sched(7): each step is a factor of 1.25).
_STEPS = 5
_LEAST = 19


def yield_to_others() -> None:
    """Lower the priority of this thread, and of the threads that it starts from now on.

    To lower it again changes nothing. Does nothing outside Linux, where the priority is that of the
    whole process.
    """
    if sys.platform != "linux":
        return
    thread = threading.get_native_id()
    # That of the process is that of its first thread.
    lower = min(os.getpriority(os.PRIO_PROCESS, os.getpid()) + _STEPS, _LEAST)
    own = os.getpriority(os.PRIO_PROCESS, thread)
    os.setpriority(os.PRIO_PROCESS, thread, max(own, lower))
