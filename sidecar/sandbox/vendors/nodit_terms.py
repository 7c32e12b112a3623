"""Nodit's payment terms, and payments held against them (providers.md 5 (b) and (c)).

The challenge stands in the header alone. ``extra.name`` is "USDC" on every chain, as Nodit has it,
also where the token's EIP-712 domain has another name: what is signed is checked over the true one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sidecar.sandbox.payment import Malformed
from sidecar.sandbox.terms import encoded
from sidecar.sandbox.vendors.rails import EvmTender, Rail
from sidecar.sandbox.vendors.tender import Presented, is_same, read_tender

PAYMENT_HEADER = "PAYMENT-SIGNATURE"
OTHER_HEADERS = ("X-PAYMENT", "X-402-Payment")

Entry = dict[str, object]


def entry(rail: Rail, amount: int, timeout_s: int | None, extra: Mapping[str, str]) -> Entry:
    """One entry of accepts. Nodit's own example gives Solana's no maxTimeoutSeconds."""
    solana = rail.fee_payer is not None
    found: Entry = {
        "network": rail.network,
        "asset": rail.asset,
        "payTo": rail.pay_to,
        "amount": str(amount),
        "scheme": "exact",
    }
    if timeout_s is not None:
        found["maxTimeoutSeconds"] = timeout_s
    named = {"name": "USDC", "version": "1" if solana else "2"}
    if rail.fee_payer is not None:
        named["feePayer"] = rail.fee_payer
    return found | {"extra": {**named, **extra}}


def challenge(accepts: Sequence[Entry], error: str | None) -> dict[str, str]:
    """The header that carries the terms."""
    document: dict[str, object] = {"x402Version": 2}
    if error is not None:
        document["error"] = error
    return {"PAYMENT-REQUIRED": encoded(document | {"accepts": list(accepts)})}


def read_payment(
    sent: Sequence[str], accepts: Sequence[Entry], rails: Sequence[Rail]
) -> tuple[Presented, Rail] | Malformed:
    """The payment, and the rail of the entry that it took: whole, and verbatim."""
    if len(sent) != 1:
        return Malformed(f"{len(sent)} payment headers")
    read = read_tender(sent[0])
    if isinstance(read, Malformed):
        return read
    if read.accepted is None:
        return Malformed("no accepted: the flat shape is not read here")
    if not any(is_same(read.accepted, offered) for offered in accepts):
        return Malformed("accepted is none of the entries that were offered, whole and verbatim")
    rail = next(rail for rail in rails if rail.network == read.network)
    if isinstance(read.tender, EvmTender) != (rail.fee_payer is None):
        return Malformed("the payload is not one of this network")
    return read, rail


def off_resource(resource: object, urls: frozenset[str]) -> str | None:
    """What is wrong with the resource of a charge; None when it is as documented."""
    match resource:
        case {"url": str(url), "description": "Credit charge", "mimeType": "application/json"}:
            return None if url in urls else f"resource.url is {url[:200]!r}"
        case _:
            return "resource is not that of a credit charge"
