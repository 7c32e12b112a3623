"""The header that carries a sign-in, in its two dialects: one name, two kinds of JSON in base64.

Venice's dialect carries the text whole. The x402 extension's carries its fields, and the server
puts the text together again. Source: x402.md 5.1 and 5.2, providers.md 1 (a).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from sidecar.chains import is_evm
from sidecar.document import Unreadable, read_json
from sidecar.siwx.message import SignInMessage

HEADER = "SIGN-IN-WITH-X"
LEGACY_HEADER = "X-Sign-In-With-X"


def signature_type(network: str) -> str:
    """What the extension calls the signatures of our wallets on this network."""
    return "eip191" if is_evm(network) else "ed25519"


def message_header(message: SignInMessage, signature: str) -> str:
    """The header's value in Venice's dialect: the text, and who signed it where.

    Without Venice's optional timestamp, which could only disagree with the text's own.
    """
    fields: dict[str, Any] = {
        "address": message.address,
        "message": message.text(),
        "signature": signature,
    }
    if is_evm(message.network):
        fields["chainId"] = int(message.network.partition(":")[2])
    else:
        fields["chainId"] = message.network
        fields["type"] = signature_type(message.network)
    return _encoded(fields)


def structured_header(message: SignInMessage, signature: str) -> str:
    """The header's value in the x402 extension's dialect: the fields, and no text.

    A field that the message does not have is left out: null or empty, it would be a line of the
    text that the server makes.
    """
    fields: dict[str, Any] = {
        "domain": message.domain,
        "address": message.address,
        "uri": message.uri,
        "version": message.version,
        "chainId": message.network,
        "type": signature_type(message.network),
        "nonce": message.nonce,
        "issuedAt": message.issued_at,
        "statement": message.statement,
        "expirationTime": message.expiration_time,
        "notBefore": message.not_before,
        "requestId": message.request_id,
        "resources": list(message.resources) or None,
        "signature": signature,
    }
    return _encoded({name: value for name, value in fields.items() if value is not None})


def read_structured_header(value: str) -> tuple[SignInMessage, str]:
    """The message and its signature, unverified. ValueError when the value holds none."""
    fields = read_json(base64.b64decode(value, validate=True))
    if not isinstance(fields, dict):
        raise Unreadable("it is not an object")
    network = _text(fields, "chainId")
    message = message_of(fields, _text(fields, "address"), network)
    if _text(fields, "type") != signature_type(network):
        raise Unreadable("its type is not that of its chain")
    return message, _text(fields, "signature")


def message_of(fields: Mapping[str, Any], address: str, network: str) -> SignInMessage:
    """The message that the extension's fields make for this address. ValueError if they do not.

    What is null counts as not there. Fields that no message has are passed over.
    """
    resources = fields.get("resources")
    if resources is None:
        resources = []
    if not isinstance(resources, list) or not all(isinstance(uri, str) for uri in resources):
        raise Unreadable("its resources are not an array of strings")
    return SignInMessage(
        domain=_text(fields, "domain"),
        address=address,
        uri=_text(fields, "uri"),
        network=network,
        nonce=_text(fields, "nonce"),
        issued_at=_text(fields, "issuedAt"),
        statement=_optional(fields, "statement"),
        expiration_time=_optional(fields, "expirationTime"),
        not_before=_optional(fields, "notBefore"),
        request_id=_optional(fields, "requestId"),
        resources=tuple(resources),
        version=_text(fields, "version"),
    )


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str):
        raise Unreadable(f"its {name} is not a string")
    return value


def _optional(fields: Mapping[str, Any], name: str) -> str | None:
    return None if fields.get(name) is None else _text(fields, name)


# Made once: json.dumps makes another for each call that has options.
_compact = json.JSONEncoder(separators=(",", ":")).encode


def _encoded(fields: dict[str, Any]) -> str:
    return base64.b64encode(_compact(fields).encode("ascii")).decode()
