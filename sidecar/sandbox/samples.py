"""What costs nothing: models, a count of tokens, bytes to download, sinks for files and uploads."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from aiohttp import web

from sidecar.sandbox import goods
from sidecar.sandbox.options import SandboxOptions
from sidecar.sandbox.replies import failure

PIECE_BYTES = 65_536
PIECE = bytes(range(256)) * (PIECE_BYTES // 256)


class Samples:
    """The free endpoints."""

    def __init__(self, options: SandboxOptions) -> None:
        self._transfer_bytes_max = options.transfer_bytes_max

    async def models(self, request: web.Request) -> web.Response:
        """GET /v1/models."""
        return web.json_response(goods.models())

    async def count_tokens(self, request: web.Request) -> web.Response:
        """POST /v1/messages/count_tokens."""
        made = goods.counted(await request.read())
        return web.Response(status=made.status, body=made.body, content_type=made.content_type)

    async def keep_file(self, request: web.Request) -> web.Response:
        """POST /v1/files: what was in the form; its bytes are counted, and not kept."""
        purpose, name, size = "", "", 0
        try:
            form = await request.post()
        except ValueError:
            return failure(400, "the body is no form")
        match form.get("file"):
            case web.FileField(filename=str(name), file=content):
                size = len(content.read())
            case _:
                return failure(400, "send the file as a form's field named file")
        purpose = str(form.get("purpose", ""))
        return web.json_response(
            {
                "id": f"file-{goods.mark_of(f'{name}{size}'.encode())}",
                "object": "file",
                "bytes": size,
                "created_at": goods.CREATED_S,
                "filename": name,
                "purpose": purpose,
                "status": "processed",
            }
        )

    async def download(self, request: web.Request) -> web.StreamResponse:
        """GET /v1/bytes/<n>: n bytes that count from 0 to 255, over and over."""
        size = int(request.match_info["size"])
        if size > self._transfer_bytes_max:
            return failure(413, f"at most {self._transfer_bytes_max} bytes")
        response = web.StreamResponse()
        response.content_type = "application/octet-stream"
        response.content_length = size
        try:
            await response.prepare(request)
            for piece in _pieces(size):
                await response.write(piece)
            await response.write_eof()
        except ConnectionError:
            # The client has had enough.
            return response
        return response

    async def upload(self, request: web.Request) -> web.Response:
        """POST or PUT /v1/upload: how many bytes came, and their hash. Nothing is kept."""
        digest = hashlib.sha256()
        received = 0
        async for piece in request.content.iter_chunked(PIECE_BYTES):
            received += len(piece)
            if received > self._transfer_bytes_max:
                return failure(413, f"at most {self._transfer_bytes_max} bytes")
            digest.update(piece)
        return web.json_response({"bytes": received, "sha256": digest.hexdigest()})


def _pieces(size: int) -> Iterator[bytes]:
    for start in range(0, size, PIECE_BYTES):
        yield PIECE[: min(PIECE_BYTES, size - start)]
