"""JSON-RPC 2.0 as nodes of both chains serve it: one request or a batch, results or errors."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TypeAlias

from aiohttp import web

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602

BATCH_MAX = 100

Params: TypeAlias = list[object]
Methods: TypeAlias = Mapping[str, Callable[[Params], object]]


class RpcError(Exception):
    """A refusal with its JSON-RPC code, and what some of them add."""

    def __init__(self, code: int, sentence: str, data: object = None) -> None:
        self.code = code
        self.data = data
        super().__init__(sentence)


async def serve(request: web.Request, methods: Methods) -> web.Response:
    """Answer whatever the request's body asks for."""
    try:
        document = json.loads(await request.read())
    except (ValueError, RecursionError):
        return web.json_response(_failed(None, RpcError(PARSE_ERROR, "not JSON")))
    if not isinstance(document, list):
        return web.json_response(answer(document, methods))
    if not 0 < len(document) <= BATCH_MAX:
        refused = RpcError(INVALID_REQUEST, "an empty or too long batch")
        return web.json_response(_failed(None, refused))
    return web.json_response([answer(entry, methods) for entry in document])


def at(params: Params, position: int) -> object:
    """The parameter in this place, which must be there."""
    if len(params) <= position:
        raise RpcError(INVALID_PARAMS, f"missing value for required argument {position}")
    return params[position]


def object_in(value: object) -> dict[str, object]:
    """The value, which must be an object."""
    if not isinstance(value, dict):
        raise RpcError(INVALID_PARAMS, "not an object")
    return value


def answer(entry: object, methods: Methods) -> dict[str, object]:
    """The response to one request."""
    match entry:
        case {"jsonrpc": "2.0", "id": identifier, "method": str(method), **more}:
            params = more.get("params", [])
        case _:
            return _failed(None, RpcError(INVALID_REQUEST, "not a JSON-RPC 2.0 request"))
    call = methods.get(method)
    if call is None:
        return _failed(identifier, RpcError(METHOD_NOT_FOUND, f"no method {method[:100]}"))
    if not isinstance(params, list):
        return _failed(identifier, RpcError(INVALID_PARAMS, "params must be a list"))
    try:
        return {"jsonrpc": "2.0", "id": identifier, "result": call(params)}
    except RpcError as error:
        return _failed(identifier, error)


def _failed(identifier: object, refused: RpcError) -> dict[str, object]:
    error: dict[str, object] = {"code": refused.code, "message": str(refused)}
    if refused.data is not None:
        error["data"] = refused.data
    return {"jsonrpc": "2.0", "id": identifier, "error": error}
