"""What a process does to keep its memory to itself: no core file, no debugger, no environment."""

from __future__ import annotations

import ctypes
import os
import resource
from collections.abc import MutableMapping
from pathlib import Path

from sidecar.errors import ConfigError

# From linux/prctl.h.
_SET_DUMPABLE = 4
_SET_NO_NEW_PRIVS = 38
# Where proc(5) has them, counted from behind the command's name.
_ENV_START, _ENV_END = 47, 48


def harden() -> None:
    """Before the key is read. ConfigError when the system does not do it."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    libc = ctypes.CDLL(None, use_errno=True)
    # Not dumpable: others of our own user can neither attach to us nor read our /proc files.
    for option, value in ((_SET_DUMPABLE, 0), (_SET_NO_NEW_PRIVS, 1)):
        if libc.prctl(option, value, 0, 0, 0) != 0:
            raise ConfigError(f"this system refuses prctl: {os.strerror(ctypes.get_errno())}")


def forget_environment(environ: MutableMapping[str, str]) -> None:
    """Empty it, and overwrite what the process was started with: a key may have been in there."""
    environ.clear()
    _, _, after = Path("/proc/self/stat").read_text().rpartition(")")
    words = after.split()
    start, end = int(words[_ENV_START]), int(words[_ENV_END])
    ctypes.memset(start, 0, end - start)
