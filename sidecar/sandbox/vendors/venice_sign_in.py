"""Venice's sign-in header, in both of the forms that it takes (providers.md 1 (a)).

message      {"address", "message", "signature", "chainId", "timestamp"?, "type"?}
structured   the x402 extension's fields, without the text: it is built again from them
"""

from __future__ import annotations

import base64
from collections.abc import Mapping

from sidecar.document import read_json
from sidecar.sandbox.vendors.siwx import SignInText, Unfit, parse, text_of
from sidecar.sandbox.vendors.siwx_proof import moment_of
from sidecar.values import dataclass

HEADERS = ("SIGN-IN-WITH-X", "X-Sign-In-With-X")
TIMESTAMP_SLACK_MS = 30_000

_MESSAGE_KEYS = frozenset({"address", "message", "signature", "chainId", "timestamp", "type"})
_STRUCTURED = frozenset({"domain", "address", "uri", "nonce", "issuedAt", "chainId", "signature"})
_OPTIONAL = frozenset(
    {
        "version",
        "type",
        "statement",
        "expirationTime",
        "notBefore",
        "requestId",
        "signatureScheme",
        "resources",
    }
)


@dataclass(frozen=True, slots=True)
class Presented:
    """A header that could be read: the text, and the signature that is to be checked."""

    found: SignInText
    signature: str


def read_header(header: str) -> Presented | Unfit:
    """Read one header."""
    try:
        raw = base64.b64decode(header.encode("ascii"), validate=True)
        document = read_json(raw)
    except ValueError as error:
        return Unfit("INVALID_PAYLOAD", f"the header is not JSON in base64: {error}")
    # Decoding forgives stray bits; encoding again does not.
    if base64.b64encode(raw).decode() != header:
        return Unfit("INVALID_PAYLOAD", "the header is not canonical base64")
    if not isinstance(document, dict):
        return Unfit("INVALID_PAYLOAD", "the header is not an object")
    return _message(document) if "message" in document else _structured(document)


def _message(document: Mapping[str, object]) -> Presented | Unfit:
    match document:
        case {"address": str(address), "message": str(text), "signature": str(signature)}:
            pass
        case _:
            return Unfit("INVALID_PAYLOAD", "address, message and signature must be strings")
    unknown = sorted(document.keys() - _MESSAGE_KEYS)
    if unknown:
        return Unfit("INVALID_PAYLOAD", f"unknown keys: {unknown}")
    found = parse(text)
    if isinstance(found, Unfit):
        return found
    if address != found.address:
        return Unfit("ADDRESS_MISMATCH", f"{address} is not {found.address}")
    return (
        _off_chain(found, document.get("chainId"), document.get("type"))
        or _off_timestamp(found, document)
        or Presented(found, signature)
    )


def _structured(document: Mapping[str, object]) -> Presented | Unfit:
    resources = document.get("resources", [])
    if not isinstance(resources, list) or not all(isinstance(one, str) for one in resources):
        return Unfit("INVALID_PAYLOAD", "resources must be a list of strings")
    fields = {"version": "1"}
    for key, value in document.items():
        if key not in _STRUCTURED | _OPTIONAL:
            return Unfit("INVALID_PAYLOAD", f"unknown key: {key}")
        if isinstance(value, str):
            # It would make the text say something else than the fields do.
            if "\n" in value:
                return Unfit("INVALID_PAYLOAD", f"{key} has a line break")
            fields[key] = value
        elif key != "resources":
            return Unfit("INVALID_PAYLOAD", f"{key} must be a string")
    if missing := sorted(_STRUCTURED - fields.keys()):
        return Unfit("INVALID_PAYLOAD", f"missing: {missing}")
    found = parse(text_of(fields, tuple(resources)))
    if isinstance(found, Unfit):
        return found
    return _off_chain(found, fields["chainId"], fields.get("type")) or Presented(
        found, fields["signature"]
    )


def _off_chain(found: SignInText, chain_id: object, kind: object) -> Unfit | None:
    reference = found.network.partition(":")[2]
    match chain_id:
        case bool():
            return Unfit("INVALID_CHAIN_ID", f"not a chain: {chain_id}")
        case int() | str():
            # Base may be named by its number alone; Solana only in full.
            named = {found.network, reference} if found.kind == "Ethereum" else {found.network}
        case _:
            return Unfit("INVALID_CHAIN_ID", "chainId is missing, or not a chain")
    if str(chain_id) not in named:
        return Unfit("CHAIN_MISMATCH", f"{chain_id} is not {found.network}")
    wanted = {None, "eip191"} if found.kind == "Ethereum" else {"ed25519"}
    if kind not in wanted:
        return Unfit("INVALID_PAYLOAD", f"type {kind!r} for {found.kind}")
    return None


def _off_timestamp(found: SignInText, document: Mapping[str, object]) -> Unfit | None:
    if "timestamp" not in document:
        return None
    sent, issued = document["timestamp"], moment_of(found.issued_at)
    if type(sent) is not int:
        return Unfit("INVALID_PAYLOAD", "timestamp must be whole milliseconds")
    if issued is None or abs(sent - issued.timestamp() * 1_000) > TIMESTAMP_SLACK_MS:
        return Unfit("TIMESTAMP_MISMATCH", f"{sent} is not near {found.issued_at}")
    return None
