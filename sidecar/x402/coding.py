"""How a challenge is wrapped: base64 in a header, a content coding on a body; both bounded."""

from __future__ import annotations

import base64
import binascii
import zlib

from sidecar.document import Unreadable

HEADER_CHARS_MAX = 32 * 1024
BODY_BYTES_MAX = 256 * 1024

_URL_SAFE_TO_STANDARD = str.maketrans("-_", "+/")


def decode_base64(text: str) -> bytes:
    """Base64 in either alphabet, padded or not: servers write all four. Else ValueError."""
    try:
        # Nearly all write it as it should be.
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        digits = text.strip().rstrip("=").translate(_URL_SAFE_TO_STANDARD)
        return base64.b64decode(digits + "=" * (-len(digits) % 4), validate=True)


def inflate(body: bytes, coding: str) -> bytes:
    """A body without its Content-Encoding, never over BODY_BYTES_MAX bytes.

    A coding that is not gzip or deflate is left on: nothing that we look for is under it.
    ValueError when the body is broken, or over the bound.
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
