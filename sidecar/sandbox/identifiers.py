"""The payment-identifier extension (x402.md 5.3): one purchase keeps one id.

The same id with the same signed payload is the same payment. The same id with another payload is
a client that signed twice for one purchase, and gets a 409.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping

IDENTIFIER = "payment-identifier"
DECLARATION: dict[str, object] = {
    "info": {"required": False},
    "schema": {
        "type": "object",
        "properties": {"required": {"type": "boolean"}, "id": {"type": "string"}},
    },
}

_GRAMMAR = re.compile(r"[A-Za-z0-9_-]{16,128}", re.ASCII)


def identifier_in(extensions: Mapping[str, object]) -> str | None:
    """The id that the payment carries, as it stands; None when it carries none."""
    match extensions.get(IDENTIFIER):
        case {"info": {"id": str(identifier)}}:
            return identifier
        case _:
            return None


def is_identifier(text: str) -> bool:
    """Whether this is 16 to 128 characters of the allowed alphabet."""
    return _GRAMMAR.fullmatch(text) is not None


class Identifiers:
    """Which signed payload each id stood for when it was first seen."""

    def __init__(self) -> None:
        self._payloads: dict[str, str] = {}

    def conflicts(self, identifier: str, payload: object) -> bool:
        """Whether this id has stood for another payload. Remembers the first one."""
        text = json.dumps(payload, sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()
        return self._payloads.setdefault(identifier, digest) != digest
