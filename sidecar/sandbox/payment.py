"""A payment as it arrives: the header read strictly, or the sentence that says what is wrong.

Official sellers read with a forgiving model. This one refuses whatever could be read in two
ways: base64 that is not canonical, a JSON key given twice, a number where a string is due.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from typing import NoReturn

from sidecar.sandbox.addresses import is_address
from sidecar.sandbox.solana.rules import Refused, glimpse, read_transaction
from sidecar.values import dataclass

HEADERS = {1: "X-PAYMENT", 2: "PAYMENT-SIGNATURE"}

_WHOLE = re.compile(r"0|[1-9][0-9]{0,77}", re.ASCII)
_NONCE = re.compile(r"0x[0-9a-fA-F]{64}", re.ASCII)
_SIGNATURE = re.compile(r"0x[0-9a-fA-F]{130}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Authorization:
    """An EIP-3009 TransferWithAuthorization and its signature, addresses as they were spelled."""

    payer: str
    to: str
    value: int
    valid_after: int
    valid_before: int
    nonce: str
    signature: bytes


@dataclass(frozen=True, slots=True)
class Payment:
    """One payment header: what it says it pays for, and the authorization that pays.

    `terms` is v2's `accepted`, or the scheme and network that v1 names.
    """

    version: int
    terms: Mapping[str, object]
    authorization: Authorization
    payload: Mapping[str, object]
    extensions: Mapping[str, object]
    # On Solana: what was signed, in base64. The authorization tells what can be read of it.
    transaction: str | None = None

    @property
    def network(self) -> str:
        """The network as the payment spells it."""
        return str(self.terms.get("network"))


@dataclass(frozen=True, slots=True)
class Malformed:
    """Not a payment; `detail` says why."""

    detail: str


class _MalformedError(Exception):
    """Carries the detail from the depth where it was found to the one place that returns it."""


def read_payment(header: str, version: int) -> Payment | Malformed:
    """Read the payment header of this x402 version."""
    try:
        return _payment(_document(header), version)
    except _MalformedError as error:
        return Malformed(str(error))


def _document(header: str) -> dict[str, object]:
    try:
        raw = base64.b64decode(header.encode("ascii"))
        # Decoding forgives other alphabets, blanks and stray bits; encoding again does not.
        if base64.b64encode(raw).decode() != header:
            raise _MalformedError("the header is not canonical base64")
        document = json.loads(
            raw.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse_constant
        )
    except (ValueError, RecursionError) as error:
        raise _MalformedError(f"the header is not JSON in standard base64: {error}") from error
    return _object({"header": document}, "header")


def _payment(document: dict[str, object], version: int) -> Payment:
    found = document.get("x402Version")
    if type(found) is not int or found != version:
        raise _MalformedError(f"x402Version is {found!r}, not {version}")
    if version == 1:
        terms: dict[str, object] = {
            "scheme": _text(document, "scheme"),
            "network": _text(document, "network"),
        }
    else:
        terms = _object(document, "accepted")
    if document.get("resource") is not None:
        _text(_object(document, "resource"), "url")
    extensions: dict[str, object] = {}
    if document.get("extensions") is not None:
        extensions = _object(document, "extensions")
    payload = _object(document, "payload")
    if "transaction" in payload:
        text = _text(payload, "transaction")
        return Payment(version, terms, _transaction(text), payload, extensions, text)
    return Payment(version, terms, _authorization(payload), payload, extensions)


def _authorization(payload: Mapping[str, object]) -> Authorization:
    fields = _object(payload, "authorization")
    return Authorization(
        payer=_address(fields, "from"),
        to=_address(fields, "to"),
        value=_whole(fields, "value"),
        valid_after=_whole(fields, "validAfter"),
        valid_before=_whole(fields, "validBefore"),
        nonce=_match(_NONCE, fields, "nonce"),
        signature=bytes.fromhex(_match(_SIGNATURE, payload, "signature")[2:]),
    )


def _transaction(text: str) -> Authorization:
    """A Solana payment as an authorization: its nonce is the hash of what was signed."""
    transaction = read_transaction(text)
    if isinstance(transaction, Refused):
        raise _MalformedError(f"transaction: {transaction.detail}")
    seen = glimpse(transaction)
    return Authorization(
        payer=str(seen.payer),
        to="",
        value=seen.amount,
        valid_after=0,
        valid_before=0,
        nonce="0x" + seen.identity.hex(),
        signature=bytes(transaction.signatures[1]),
    )


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise _MalformedError("a JSON key is given twice")
    return document


def _refuse_constant(name: str) -> NoReturn:
    raise _MalformedError(f"{name} is not JSON")


def _object(fields: Mapping[str, object], key: str) -> dict[str, object]:
    value = fields.get(key)
    if not isinstance(value, dict):
        raise _MalformedError(f"{key} is not an object")
    return value


def _text(fields: Mapping[str, object], key: str) -> str:
    value = fields.get(key)
    if not isinstance(value, str):
        raise _MalformedError(f"{key} is not a string")
    return value


def _match(grammar: re.Pattern[str], fields: Mapping[str, object], key: str) -> str:
    value = _text(fields, key)
    if grammar.fullmatch(value) is None:
        raise _MalformedError(f"{key} is not written as it must be: {value[:100]!r}")
    return value


def _whole(fields: Mapping[str, object], key: str) -> int:
    value = int(_match(_WHOLE, fields, key))
    if value >= 2**256:
        raise _MalformedError(f"{key} does not fit into 256 bits")
    return value


def _address(fields: Mapping[str, object], key: str) -> str:
    value = _text(fields, key)
    if not is_address(value):
        raise _MalformedError(f"{key} is not an address: {value[:100]!r}")
    return value
