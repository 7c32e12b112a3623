"""A request's body on its way to the upstream, a piece at a time.

Who answers early may hang up with it, and a write to an upstream that has done so ends our
connection, with all that was not read from it yet. So whatever it has said is read first.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import AsyncIterator

from aiohttp import ClientError
from aiohttp.connector import Connection

# How many turns of the loop what has arrived may take to be read: two, on the slower of the loops.
_TURNS = 3


async def send_on(connection: Connection, body: AsyncIterator[bytes], chunked: bool) -> None:
    """Send it as it comes, no faster than the upstream takes it."""
    poll = select.poll()
    if connection.transport is not None:
        poll.register(connection.transport.get_extra_info("socket").fileno(), select.POLLIN)
    try:
        async for chunk in body:
            for _ in range(_TURNS):
                if connection.transport is None or not poll.poll(0):
                    break
                await asyncio.sleep(0)
            protocol, transport = connection.protocol, connection.transport
            if protocol is None or transport is None or transport.is_closing():
                return
            if chunked:
                transport.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
            else:
                transport.write(chunk)
            await protocol._drain_helper()
        if chunked and connection.transport is not None:
            connection.transport.write(b"0\r\n\r\n")
    except (ClientError, OSError, TimeoutError):
        # The app went away, or the upstream did: half a body must never look whole.
        connection.close()
