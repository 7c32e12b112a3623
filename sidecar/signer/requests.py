"""What a signer is asked, from JSON to values: five questions, and no raw bytes among them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any, TypeAlias

from sidecar.chains import is_evm
from sidecar.document import read_json
from sidecar.money import Usdc
from sidecar.siwx import SignInMessage
from sidecar.values import dataclass
from sidecar.wallets.remote import ADDRESS, ADMIT, NONCES, SIGN, SIGN_IN
from sidecar.x402.types import Authorization

# The year 9999 ends here.
EXPIRY_MAX = 253_402_300_799

_SIGN_IN_FIELDS = frozenset(field.name for field in fields(SignInMessage))


@dataclass(frozen=True, slots=True)
class WhoAreYou:
    """Asks for the address."""


@dataclass(frozen=True, slots=True)
class WhichNonces:
    """Asks for what the nonces of purchases are derived from."""


@dataclass(frozen=True, slots=True)
class Admission:
    """Asks whether this will be signed, and for room in the windows; for no signature."""

    authorization: Authorization


Request: TypeAlias = WhoAreYou | WhichNonces | SignInMessage | Admission | Authorization


@dataclass(frozen=True, slots=True)
class Order:
    """What an authorization moves: the part of it that rules are about."""

    network: str
    payee: str  # of a Permit: the spender
    amount: Usdc
    expires_at: datetime
    is_permit: bool


def read_request(data: bytes) -> Request:
    """What is asked here. ValueError says why nothing is."""
    document = read_json(data)
    match document:
        case {"method": str(method), **rest} if method == ADDRESS and not rest:
            return WhoAreYou()
        case {"method": str(method), **rest} if method == NONCES and not rest:
            return WhichNonces()
        case {"method": str(method), "message": dict(said), **rest} if (
            method == SIGN_IN and not rest
        ):
            return _sign_in(said)
        case {"method": str(method), "authorization": dict(said), **rest} if (
            method in (ADMIT, SIGN) and not rest
        ):
            authorization = _authorization(said)
            return Admission(authorization) if method == ADMIT else authorization
        case _:
            raise ValueError("not a request that this signer knows")


def order_of(authorization: Authorization) -> Order:
    """What it moves. Its account has said that it is well-formed: see ``wallets.remote``."""
    fields_ = authorization.fields
    evm = is_evm(authorization.network)
    amount = Usdc.from_wire(fields_["value" if evm else "amount"])
    assert amount is not None
    return Order(
        network=authorization.network,
        payee=fields_["to" if evm else "pay_to"],
        amount=amount,
        expires_at=authorization.expires_at,
        is_permit="primaryType" in fields_,
    )


def digest_of(authorization: Authorization) -> str:
    """One value for one authorization: whether two are the same, field for field."""
    said = [
        authorization.network,
        authorization.identity,
        int(authorization.expires_at.timestamp()),
        sorted(authorization.fields.items()),
    ]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def _sign_in(said: dict[str, Any]) -> SignInMessage:
    if not said.keys() <= _SIGN_IN_FIELDS:
        raise ValueError("a sign-in with a field that none has")
    resources = said.get("resources", [])
    if not _all_text(resources):
        raise ValueError("a sign-in whose resources are not texts")
    texts = {name: text for name, text in said.items() if name != "resources"}
    needed = ("domain", "address", "uri", "network", "nonce", "issued_at")
    if not texts.keys() >= set(needed) or not _all_text(list(texts.values())):
        raise ValueError("a sign-in that lacks a field, or has one that is not text")
    return SignInMessage(**texts, resources=tuple(resources))


def _authorization(said: dict[str, Any]) -> Authorization:
    match said:
        case {
            "network": str(network),
            "identity": str(identity),
            "expires_at": int(expires_at),
            "fields": dict(given),
            **rest,
        } if not rest and _all_text(list(given.values())):
            # A bool is an int, and would be the first second of 1970.
            if type(expires_at) is not int or not 0 <= expires_at <= EXPIRY_MAX:
                raise ValueError("an authorization that expires at no time")
            return Authorization(network, identity, datetime.fromtimestamp(expires_at, UTC), given)
        case _:
            raise ValueError("not an authorization")


def _all_text(values: object) -> bool:
    return isinstance(values, list) and all(isinstance(value, str) for value in values)
