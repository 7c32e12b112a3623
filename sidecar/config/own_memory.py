"""What the system may show of this process: no core file, no debugger, no key in its environment.

A process that can be dumped can be read by every other one of its user. Python cannot wipe what
it has read; this keeps others from looking.
"""

from __future__ import annotations

import ctypes
import resource
import sys
from collections.abc import Collection
from pathlib import Path

# From linux/prctl.h.
SET_DUMPABLE = 4
# Where proc(5) has them, counted from behind the command's name.
_ENV_START, _ENV_END = 47, 48


def close_memory() -> None:
    """Leave no core file; on Linux, let nobody attach to us or read our /proc files."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(SET_DUMPABLE, 0, 0, 0, 0)


def return_memory() -> None:
    """Give back what starting took and freed, half a megabyte, where the C library can."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def environment_place() -> tuple[int, int]:
    """Where in our memory the environment is that we were started with: from, up to. Linux."""
    _, _, after = Path("/proc/self/stat").read_text().rpartition(")")
    words = after.split()
    return int(words[_ENV_START]), int(words[_ENV_END])


def overwrite_variables(names: Collection[str]) -> None:
    """Overwrite the values that this process was started with, which the system goes on showing.

    What Python has read of them stays in ``os.environ``. Nothing outside Linux.
    """
    if sys.platform != "linux" or not names:
        return
    at, end = environment_place()
    for variable in ctypes.string_at(at, end - at).split(b"\0"):
        name, _, value = variable.partition(b"=")
        if value and name.decode(errors="surrogateescape") in names:
            ctypes.memset(at + len(name) + 1, 0, len(value))
        at += len(variable) + 1
