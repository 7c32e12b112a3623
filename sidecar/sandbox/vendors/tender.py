"""A payment as a vendor is sent it: base64 JSON, read strictly, of x402 v2 or the flat kind.

canonical   {"x402Version": 2, "resource"?, "accepted", "payload", "extensions"?}
flat        {"x402Version": 2, "scheme", "network", "payload"}: Venice's own client (v1's keys)
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping

from sidecar.document import read_json
from sidecar.sandbox.payment import Malformed, read_payment
from sidecar.sandbox.terms import encoded
from sidecar.sandbox.vendors.rails import EvmTender, SvmTender, Tender
from sidecar.values import dataclass

_CANONICAL = frozenset({"x402Version", "resource", "accepted", "payload", "extensions"})
_FLAT = frozenset({"x402Version", "scheme", "network", "payload"})


@dataclass(frozen=True, slots=True)
class Presented:
    """A payment header. ``accepted`` is None in the flat shape; ``network`` as it was spelled."""

    scheme: object
    network: object
    accepted: Mapping[str, object] | None
    resource: object
    tender: Tender


def read_tender(header: str) -> Presented | Malformed:
    """Read one payment header."""
    try:
        raw = base64.b64decode(header.encode("ascii"), validate=True)
        document = read_json(raw)
    except ValueError as error:
        return Malformed(f"the header is not JSON in base64: {error}")
    # Decoding forgives stray bits; encoding again does not.
    if base64.b64encode(raw).decode() != header:
        return Malformed("the header is not canonical base64")
    match document:
        case {"x402Version": version, "payload": dict(payload)} if type(version) is int:
            pass
        case _:
            return Malformed("no x402Version and payload")
    if version != 2:
        return Malformed(f"x402Version is {version}, not 2")
    tender = _tender(payload)
    if isinstance(tender, Malformed):
        return tender
    if document.keys() == _FLAT:
        return Presented(document["scheme"], document["network"], None, None, tender)
    accepted = document.get("accepted")
    if not isinstance(accepted, dict) or not document.keys() <= _CANONICAL:
        return Malformed(f"neither of the two shapes: {sorted(document)}")
    return Presented(
        accepted.get("scheme"), accepted.get("network"), accepted, document.get("resource"), tender
    )


def is_same(first: object, second: object) -> bool:
    """Whether two JSON values are equal, type for type."""
    # As text, because 300 == 300.0 and True == 1 in Python, and neither on the wire.
    return json.dumps(first, sort_keys=True) == json.dumps(second, sort_keys=True)


def _tender(payload: Mapping[str, object]) -> Tender | Malformed:
    match payload:
        case {"transaction": str(transaction)} if len(payload) == 1:
            return SvmTender(transaction)
        case {"authorization": dict(), "signature": str()} if len(payload) == 2:
            # The seller's own reader judges it, given the rest of a v1 payment.
            whole = {"x402Version": 1, "scheme": "", "network": "", "payload": payload}
            found = read_payment(encoded(whole), 1)
            return found if isinstance(found, Malformed) else EvmTender(found.authorization)
        case _:
            return Malformed(f"not a payload: {sorted(payload)}")
