"""The real sidecar, whose event loop hangs once: when the first request goes to the upstream.

    python -m tests.world.hanging_sidecar CONFIG

It tells the service manager's socket when the loop stops turning and when it goes on, from the
very thread that hangs. Other threads of it go on meanwhile.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from pathlib import Path
from typing import Any

from sidecar.config.read import load_config
from sidecar.service import Ports, run

HANGS_S = 2.0
MANAGER = os.environ["NOTIFY_SOCKET"]


class Hanging:
    """An upstream that stops everything, the first time that it is used."""

    def __init__(self, target: Any) -> None:
        self._target = target

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._target, name)

        async def call(*args: Any, **kw: Any) -> Any:
            if not hung:
                hung.append(name)
                tell("HANGS")
                time.sleep(HANGS_S)  # noqa: ASYNC251 - what this is for
                tell("GOES ON")
            return await method(*args, **kw)

        return call


hung: list[str] = []


def tell(state: str) -> None:
    """One message, as the sidecar's own are."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as telling:
        telling.sendto(state.encode(), MANAGER)


if __name__ == "__main__":
    config = load_config(Path(sys.argv[1]), os.environ, {})
    sys.exit(run(config, os.environ, Ports(wrap_upstream=Hanging)))
