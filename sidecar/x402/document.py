"""A document from a stranger: bounded, readable in one way only, or refused.

Every function here raises ValueError, with a reason for people, and nothing else. What passes
can be written again as JSON: no infinity, no lone surrogate, no number that int() gives up on.
"""

from __future__ import annotations

import base64
import json
import math
import zlib
from typing import Any, NoReturn

HEADER_CHARS_MAX = 32 * 1024
BODY_BYTES_MAX = 256 * 1024
DEPTH_MAX = 16

_URL_SAFE_TO_STANDARD = str.maketrans("-_", "+/")


class Unreadable(ValueError):
    """A stranger's document that says nothing sure; its text is the reason."""


def decode_base64(text: str) -> bytes:
    """Base64 in either alphabet, padded or not: servers write all four."""
    digits = text.strip().rstrip("=").translate(_URL_SAFE_TO_STANDARD)
    return base64.b64decode(digits + "=" * (-len(digits) % 4), validate=True)


def inflate(body: bytes, coding: str) -> bytes:
    """A body without its Content-Encoding, never over BODY_BYTES_MAX bytes.

    A coding that is not gzip or deflate is left on: nothing that we look for is under it.
    """
    match coding.strip().lower():
        case "gzip" | "x-gzip":
            window_bits = 16 + zlib.MAX_WBITS
        case "deflate":
            # RFC 9110 means zlib's framing; some servers send the bare stream. Only the former
            # starts with the method number 8.
            zlib_framed = body[:1] != b"" and body[0] & 0x0F == 8
            window_bits = zlib.MAX_WBITS if zlib_framed else -zlib.MAX_WBITS
        case _:
            return body
    stream = zlib.decompressobj(window_bits)
    try:
        plain = stream.decompress(body, BODY_BYTES_MAX + 1)
    except zlib.error as fault:
        raise Unreadable(f"a body that is not {coding.strip().lower()}") from fault
    if len(plain) > BODY_BYTES_MAX:
        raise Unreadable(f"a body of over {BODY_BYTES_MAX} bytes when decompressed")
    if not stream.eof or stream.unused_data:
        raise Unreadable("a compressed body that ends too early or too late")
    return plain


def read_json(data: bytes) -> Any:
    """One JSON value, with no key twice in an object and at most DEPTH_MAX levels."""
    try:
        value = json.loads(
            data.decode("utf-8-sig"),
            object_pairs_hook=_object,
            parse_float=_finite,
            parse_constant=_not_json,
        )
    except RecursionError:
        raise Unreadable("it is nested too deep") from None
    if not _is_shallow(value):
        raise Unreadable(f"it is nested over {DEPTH_MAX} levels deep")
    # A lone surrogate arrives as an escape, and would break whatever stores or logs it.
    json.dumps(value, ensure_ascii=False).encode()
    return value


def shown(value: Any, chars_max: int) -> str:
    """What a stranger wrote, in at most ``chars_max`` characters that are safe to print."""
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    return "".join(char if char.isprintable() else " " for char in text[:chars_max])


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # Two readers of a key that is there twice could see two prices.
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise Unreadable("it has a key twice")
    return fields


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise Unreadable("it has a number that is too large")
    return number


def _not_json(name: str) -> NoReturn:
    raise Unreadable(f"it has {name}, which is not JSON")


def _is_shallow(value: Any) -> bool:
    layer = [value]
    for _ in range(DEPTH_MAX):
        layer = [
            child
            for node in layer
            if isinstance(node, dict | list)
            for child in (node.values() if isinstance(node, dict) else node)
        ]
        if not layer:
            return True
    # Leaves may lie one step below the deepest brackets.
    return not any(isinstance(node, dict | list) for node in layer)
