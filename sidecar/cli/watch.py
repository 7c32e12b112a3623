"""``sidecar status --watch``: how the running sidecar is, again whenever that has changed.

A screen that is drawn anew on a terminal; else the tables, or with ``--json`` one line of JSON,
for each change. A sidecar that goes away for a while is waited for.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Callable, Mapping
from typing import Any

from sidecar.cli.status import read_status, show_status
from sidecar.clock import SystemClock
from sidecar.errors import RemoteProtocolError, UpstreamError

LOOK_EVERY_S = 1.0
# They change by themselves.
_RUNNING = frozenset({"now", "uptime_s"})


def watch(url: str, *, as_json: bool) -> int:
    """Until it is interrupted. UpstreamError or RemoteProtocolError where nothing is to be seen."""
    # As by Ctrl-C: a screen that is drawn on is given back.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if as_json:
        asyncio.run(_watch(url, _write_line))
    elif not sys.stdout.isatty():
        asyncio.run(_watch(url, _write_tables))
    else:
        # It takes a tenth of a second to load, which only a person who looks is worth.
        from sidecar.cli.live import live_screen  # noqa: PLC0415 - see above

        with live_screen() as draw:
            asyncio.run(_watch(url, draw, always=True))
    return 0


async def _watch(
    url: str, show: Callable[[Mapping[str, Any]], None], *, always: bool = False
) -> None:
    """``always``: also what has only grown older."""
    clock = SystemClock()
    seen: Mapping[str, Any] | None = None
    while True:
        try:
            answer = await read_status(url)
        except (UpstreamError, RemoteProtocolError) as fault:
            if seen is None:
                raise
            answer = {"error": fault.diagnostics()}
        changed = {name: value for name, value in answer.items() if name not in _RUNNING}
        if always or changed != seen:
            show(answer)
        seen = changed
        await clock.sleep(LOOK_EVERY_S)


def _write_line(answer: Mapping[str, Any]) -> None:
    print(json.dumps(answer), flush=True)


def _write_tables(answer: Mapping[str, Any]) -> None:
    show_status(answer)
    print(flush=True)
