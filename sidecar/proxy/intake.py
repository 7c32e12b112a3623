"""A request on the fast lane whose body has not come whole yet."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sidecar.proxy.boarding import BoardingConnection
from sidecar.proxy.calls import Asked
from sidecar.proxy.passage import Passage
from sidecar.proxy.turn import HUNG_UP

if TYPE_CHECKING:
    from sidecar.proxy.express import Express

# How long the rest may take to come before it is somebody else's affair.
COLLECT_S = 1.0


class Intake:
    """Collects the body; then it is on its way, or the parser's."""

    __slots__ = (
        "_asked",
        "_began_s",
        "_connection",
        "_express",
        "_gaps",
        "_late",
        "_left",
        "_length",
        "_parts",
    )

    def __init__(
        self,
        express: Express,
        connection: BoardingConnection,
        asked: Asked,
        gaps: tuple[Sequence[bytes], bytes],
        left: int,
        began_s: float,
    ) -> None:
        self._express = express
        self._connection = connection
        self._asked, self._gaps = asked, gaps
        self._length, self._left = int(gaps[1]), left
        self._began_s = began_s
        self._parts: list[bytes] = []
        self._late: asyncio.TimerHandle | None = None

    def begin(self, data: bytes) -> None:
        """The head is in these bytes, and what there is of the body."""
        self._parts.append(data)
        self._late = self._connection.call_later(COLLECT_S, self._decline)
        self._connection.enter(self)

    def more(self, data: bytes) -> bool:
        self._parts.append(data)
        self._left -= len(data)
        if self._left < 0:
            self._decline()
        elif self._left == 0:
            self._stop_waiting()
            whole = b"".join(self._parts)
            self._send(whole, whole[len(whole) - self._length :])
        return True

    def app_gone(self) -> None:
        self._stop_waiting()
        self._express.forget(self._asked.call, self._length)
        request_id = self._express.ids.next()
        self._express.endings.note(
            self._asked.call, request_id, self._began_s, 0.0, (HUNG_UP, "failed", "")
        )
        self._connection.leave()

    def app_slow(self) -> None:
        pass

    def app_ready(self) -> None:
        pass

    def _send(self, whole: bytes, body: bytes) -> None:
        """All of it is here: on its way."""
        asked = self._asked
        dress = asked.call.dress
        assert dress is not None
        text = asked.render(dress, *self._gaps, body)
        began = Passage(self._express, self._connection, asked, dress, self._began_s)
        began.send(whole, body, text)

    def _decline(self) -> None:
        """Nothing was sent: the parser has what came, as it came."""
        self._stop_waiting()
        self._express.forget(self._asked.call, self._length)
        self._connection.decline(self._parts)

    def _stop_waiting(self) -> None:
        assert self._late is not None
        self._late.cancel()
