"""What the sellers sell: an OpenAI-shaped API, which knows nothing of payments.

Free: ``GET /v1/models``, ``GET /count``. For sale: ``GET /v1/paid-models`` and
``POST /v1/chat/completions``, which streams when asked to.
``/count`` says how often each of the two for sale was served.
"""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse

CREATED = 1_700_000_000
MODEL = "test-model"
HEADER_BYTES_MAX = 128 * 1024


def arguments(about: str) -> ArgumentParser:
    """The options that every seller takes."""
    parser = ArgumentParser(description=about)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--facilitator", required=True, help="its URL")
    parser.add_argument("--pay-to", required=True, help="the payee, put on the wire verbatim")
    parser.add_argument("--price", default="0.01", help="for one call, in USDC")
    return parser


def serve(app: FastAPI, options: Namespace) -> None:
    """Listen on the loopback until stopped, and take headers of any size that we test."""
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=options.port,
        http="h11",
        h11_max_incomplete_event_size=HEADER_BYTES_MAX,
        log_level="warning",
    )


def build() -> FastAPI:
    """The application, without a price."""
    app = FastAPI()
    served: Counter[str] = Counter()

    @app.get("/count")
    async def count() -> dict[str, int]:
        return dict(served)

    @app.get("/v1/models")
    async def models() -> dict[str, Any]:
        return _models()

    @app.get("/v1/paid-models")
    async def paid_models() -> dict[str, Any]:
        served["models"] += 1
        return _models()

    @app.post("/v1/chat/completions")
    async def complete(request: Request) -> Any:
        served["completions"] += 1
        asked = await request.json()
        words = f"You said: {asked['messages'][-1]['content']}".split(" ")
        if asked.get("stream"):
            return StreamingResponse(_events(words), media_type="text/event-stream")
        return _completion(" ".join(words))

    return app


def _models() -> dict[str, Any]:
    row = {"id": MODEL, "object": "model", "created": CREATED, "owned_by": "the-seller"}
    return {"object": "list", "data": [row]}


def _completion(content: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": content}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": CREATED,
        "model": MODEL,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }


def _chunk(delta: dict[str, str], finish_reason: str | None) -> str:
    chunk = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": CREATED,
        "model": MODEL,
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}],
    }
    return f"data: {json.dumps(chunk)}\n\n"


async def _events(words: list[str]) -> AsyncIterator[str]:
    for number, word in enumerate(words):
        yield _chunk({"content": word if number == 0 else f" {word}"}, None)
    yield _chunk({}, "stop")
    yield "data: [DONE]\n\n"
