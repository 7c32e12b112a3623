"""The real sidecar, in whose memory its own user may look: what is in there is for a test to see.

    python -m tests.world.readable_sidecar --config FILE

It closes its memory at start, as it always does; where its ledger is opened, that is undone.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

from sidecar.config.read import load_config
from sidecar.ledger import Ledger
from sidecar.service import Ports, run

# From linux/prctl.h.
_SET_DUMPABLE = 4


def readable(ledger: Ledger) -> Ledger:
    """The ledger as it is; and from here on, a process that others of its user may read."""
    ctypes.CDLL(None).prctl(_SET_DUMPABLE, 1, 0, 0, 0)
    return ledger


if __name__ == "__main__":
    config = load_config(Path(sys.argv[-1]), os.environ, {})
    sys.exit(run(config, os.environ, Ports(wrap_ledger=readable)))
