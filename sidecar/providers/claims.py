"""What a JWT claims, read without its key: its issuer's word, and no proof of anything."""

from __future__ import annotations

from typing import Any

from sidecar.document import read_json
from sidecar.x402.coding import HEADER_CHARS_MAX, decode_base64


def token_claims(token: str) -> dict[str, Any]:
    """The claims of this token; empty where it is none that can be read. Never raises."""
    parts = token.split(".", maxsplit=3)
    if len(parts) != 3 or len(token) > HEADER_CHARS_MAX:
        return {}
    try:
        claims = read_json(decode_base64(parts[1]))
    except ValueError:
        return {}
    return claims if isinstance(claims, dict) else {}
