"""Which headers cross, in each direction (threats.md: header games, echoed secrets).

The app's credentials, cookies and payments stop here, in every spelling; the provider's payment
challenge and any secret of ours that it echoes stop on the way back.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Sequence
from functools import lru_cache
from itertools import compress
from operator import itemgetter, not_

from sidecar.http import (
    HOP_BY_HOP,
    Header,
    Headers,
    end_to_end,
    header_values,
    lowered_names,
    named_in_connection,
)
from sidecar.x402.headers import (
    REQUEST_PAYMENT_HEADERS,
    RESPONSE_PAYMENT_HEADERS,
    without_challenge,
)

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
# No signature is shorter.
SIGNED_CHARS_MIN = 86
_RECEIPTS = frozenset({"payment-response", "x-payment-response"})
# An EVM signature, or in base64 the words of a payment and of a sign-in, wherever they start.
_SIGNATURE = re.compile(
    "0x[0-9a-fA-F]{130}|"
    + "|".join(
        re.escape(
            b64encode(bytes(before) + word)[-(-before * 8 // 6) : (before + len(word)) * 8 // 6]
        ).decode()
        for word in (b'"payload":{"', b'"signature":"')
        for before in range(3)
    ),
    re.ASCII,
)
_COOKIES = frozenset({"set-cookie", "set-cookie2"})
# Of an answer's headers, those that some rule by name may stop. Most answers have none of them.
_LOOKED_AT = HOP_BY_HOP | _COOKIES | RESPONSE_PAYMENT_HEADERS | {"www-authenticate"}


def request_headers(headers: Headers, credential: Headers, reads_bodies: bool = False) -> Headers:
    """The app's headers as the provider may see them, with ours in place of its credentials.

    ``reads_bodies``: the answer is to come unencoded, because its cost is read from it.
    """
    stops = list(map(_is_dropped, map(itemgetter(0), headers)))
    dropped = list(compress(headers, stops))
    kept = list(compress(headers, map(not_, stops)))
    listed = named_in_connection(dropped) - HOP_BY_HOP
    if listed:
        kept = [header for header in kept if header[0].lower() not in listed]
    # It is dropped as it came, so it is among these.
    codings = "identity" if reads_bodies else _readable_codings(dropped)
    if codings:
        kept.append(("Accept-Encoding", codings))
    return (*kept, *credential)


@lru_cache(maxsize=1024)
def _is_dropped(name: str) -> bool:
    # CGI-style servers read an underscore as a dash.
    plain = name.lower().replace("_", "-")
    return plain in _REQUEST_DROPPED or plain.startswith(_REQUEST_DROPPED_PREFIXES)


def _readable_codings(headers: Sequence[Header]) -> str:
    return _readable(",".join(header_values(headers, "accept-encoding")))


@lru_cache(maxsize=128)
def _readable(accepted: str) -> str:
    offered = accepted.split(",")
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
    if not _LOOKED_AT.isdisjoint(lowered_names(headers)):
        headers = without_challenge(end_to_end(headers, also_drop=_COOKIES))
    kept = [
        header
        for header in headers
        if len(header[1]) < SIGNED_CHARS_MIN
        or (len(header[1]) <= RESPONSE_FIELD_CHARS_MAX and not _is_signed(*header))
    ]
    for secret in secrets:
        kept = [header for header in kept if secret not in header[1]]
    return (*kept, *added)


def credential_secrets(credential: Headers) -> tuple[str, ...]:
    """What of this credential must not come back to the app."""
    return tuple(value.rpartition(" ")[2] for _, value in credential)


def _is_signed(name: str, value: str) -> bool:
    """Whether this repeats a payment or a sign-in of ours. Receipts are the seller's own words."""
    if len(value) < SIGNED_CHARS_MIN or name.lower() in _RECEIPTS:
        return False
    return _SIGNATURE.search(value) is not None
