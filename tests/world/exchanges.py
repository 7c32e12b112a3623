"""Conversations held in memory: what they ask, and what they make of the answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

from sidecar.http import Exchange, HttpRequest, HttpResponse

T = TypeVar("T")


def hold(exchange: Exchange[T], answer: Callable[[HttpRequest], HttpResponse]) -> T:
    """What the conversation returns when each of its requests is answered so."""
    try:
        request = next(exchange)
        while True:
            request = exchange.send(answer(request))
    except StopIteration as done:
        result: T = done.value
        return result


def in_silence(exchange: Exchange[T]) -> T:
    """What a conversation that asks nothing returns."""

    def refuse(request: HttpRequest) -> HttpResponse:
        raise AssertionError(f"asked for {request.url}")

    return hold(exchange, refuse)


def answered(result: object) -> HttpResponse:
    """A JSON-RPC response with this result."""
    document = {"jsonrpc": "2.0", "id": 1, "result": result}
    return HttpResponse(200, (), json.dumps(document).encode())


def failed(code: int, message: str) -> HttpResponse:
    """A JSON-RPC response with this error."""
    document = {"jsonrpc": "2.0", "id": 1, "error": {"code": code, "message": message}}
    return HttpResponse(200, (), json.dumps(document).encode())


def question_in(request: HttpRequest) -> tuple[str, list[Any]]:
    """The method and the parameters of a JSON-RPC request."""
    question = json.loads(request.body)
    return question["method"], question["params"]
