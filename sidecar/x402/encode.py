"""Writes what we answer: the payment header, in the version that the seller spoke.

The header is made in two steps, because they are apart in time: the envelope is stored with the
payment, and the payload holds a signature, which is not. The same two give the same bytes, also
after a restart. Source: x402.md 1.3, 1.5, 5.3.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from typing import Any

from sidecar.http import Header
from sidecar.x402.types import Json, PaymentRequired, PaymentRequirements

PAYMENT_IDENTIFIER = "payment-identifier"

_IDENTIFIER = re.compile(r"[A-Za-z0-9_-]{16,128}", re.ASCII)


def envelope_for(
    required: PaymentRequired, requirements: PaymentRequirements, payment_id: str
) -> dict[str, Any]:
    """The payment header but for its payload: its name, its encoding, and its ``document``.

    The document has JSON values in the order to write them; ``accepted`` and ``resource`` are
    the seller's own words. Of the extensions only payment-identifier is answered: the others
    may be left out, and make headers too large.
    """
    dialect = required.written_in
    document: dict[str, Any] = {"x402Version": required.x402_version}
    if dialect.flat:
        document["scheme"] = requirements.scheme
        document["network"] = requirements.original["network"]
    else:
        document["accepted"] = requirements.original
        if required.resource is not None:
            document["resource"] = required.resource
        identifier = _identifier(required.extensions, payment_id)
        if identifier is not None:
            document["extensions"] = {PAYMENT_IDENTIFIER: identifier}
    return {"header": dialect.header, "encoding": dialect.encoding, "document": document}


def payment_header(envelope: Mapping[str, Any], payload: Mapping[str, Any]) -> Header:
    """The header that pays: compact JSON, in standard padded base64 or as it is."""
    document = {**envelope["document"], "payload": payload}
    text = json.dumps(document, separators=(",", ":"), allow_nan=False)
    if envelope["encoding"] == "base64":
        text = base64.b64encode(text.encode("ascii")).decode("ascii")
    return envelope["header"], text


def _identifier(extensions: Json, payment_id: str) -> dict[str, Any] | None:
    """Our id in the seller's own info, where the seller offers to know a payment again."""
    assert _IDENTIFIER.fullmatch(payment_id) is not None
    offer = extensions.get(PAYMENT_IDENTIFIER)
    if not isinstance(offer, dict) or not isinstance(offer.get("info"), dict):
        return None
    return {"info": {**offer["info"], "id": payment_id}}
