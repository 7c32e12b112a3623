"""What is priced: where it is asked for, and what makes the answer."""

from __future__ import annotations

from collections.abc import Mapping

from sidecar.sandbox import goods, responses
from sidecar.sandbox.goods import Make

PRICED: Mapping[tuple[str, str], Make] = {
    ("POST", "/v1/chat/completions"): goods.chat_completion,
    ("POST", "/v1/responses"): responses.response,
    ("POST", "/v1/messages"): goods.message,
    ("POST", "/v1/embeddings"): goods.embeddings,
    ("POST", "/v1/paid"): goods.paid,
    ("GET", "/v1/paid"): goods.paid,
}
