"""What the seller sells: answers in the shapes that OpenAI and Anthropic clients expect.

Pure and deterministic. An answer's id comes from the request body, so that an answer which went to
the wrong caller is noticed.
"""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from collections.abc import Callable, Mapping

from sidecar.values import dataclass

CREATED_S = 1_735_689_600
DIMENSIONS = 8


@dataclass(frozen=True, slots=True)
class Goods:
    """An answer: one part, or the parts of a stream. A handler that refuses has status 400."""

    parts: tuple[bytes, ...]
    content_type: str = "application/json"
    status: int = 200

    @property
    def streamed(self) -> bool:
        """Whether the parts are sent one by one, without a length."""
        return self.content_type == "text/event-stream"

    @property
    def body(self) -> bytes:
        """All parts together."""
        return b"".join(self.parts)


Make = Callable[[bytes], Goods]


class UnusableError(Exception):
    """The request makes no sense to this handler."""


def chat_completion(body: bytes) -> Goods:
    """POST /v1/chat/completions: one JSON answer, or server-sent events ended by [DONE]."""
    try:
        request, said = _read(body)
    except UnusableError as error:
        return openai_refusal(str(error))
    text = f"The sandbox heard: {said}"
    words = pieces_of(text)
    usage = {
        "prompt_tokens": len(pieces_of(said)),
        "completion_tokens": len(words),
        "total_tokens": len(pieces_of(said)) + len(words),
    }
    head = {"id": f"chatcmpl-{mark_of(body)}", "created": CREATED_S, "model": request["model"]}
    if request.get("stream") is not True:
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return as_json({**head, "object": "chat.completion", "choices": [choice], "usage": usage})

    def event(delta: Mapping[str, str], finish: str | None, **more: object) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return _data({**head, "object": "chat.completion.chunk", "choices": [choice], **more})

    return as_stream(
        event({"role": "assistant", "content": ""}, None),
        *(event({"content": word}, None) for word in words),
        event({}, "stop", usage=usage),
        b"data: [DONE]\n\n",
    )


def message(body: bytes) -> Goods:
    """POST /v1/messages: one Anthropic message, or its named events."""
    try:
        request, said = _read(body)
    except UnusableError as error:
        return _anthropic_refusal(str(error))
    text = f"The sandbox heard: {said}"
    words = pieces_of(text)
    usage = {"input_tokens": len(pieces_of(said)), "output_tokens": len(words)}
    whole = {
        "id": f"msg_{mark_of(body)}",
        "type": "message",
        "role": "assistant",
        "model": request["model"],
        "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": usage,
    }
    if request.get("stream") is not True:
        return as_json(whole)
    start = {**whole, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 0}}
    block = {"type": "text", "text": ""}
    ended = {"stop_reason": "end_turn", "stop_sequence": None}
    return as_stream(
        named_event("message_start", message=start),
        named_event("content_block_start", index=0, content_block=block),
        *(
            named_event("content_block_delta", index=0, delta={"type": "text_delta", "text": word})
            for word in words
        ),
        named_event("content_block_stop", index=0),
        named_event("message_delta", delta=ended, usage=usage),
        named_event("message_stop"),
    )


def embeddings(body: bytes) -> Goods:
    """POST /v1/embeddings: vectors made from a hash, as numbers or as base64 floats."""
    try:
        request = read_request(body)
        inputs = request.get("input")
        texts = [inputs] if isinstance(inputs, str) else inputs
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise UnusableError("input must be a string or a list of strings")
    except UnusableError as error:
        return openai_refusal(str(error))
    packed = request.get("encoding_format") == "base64"
    data = [
        {"object": "embedding", "index": index, "embedding": _vector(text, packed=packed)}
        for index, text in enumerate(texts)
    ]
    tokens = sum(len(pieces_of(text)) for text in texts)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return as_json({"object": "list", "data": data, "model": request["model"], "usage": usage})


def counted(body: bytes) -> Goods:
    """POST /v1/messages/count_tokens, which is free: what a message would be counted as."""
    try:
        _, said = _read(body)
    except UnusableError as error:
        return _anthropic_refusal(str(error))
    return as_json({"input_tokens": len(pieces_of(said))})


def paid(body: bytes) -> Goods:
    """GET and POST /v1/paid: says what it was sent."""
    digest = hashlib.sha256(body).hexdigest()
    return as_json({"paid": True, "bytes": len(body), "sha256": digest})


def models() -> dict[str, object]:
    """GET /v1/models, which is free."""
    one = {"id": "sandbox-1", "object": "model", "created": CREATED_S, "owned_by": "sandbox"}
    return {"object": "list", "data": [one]}


def _read(body: bytes) -> tuple[dict[str, object], str]:
    """The request, and what its last message says."""
    request = read_request(body)
    return request, last_text(request.get("messages"), "messages")


def last_text(messages: object, name: str) -> str:
    """What the last of these messages says. UnusableError where it says nothing."""
    if not isinstance(messages, list) or not messages:
        raise UnusableError(f"{name} must be a list with something in it")
    match messages[-1]:
        case {"content": str(said)} | {"content": [*_, {"text": str(said)}]}:
            return said[:2_000]
        case _:
            raise UnusableError("the last message has no text")


def read_request(body: bytes) -> dict[str, object]:
    """The request as a document that names a model. UnusableError where it is none."""
    try:
        request = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise UnusableError(f"the body is not JSON: {error}") from error
    if not isinstance(request, dict) or not isinstance(request.get("model"), str):
        raise UnusableError("the body must be an object with a model")
    return request


def openai_refusal(sentence: str) -> Goods:
    """A 400 as OpenAI words it."""
    error = {"message": sentence, "type": "invalid_request_error", "param": None, "code": None}
    return as_json({"error": error}, status=400)


def _anthropic_refusal(sentence: str) -> Goods:
    fault = {"type": "invalid_request_error", "message": sentence}
    return as_json({"type": "error", "error": fault}, status=400)


def as_json(document: object, status: int = 200) -> Goods:
    """One JSON document."""
    return Goods((json.dumps(document).encode(),), status=status)


def as_stream(*parts: bytes) -> Goods:
    """Server-sent events, one by one."""
    return Goods(parts, content_type="text/event-stream")


def _data(document: object) -> bytes:
    return b"data: " + json.dumps(document).encode() + b"\n\n"


def named_event(name: str, **fields: object) -> bytes:
    """An event with its name, in its head and in its data."""
    return f"event: {name}\n".encode() + _data({"type": name, **fields})


def pieces_of(text: str) -> list[str]:
    """The text in words, each with the space after it."""
    return [word for word in text.replace(" ", " \n").split("\n") if word]


def mark_of(body: bytes) -> str:
    """What makes the id of an answer to this request."""
    return hashlib.sha256(body).hexdigest()[:24]


def _vector(text: str, *, packed: bool) -> object:
    digest = hashlib.sha256(text.encode()).digest()
    numbers = [byte / 256 for byte in digest[:DIMENSIONS]]
    if packed:
        return base64.b64encode(struct.pack(f"<{DIMENSIONS}f", *numbers)).decode()
    return numbers
