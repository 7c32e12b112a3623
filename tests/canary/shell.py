"""Runs commands of the sidecar one after the other, in one process: starting Python takes longest.

    python -m tests.canary.shell < JOBS

JOBS is a JSON array of [arguments, what is typed]. Each command is announced by a line.
"""

from __future__ import annotations

import io
import json
import sys

from sidecar.cli import main as sidecar


def main() -> int:
    """0 when each command ended by itself, well or not."""
    for argv, typed in json.loads(sys.stdin.read()):
        print(f"$ sidecar {' '.join(argv)}", file=sys.stderr, flush=True)
        sys.stdin = io.StringIO(typed)
        try:
            status = sidecar(argv)
        except SystemExit as wrong:
            status = int(str(wrong.code))
        sys.stdout.flush()
        print(f"= {status}", file=sys.stderr, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
