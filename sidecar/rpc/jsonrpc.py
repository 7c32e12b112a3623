"""One JSON-RPC question, and its answer or a fault. No fault says the URL: it often holds a key."""

from __future__ import annotations

import json
from collections.abc import Generator
from typing import Any, TypeAlias, TypeVar

from sidecar.document import read_json, shown
from sidecar.errors import RemoteProtocolError
from sidecar.http import HttpRequest, HttpResponse

REQUEST_ID = 1
ERROR_CHARS_MAX = 200

T = TypeVar("T")
# Written out, so that a function's own signature shows that it is a generator.
Asks: TypeAlias = Generator[HttpRequest, HttpResponse, T]


def ask(url: str, method: str, params: list[Any]) -> Asks[Any]:
    """One question, and the ``result`` of its answer."""
    question = {"jsonrpc": "2.0", "id": REQUEST_ID, "method": method, "params": params}
    response = yield HttpRequest(
        "POST",
        url,
        (
            ("Content-Type", "application/json"),
            ("Accept", "application/json"),
            # Bodies are read as they come.
            ("Accept-Encoding", "identity"),
        ),
        json.dumps(question, separators=(",", ":")).encode(),
    )
    if response.status != 200:
        raise RemoteProtocolError(f"{method} was answered with status {response.status}")
    try:
        answer = read_json(response.body)
    except ValueError:
        raise RemoteProtocolError(f"{method} was not answered with JSON") from None
    if not isinstance(answer, dict) or answer.get("jsonrpc") != "2.0":
        raise RemoteProtocolError(f"{method} was not answered with JSON-RPC 2.0")
    if answer.get("error") is not None:
        raise RemoteProtocolError(f"{method} failed: {_fault(answer['error'])}")
    # True is 1 to Python, and so is 1.0.
    if type(answer.get("id")) is not int or answer["id"] != REQUEST_ID:
        raise RemoteProtocolError(f"{method} was given another question's answer")
    if "result" not in answer:
        raise RemoteProtocolError(f"{method} was answered without a result")
    return answer["result"]


def _fault(error: Any) -> str:
    """What the endpoint says went wrong, in words that are safe to print."""
    match error:
        case {"code": int(code), "message": str(message)}:
            return f"{shown(message, ERROR_CHARS_MAX)} ({shown(code, 20)})"
        case _:
            return "without a reason"
