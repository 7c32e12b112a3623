"""An upstream's answer whose body is still on its way, and how it went wrong if it did."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

from aiohttp import ClientError, ClientPayloadError
from aiohttp.connector import Connection
from aiohttp.http import HttpProcessingError, RawResponseMessage
from aiohttp.streams import StreamReader

from sidecar.errors import UpstreamError, UpstreamTimeoutError
from sidecar.http import Headers, read_headers

FAULT_CHARS_MAX = 200
# How it sets its quotation off; in a fault within a fault that is escaped.
_QUOTE = re.compile(r"\n\n|\\n\\n|b['\"]")


class StreamedReply:
    """A response whose body is still arriving; ``http.Reply``."""

    __slots__ = ("_connection", "_payload", "_upload", "headers", "status")

    def __init__(
        self,
        message: RawResponseMessage,
        payload: StreamReader,
        connection: Connection,
        upload: asyncio.Task[None] | None,
    ) -> None:
        self.status = message.code
        self.headers: Headers = read_headers(message.raw_headers)
        self._payload = payload
        self._connection = connection
        self._upload = upload

    @property
    def is_here(self) -> bool:
        """Whether all of it has come, so that nobody who reads it has to wait."""
        return self._payload.is_eof() and self._payload.exception() is None

    async def chunks(self) -> AsyncIterator[bytes]:
        if self.is_here:
            whole = self._payload.read_nowait()
            if whole:
                yield whole
            self.close()
            return
        protocol = self._connection.protocol
        closed = None if self._payload.is_eof() or protocol is None else protocol.closed
        if closed is not None:
            closed.add_done_callback(self._end)
        try:
            while chunk := await self._payload.readany():
                yield chunk
        except TimeoutError as fault:
            raise UpstreamTimeoutError("the upstream went silent in its response") from fault
        except (ClientError, OSError, HttpProcessingError) as fault:
            raise UpstreamError(f"the upstream's response was cut short: {told(fault)}") from fault
        finally:
            if closed is not None:
                closed.remove_done_callback(self._end)
        self.close()

    def _end(self, _: object) -> None:
        """The connection is gone: aiohttp tells nobody when it gives up on a body's framing."""
        if not self._payload.is_eof() and self._payload.exception() is None:
            self._payload.set_exception(ClientPayloadError("its framing is malformed"))

    def close(self) -> None:
        uploading = self._upload is not None and not self._upload.done()
        # A body that was not read, or sent, to its end would be taken for the next message.
        if self._payload.is_eof() and not uploading:
            self._connection.release()
            return
        if self._upload is not None:
            self._upload.cancel()
        self._connection.close()


def told(fault: Exception) -> str:
    """What went wrong, without the bytes that aiohttp's parser quotes: they may repeat ours."""
    text = fault.message if isinstance(fault, HttpProcessingError) else str(fault)
    reason = _QUOTE.split(text, maxsplit=1)[0]
    return " ".join(reason.split())[:FAULT_CHARS_MAX].rstrip(":")
