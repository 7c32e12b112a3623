"""The real signer, which kills itself with SIGKILL around a write to its journal.

    python -m tests.world.mortal_signer "after append" 3 --socket PATH --rules FILE

The moment is before a write, amid it (half of the line is in the file) or after it; the number
says at which write. No code of the signer knows of this: the journal is wrapped from outside.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from sidecar.signer.books import Entry
from sidecar.signer.journal import Record
from sidecar.signer.process import Ports, main

MOMENTS = ("before append", "amid append", "after append")


class MortalJournal:
    """A journal that ends the process at its moment."""

    def __init__(self, journal: Record, path: Path, moment: str, occasion: int) -> None:
        self._journal, self._path = journal, path
        self._moment, self._left = moment, occasion

    def append(self, entry: Entry) -> None:
        self._left -= 1
        size = self._path.stat().st_size
        if self._left == 0 and self._moment == "before append":
            os.kill(os.getpid(), signal.SIGKILL)
        self._journal.append(entry)
        if self._left == 0:
            if self._moment == "amid append":
                os.truncate(self._path, (size + self._path.stat().st_size) // 2)
            os.kill(os.getpid(), signal.SIGKILL)


def run() -> int:
    """Run until killed."""
    moment, occasion = sys.argv[1], int(sys.argv[2])
    path = Path(sys.argv[sys.argv.index("--rules") + 1]).parent / "signer.journal"
    ports = Ports(wrap_journal=lambda journal: MortalJournal(journal, path, moment, occasion))
    return main(sys.argv[3:], os.environ, ports)


if __name__ == "__main__":
    sys.exit(run())
