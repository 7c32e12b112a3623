"""Nodit's API itself: what it asks of a request, and what it answers."""

from __future__ import annotations

import hashlib

from sidecar.document import read_json
from sidecar.values import dataclass

BATCH_MAX = 100


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that makes sense: how many calls it is, and their answer."""

    calls: int
    answer: object


def read_call(path: str, body: bytes) -> Asked | str:
    """Read the body of an API call; a sentence where it makes no sense."""
    try:
        document = read_json(body)
    except ValueError as error:
        return f"the body is not JSON: {error}"
    if not path.endswith("/json-rpc"):
        if not isinstance(document, dict):
            return "the body is not an object"
        digest = hashlib.sha256(body).hexdigest()
        return Asked(1, {"operation": path.rsplit("/", 1)[1], "sha256": digest})
    calls = document if isinstance(document, list) else [document]
    if not 0 < len(calls) <= BATCH_MAX:
        return f"a batch has 1 to {BATCH_MAX} calls"
    answers: list[object] = []
    for call in calls:
        match call:
            case {"jsonrpc": "2.0", "id": identity, "method": str(method)}:
                said = hashlib.sha256(method.encode()).hexdigest()
                answers.append({"jsonrpc": "2.0", "id": identity, "result": f"0x{said}"})
            case _:
                return "not a JSON-RPC 2.0 request"
    return Asked(len(calls), answers if isinstance(document, list) else answers[0])
