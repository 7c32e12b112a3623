"""SQLite without its counts of memory, which nobody reads: a tenth of what a payment's writes take.

It counts each allocation and release under a lock for all threads. It can be told not to before
it is first used only, and Python's module uses it where it is imported: so this one is imported
before. Where that is too late, or the library is not found, it counts as ever.
"""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress
from importlib.machinery import ModuleSpec
from importlib.util import find_spec

_CONFIG_MEMSTATUS = 9  # sqlite.org/c3ref/c_config_covering_index_scan.html


def leave_out(module: ModuleSpec | None, platform: str = sys.platform) -> bool:
    """Tell the library that this module is linked with; whether it will count nothing."""
    # Elsewhere a function of any number of arguments may be called another way.
    if module is None or module.origin is None or platform != "linux":
        return False
    with suppress(OSError, AttributeError):
        return bool(ctypes.CDLL(module.origin).sqlite3_config(_CONFIG_MEMSTATUS, 0) == 0)
    return False


leave_out(find_spec("_sqlite3"))
