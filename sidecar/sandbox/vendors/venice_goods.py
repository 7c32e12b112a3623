"""What Venice sells: OpenAI's answers with a cost, and a stricter reading of requests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal

from sidecar.document import read_json
from sidecar.sandbox import goods
from sidecar.sandbox.goods import Goods

DONE = b"data: [DONE]\n\n"

# fmt: off
_CHAT = frozenset({
    "model", "messages", "frequency_penalty", "presence_penalty", "repetition_penalty",
    "logprobs", "top_logprobs", "max_tokens", "max_completion_tokens", "max_temp", "min_temp",
    "min_p", "n", "prompt_cache_key", "reasoning", "reasoning_effort", "response_format",
    "seed", "stop", "stop_token_ids", "stream", "stream_options", "temperature", "top_k",
    "top_p", "tools", "tool_choice", "parallel_tool_calls", "user", "venice_parameters",
})
# fmt: on
_EMBEDDINGS = frozenset({"model", "input", "encoding_format", "dimensions", "user"})


def unknown_fields(path: str, body: bytes) -> list[str]:
    """The top-level fields of a request that Venice does not know, and refuses."""
    try:
        document = read_json(body)
    except ValueError:
        return []
    known = _CHAT if path.endswith("/chat/completions") else _EMBEDDINGS
    return sorted(document.keys() - known) if isinstance(document, dict) else []


def chat_completion(body: bytes, cost: Mapping[str, Decimal]) -> Goods:
    """One JSON answer with its cost, or a stream whose last chunk has usage and cost."""
    made = goods.chat_completion(body)
    if made.status != 200:
        return made
    shown = {currency: float(amount) for currency, amount in cost.items()}
    if not made.streamed:
        answer = json.loads(made.body) | {"cost": shown}
        return Goods((json.dumps(answer).encode(),))
    *parts, final, done = made.parts
    last = json.loads(final.removeprefix(b"data: "))
    usage = last.pop("usage")
    trailer = last | {"choices": [], "usage": usage, "cost": shown}
    assert done == DONE
    return Goods((*parts, _event(last), _event(trailer), done), content_type=made.content_type)


def embeddings(body: bytes, cost: Mapping[str, Decimal]) -> Goods:
    """Vectors. Venice tells no cost with them."""
    return goods.embeddings(body)


def identity_of(made: Goods) -> tuple[str, str]:
    """The id of an answer and its model, as the list of charges tells them."""
    first = made.parts[0].removeprefix(b"data: ")
    answer = json.loads(first)
    return str(answer.get("id", "")), str(answer.get("model", ""))


def _event(document: object) -> bytes:
    return b"data: " + json.dumps(document).encode() + b"\n\n"


def invalid(unknown: list[str]) -> Goods:
    """The 400 that names the fields."""
    details = {name: {"_errors": ["Unrecognized key"]} for name in unknown}
    document = {"error": "Invalid request parameters", "details": details}
    return Goods((json.dumps(document).encode(),), status=400)
