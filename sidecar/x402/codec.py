"""Reads what a seller asks: v1 and v2, header and body, into the one model.

Tolerant of dialects, because real sellers mix them: v2 in the header, v2 in the body, v1 names
in v2. Strict about whatever has two readings, because those are how one price is shown and
another one paid. Each entry's own words are kept in ``original`` for the echo.
Source: x402.md 1.1, 1.2, 1.5; the bounds are those of threats.md.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from sidecar.chains import caip2
from sidecar.document import Unreadable, read_json, shown, told
from sidecar.errors import RemoteProtocolError
from sidecar.http import Headers, HttpResponse, header_values
from sidecar.x402.coding import BODY_BYTES_MAX, HEADER_CHARS_MAX, decode_base64, inflate
from sidecar.x402.types import PaymentRequired, PaymentRequirements

ACCEPTS_MAX = 32
ERROR_CHARS_MAX = 300
# A seller says the same again and again; this many challenges, if so short, are read once.
CHALLENGES_KEPT = 64
KEPT_CHARS_MAX = 4 * 1024
TIMEOUT_S_DEFAULT = 60
# Sellers that mean "no limit" write the largest integer of JavaScript.
TIMEOUT_S_MAX = 2**53

_SECONDS = re.compile(r"[0-9]{1,16}", re.ASCII)


def read_payment_required(response: HttpResponse) -> PaymentRequired | None:
    """The payment that this response asks for; None when it asks for none.

    The PAYMENT-REQUIRED header counts first; where it does not decode, or is missing, a body
    with x402Version does. RemoteProtocolError when there is a challenge and it cannot be read,
    is over a bound, or is there twice.
    """
    header = _challenge_header(response.headers)
    header_fault = ""
    if header is not None:
        try:
            return (_kept if len(header) <= KEPT_CHARS_MAX else _read_header)(header)
        except ValueError as fault:
            header_fault = (
                f"a PAYMENT-REQUIRED header that cannot be read: {shown(str(fault), 200)}"
            )
    body = _challenge_body(response)
    if body is not None:
        return (_kept_body if len(body) <= KEPT_CHARS_MAX else _read_body)(body)
    if header_fault:
        raise RemoteProtocolError(header_fault)
    return None


def _read_header(header: str) -> PaymentRequired:
    return _payment_required(_challenge(read_json(decode_base64(header))))


def _read_body(body: bytes) -> PaymentRequired:
    try:
        challenge = _challenge(read_json(body))
    except ValueError as fault:
        raise RemoteProtocolError(
            f"a 402 body that cannot be read: {shown(str(fault), 200)}"
        ) from fault
    return _payment_required(challenge)


# Every word that decides stands in these, and nobody changes what was read from them.
_kept = lru_cache(CHALLENGES_KEPT)(_read_header)
_kept_body = lru_cache(CHALLENGES_KEPT)(_read_body)


def _challenge_header(headers: Headers) -> str | None:
    values = header_values(headers, "payment-required")
    if len(values) > 1:
        raise RemoteProtocolError("a 402 with more than one PAYMENT-REQUIRED header")
    if values and len(values[0]) > HEADER_CHARS_MAX:
        raise RemoteProtocolError(f"a PAYMENT-REQUIRED header of over {HEADER_CHARS_MAX} bytes")
    return values[0] if values else None


def _challenge_body(response: HttpResponse) -> bytes | None:
    """The body without its coding; None where there is no challenge in it."""
    if len(response.body) > BODY_BYTES_MAX:
        raise RemoteProtocolError(f"a 402 body of over {BODY_BYTES_MAX} bytes")
    codings = header_values(response.headers, "content-encoding")
    try:
        body = inflate(response.body, codings[0]) if len(codings) == 1 else response.body
    except ValueError as fault:
        raise RemoteProtocolError(f"a 402 with {fault}") from fault
    return body if b'"x402Version"' in body else None


def _challenge(document: Any) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise Unreadable("it is not an object")
    version = document.get("x402Version")
    # True is 1 to Python; the echo must carry a number.
    if type(version) is not int or version not in {1, 2}:
        raise Unreadable(f"its x402Version is {shown(version, 20)}, and not 1 or 2")
    return document


def _payment_required(challenge: dict[str, Any]) -> PaymentRequired:
    offers = challenge.get("accepts", [])
    if not isinstance(offers, list):
        raise RemoteProtocolError("a 402 whose accepts is not an array")
    if len(offers) > ACCEPTS_MAX:
        raise RemoteProtocolError(f"a 402 with {len(offers)} accepts, over {ACCEPTS_MAX}")
    accepts: list[PaymentRequirements] = []
    unreadable: list[str] = []
    for position, offer in enumerate(offers):
        try:
            accepts.append(_requirements(offer))
        except ValueError as fault:
            unreadable.append(f"accepts[{position}]: {fault}")
    error = challenge.get("error")
    extensions = challenge.get("extensions")
    return PaymentRequired(
        x402_version=challenge["x402Version"],
        accepts=tuple(accepts),
        resource=_resource(challenge, accepts),
        extensions=extensions if isinstance(extensions, dict) else {},
        error="" if error is None else told(error, ERROR_CHARS_MAX),
        unreadable=tuple(unreadable),
    )


def _resource(challenge: dict[str, Any], accepts: list[PaymentRequirements]) -> Any:
    """What is sold, as written: v1 says so in every entry, v2 once."""
    if challenge["x402Version"] == 1 and accepts:
        return accepts[0].original.get("resource")
    return challenge.get("resource")


def _requirements(offer: Any) -> PaymentRequirements:
    if not isinstance(offer, dict):
        raise Unreadable("it is not an object")
    extra = offer.get("extra")
    if extra is not None and not isinstance(extra, dict):
        raise Unreadable("its extra is not an object")
    network = _text(offer, "network")
    return PaymentRequirements(
        scheme=_text(offer, "scheme"),
        network=caip2(network) or network,
        asset=_text(offer, "asset"),
        amount=_amount(offer),
        pay_to=_text(offer, "payTo"),
        max_timeout_seconds=_seconds(offer.get("maxTimeoutSeconds")),
        extra=extra or {},
        original=offer,
    )


def _text(offer: dict[str, Any], key: str) -> str:
    value = offer.get(key)
    if not isinstance(value, str) or not value:
        raise Unreadable(f"its {key} is not a string with something in it")
    return value


def _amount(offer: dict[str, Any]) -> str:
    """v2 says amount and v1 maxAmountRequired; some v2 sellers say the latter."""
    amounts = {
        offer[key] if isinstance(offer[key], str) else None
        for key in ("amount", "maxAmountRequired")
        if offer.get(key) is not None
    }
    match list(amounts):
        case [str(amount)]:
            return amount
        case []:
            raise Unreadable("it has no amount")
        case _:
            raise Unreadable("its amount is not one string")


def _seconds(value: Any) -> int:
    match value:
        case None:
            return TIMEOUT_S_DEFAULT
        # Before int: True is 1 to Python.
        case bool():
            seconds = -1
        case int():
            seconds = value
        case float() if value.is_integer():
            seconds = int(value)
        case str() if _SECONDS.fullmatch(value):
            seconds = int(value)
        case _:
            seconds = -1
    if not 0 <= seconds <= TIMEOUT_S_MAX:
        raise Unreadable("its maxTimeoutSeconds is not a number of seconds")
    return seconds
