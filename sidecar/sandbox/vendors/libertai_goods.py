"""What LibertAI's models answer, and how many tokens it took.

As with OpenAI, a stream tells its usage only where ``stream_options.include_usage`` asks for it.
What the gateway is told of the usage does not depend on that.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

from sidecar.sandbox.goods import Goods
from sidecar.sandbox.shelf import PRICED
from sidecar.sandbox.vendors.libertai_terms import Usage, usage_in
from sidecar.values import dataclass

DONE = b"data: [DONE]\n\n"


@dataclass(frozen=True, slots=True)
class Inference:
    """An answer, and its usage; None where the model refused."""

    goods: Goods
    usage: Usage | None


def infer(path: str, body: bytes, document: Mapping[str, object]) -> Inference | None:
    """What the model says; None when there is no such endpoint."""
    make = PRICED.get(("POST", path))
    # It has neither the newer API of OpenAI nor what only rehearses.
    if make is None or path in ("/v1/paid", "/v1/responses"):
        return None
    goods = make(body)
    if goods.status >= 400:
        return Inference(goods, None)
    if not goods.streamed:
        return Inference(goods, usage_in(goods.body))
    # The same request without a stream takes the same, and says so.
    whole = make(json.dumps({**document, "stream": False}).encode())
    streamed = goods if goods.parts[-1] != DONE else _with_usage_as_asked(goods, document)
    return Inference(streamed, usage_in(whole.body))


def _with_usage_as_asked(goods: Goods, document: Mapping[str, object]) -> Goods:
    *first, last, done = goods.parts
    chunk = json.loads(last.removeprefix(b"data: "))
    usage = chunk.pop("usage")
    parts = [*first, _data(chunk)]
    match document.get("stream_options"):
        case {"include_usage": True}:
            parts.append(_data({**chunk, "choices": [], "usage": usage}))
        case _:
            pass
    return replace(goods, parts=(*parts, done))


def _data(document: object) -> bytes:
    return b"data: " + json.dumps(document).encode() + b"\n\n"
