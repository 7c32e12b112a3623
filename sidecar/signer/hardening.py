"""What a process does to keep its memory to itself: no core file, no debugger, no environment."""

from __future__ import annotations

import ctypes
import os
import resource
from collections.abc import MutableMapping

from sidecar.config.own_memory import SET_DUMPABLE, environment_place
from sidecar.errors import ConfigError

_SET_NO_NEW_PRIVS = 38  # from linux/prctl.h


def harden() -> None:
    """Before the key is read. ConfigError when the system does not do it."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    libc = ctypes.CDLL(None, use_errno=True)
    # Not dumpable: others of our own user can neither attach to us nor read our /proc files.
    for option, value in ((SET_DUMPABLE, 0), (_SET_NO_NEW_PRIVS, 1)):
        if libc.prctl(option, value, 0, 0, 0) != 0:
            raise ConfigError(f"this system refuses prctl: {os.strerror(ctypes.get_errno())}")


def forget_environment(environ: MutableMapping[str, str]) -> None:
    """Empty it, and overwrite what the process was started with: a key may have been in there."""
    environ.clear()
    start, end = environment_place()
    ctypes.memset(start, 0, end - start)
