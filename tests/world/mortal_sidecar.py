"""The real sidecar, which kills itself with SIGKILL at a named moment around a port call.

    python -m tests.world.mortal_sidecar CONFIG "after ledger.authorize" 1
    python -m tests.world.mortal_sidecar CONFIG "after ledger.authorize" 1 freeze

The moment is one side of one port call; the number says at which of its occasions. The second one
stands still there until somebody sends SIGCONT. No code of the sidecar knows of this: the ports
are wrapped from outside.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from sidecar.config.read import load_config
from sidecar.service import Ports, run


def _both_sides(*calls: str) -> tuple[str, ...]:
    return tuple(f"{side} {call}" for call in calls for side in ("before", "after"))


MOMENTS = _both_sides(
    "ledger.reserve",
    "ledger.authorize",
    "upstream.send",
    "ledger.conclude",
)
# Of one whose answer is streamed, those that differ.
STREAMED_MOMENTS = _both_sides(
    "ledger.post",
    "ledger.deliver",
)
# The same of a request on a prepaid route whose account is empty.
TOP_UP_MOMENTS = _both_sides(
    "ledger.newest_top_up",
    "ledger.reserve",
    "ledger.authorize",
    "upstream.send",
    "ledger.post",
    "ledger.deliver",
)


class Mortal:
    """A port that ends the process at its moment, or stops it."""

    def __init__(
        self, port: str, target: Any, moment: str, occasion: int, by: signal.Signals
    ) -> None:
        self._port, self._target, self._moment = port, target, moment
        self._left, self._by = occasion, by

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._target, name)

        async def call(*args: Any, **kw: Any) -> Any:
            self._pass(f"before {self._port}.{name}")
            result = await method(*args, **kw)
            self._pass(f"after {self._port}.{name}")
            return result

        return call

    def _pass(self, moment: str) -> None:
        if moment != self._moment:
            return
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), self._by)


def main() -> int:
    """Run until killed, or stopped."""
    path, moment, occasion = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    by = signal.SIGSTOP if sys.argv[4:] == ["freeze"] else signal.SIGKILL
    ports = Ports(
        wrap_ledger=lambda ledger: Mortal("ledger", ledger, moment, occasion, by),
        wrap_upstream=lambda upstream: Mortal("upstream", upstream, moment, occasion, by),
    )
    return run(load_config(path, os.environ, {}), os.environ, ports)


if __name__ == "__main__":
    sys.exit(main())
