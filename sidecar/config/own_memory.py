"""This process's memory: what the system may show of it, and how little of it there need be.

No core file, no debugger, no key in its environment.

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
# From malloc.h.
ARENA_MAX = -8
# Where proc(5) has them, counted from behind the command's name.
_ENV_START, _ENV_END = 47, 48


def close_memory() -> None:
    """Leave no core file; on Linux, let nobody attach to us or read our /proc files."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(SET_DUMPABLE, 0, 0, 0, 0)


def use_one_heap() -> None:
    """Let every thread allocate from one heap, before there is another thread. glibc only."""
    _call("mallopt", ARENA_MAX, 1)


def return_memory() -> None:
    """Give back what starting took and freed, half a megabyte. glibc only."""
    _call("malloc_trim", 0)


def _call(name: str, *values: int) -> None:
    function = getattr(ctypes.CDLL(None), name, None)
    if function is not None:
        function(*values)


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
