"""Which headers cross, in each direction (threats.md: header games, echoed secrets).

The app's credentials, cookies and payments stop here, in every spelling; the provider's payment
challenge and any secret of ours that it echoes stop on the way back.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from sidecar.http import HOP_BY_HOP, Header, Headers, end_to_end, header_values
from sidecar.x402.headers import REQUEST_PAYMENT_HEADERS, without_challenge

# Hop-by-hop ones are named again here for their underscore spellings.
_REQUEST_DROPPED = (REQUEST_PAYMENT_HEADERS | HOP_BY_HOP) | {
    "host",
    "content-length",
    "expect",
    "authorization",
    "x-api-key",
    "api-key",
    "openai-organization",
    "openai-project",
    "cookie",
    "forwarded",
    "accept-encoding",
}
_REQUEST_DROPPED_PREFIXES = ("proxy-", "x-forwarded-", "sec-fetch-", "x-sidecar-")
# What a 402 may be compressed with and still be read here.
_READABLE_CODINGS = frozenset({"gzip", "deflate", "identity"})
# Apps' parsers give up on larger fields, and a paid answer would be lost with them.
RESPONSE_FIELD_CHARS_MAX = 32 * 1024
_COOKIES = frozenset({"set-cookie", "set-cookie2"})


def request_headers(headers: Headers, credential: Headers, reads_bodies: bool = False) -> Headers:
    """The app's headers as the provider may see them, with ours in place of its credentials.

    ``reads_bodies``: the answer is to come unencoded, because its cost is read from it.
    """
    kept = [header for header in end_to_end(headers) if not _is_dropped(header[0])]
    codings = "identity" if reads_bodies else _readable_codings(headers)
    if codings:
        kept.append(("Accept-Encoding", codings))
    return (*kept, *credential)


@lru_cache(maxsize=1024)
def _is_dropped(name: str) -> bool:
    # CGI-style servers read an underscore as a dash.
    plain = name.lower().replace("_", "-")
    return plain in _REQUEST_DROPPED or plain.startswith(_REQUEST_DROPPED_PREFIXES)


def _readable_codings(headers: Headers) -> str:
    offered = ",".join(header_values(headers, "accept-encoding")).split(",")
    kept = [
        coding.strip()
        for coding in offered
        if coding.partition(";")[0].strip().lower() in _READABLE_CODINGS
    ]
    if not kept and any(coding.strip() for coding in offered):
        return "identity"
    return ", ".join(kept)


def response_headers(headers: Headers, secrets: Sequence[str], *added: Header) -> Headers:
    """The provider's headers as the app may see them: challenge, cookies and secrets are gone."""
    kept = tuple(
        header
        for header in without_challenge(end_to_end(headers, also_drop=_COOKIES))
        if len(header[1]) <= RESPONSE_FIELD_CHARS_MAX
        and not any(secret in header[1] for secret in secrets)
    )
    return kept + added
