"""Writes what we answer: the payment header, in the version that the seller spoke.

The header is made in two steps, because they are apart in time: the envelope is stored with the
payment, and the payload holds a signature, which is not. The same two give the same bytes, also
after a restart. Source: x402.md 1.3, 1.5, 5.3.
"""

from __future__ import annotations

import binascii
import json
import re
from collections.abc import Mapping
from typing import Any

from sidecar.http import Header
from sidecar.x402.types import Json, PaymentRequired, PaymentRequirements

PAYMENT_IDENTIFIER = "payment-identifier"
# As large as the challenge that is read from a header may be.
PAYMENT_HEADER_BYTES_MAX = 32 * 1024
# What is ours in it: a transaction on Solana is 1,232 bytes, and base64 adds a third.
PAYLOAD_BYTES_MAX = 2 * 1024
# What is the seller's, as JSON: the header has all of it in base64.
ECHO_BYTES_MAX = PAYMENT_HEADER_BYTES_MAX * 3 // 4 - PAYLOAD_BYTES_MAX

_IDENTIFIER = re.compile(r"[A-Za-z0-9_-]{16,128}", re.ASCII)
_TRANSFER = (
    '{"signature":"%s","authorization":{"from":"%s","to":"%s","value":"%s",'
    '"validAfter":"%s","validBefore":"%s","nonce":"%s"}}'
)


class TransferPayload(dict[str, Any]):
    """The payload of a transfer or Permit on EVM, in the order of ``_TRANSFER``.

    Whoever makes one has seen that each of its words is letters and digits, which JSON leaves as
    they are: to put them together takes a quarter of the time that the encoder takes.
    """

    __slots__ = ()

    def written(self) -> str:
        """Compact JSON."""
        return _TRANSFER % (self["signature"], *self["authorization"].values())


class Envelope(dict[str, Any]):
    """The payment header but for its payload, and how every header that is made of it begins."""

    __slots__ = ("_beginning",)
    _beginning: tuple[str, str]

    @property
    def beginning(self) -> tuple[str, str]:
        """What of it is encoded already, and what is to be encoded with the payload."""
        try:
            return self._beginning
        except AttributeError:
            self._beginning = self._begin()
            return self._beginning

    def _begin(self) -> tuple[str, str]:
        document = self["document"]
        assert document
        assert "payload" not in document
        begun = _compact(document)[:-1] + ',"payload":'
        if self["encoding"] != "base64":
            return "", begun
        # Base64 makes four characters of three bytes, whatever comes before or after them.
        whole = len(begun) // 3 * 3
        return _base64(begun[:whole]), begun[whole:]


def envelope_for(
    required: PaymentRequired, requirements: PaymentRequirements, payment_id: str
) -> dict[str, Any]:
    """The payment header but for its payload: its name, its encoding, and its ``document``.

    The document has JSON values in the order to write them; ``accepted`` and ``resource`` are
    the seller's own words. Of the extensions only payment-identifier is answered: the others
    may be left out, and make headers too large. Where it holds nothing of this payment, it is
    the same one for all payments of these terms.
    """
    shared = required.shared_envelope
    if shared is not None and shared[0] is requirements:
        envelope: Envelope = shared[1]
        return envelope
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
    envelope = Envelope(header=dialect.header, encoding=dialect.encoding, document=document)
    if "extensions" not in document:
        # It depends on nothing but these terms, and nobody changes it, so it lives as long.
        object.__setattr__(required, "shared_envelope", (requirements, envelope))
    return envelope


def echoable(required: PaymentRequired) -> tuple[bool, ...]:
    """Of each offer, whether the header that pays it stays within PAYMENT_HEADER_BYTES_MAX.

    A seller whose own words come back too large for it would refuse what is signed by then.
    """
    if required.written_in.flat:
        return (True,) * len(required.accepts)
    # Counted once, so that many offers beside something large are not many times its size.
    common = (required.resource, required.extensions.get(PAYMENT_IDENTIFIER))
    room = ECHO_BYTES_MAX - sum(len(_compact(each)) for each in common)
    return tuple(len(_compact(each.original)) <= room for each in required.accepts)


def payment_header(envelope: Mapping[str, Any], payload: Mapping[str, Any]) -> Header:
    """The header that pays: compact JSON, in standard padded base64 or as it is."""
    if not isinstance(envelope, Envelope):
        envelope = Envelope(envelope)
    encoded, begun = envelope.beginning
    written = payload.written() if isinstance(payload, TransferPayload) else _compact(payload)
    text = begun + written + "}"
    if envelope["encoding"] == "base64":
        text = _base64(text)
    return envelope["header"], encoded + text


# Made once: json.dumps makes another for each call that has options.
_compact = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


def _base64(text: str) -> str:
    return binascii.b2a_base64(text.encode("ascii"), newline=False).decode("ascii")


def _identifier(extensions: Json, payment_id: str) -> dict[str, Any] | None:
    """Our id in the seller's own info, where the seller offers to know a payment again."""
    assert _IDENTIFIER.fullmatch(payment_id) is not None
    offer = extensions.get(PAYMENT_IDENTIFIER)
    if not isinstance(offer, dict) or not isinstance(offer.get("info"), dict):
        return None
    return {"info": {**offer["info"], "id": payment_id}}
