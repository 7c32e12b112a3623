"""x402layer's challenges, and payments held against them (providers.md 4 (b) and (c)).

x402 v1 in the body, with words missing or spelled otherwise, one endpoint not as the next.
A payment is v1 to the letter: X-Payment, in canonical base64, for one of the entries.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from decimal import Decimal

from sidecar.chains import V1_NETWORKS
from sidecar.document import read_json
from sidecar.money import ATOMIC_PER_USDC
from sidecar.sandbox.payment import Malformed, read_payment
from sidecar.sandbox.solana.instructions import instructions_of
from sidecar.sandbox.solana.rules import Refused, read_transaction
from sidecar.sandbox.vendors.premises import Premises
from sidecar.sandbox.vendors.rails import EvmRail, EvmTender, Rail, SvmRail, SvmTender, Tender
from sidecar.sandbox.vendors.x402layer_options import AssetForm, BalanceForm, Endpoint
from sidecar.values import dataclass

TIMEOUT_S = 3_600
DOMAIN_VERSION = "2"
STUDIO = "https://studio.x402layer.cc/pay/credits/"
SOLANA_INSTRUCTIONS = 3

_V1_NAMES = {network: name for name, network in V1_NETWORKS.items()}


@dataclass(frozen=True, slots=True)
class Shop:
    """One endpoint as it is open: its slug, its terms, and the rails that lead to its payee."""

    slug: str
    endpoint: Endpoint
    rails: tuple[Rail, ...]

    def challenge(self, url: str, balance: int, error: str | None = None) -> dict[str, object]:
        """The 402's body."""
        accepts = [self._entry(rail, url) for rail in self.rails]
        if self.endpoint.direct:
            return {"x402Version": 1, "error": error or "Payment required", "accepts": accepts}
        page = "purchaseUrl" if self.endpoint.camel_case else "purchase_url"
        price = Decimal(self.endpoint.price.atomic) / ATOMIC_PER_USDC
        return {
            "x402Version": 1,
            "error": error or "Insufficient credits",
            "current_balance": balance,
            page: STUDIO + self.slug,
            "credit_package": {"size": self.endpoint.package_size, "price": price},
            "accepts": accepts,
        }

    def tells_balance(self, form: BalanceForm) -> bool:
        """Whether the balance can be read there."""
        return not self.endpoint.direct and self.endpoint.balance_form in (form, BalanceForm.BOTH)

    def _entry(self, rail: Rail, url: str) -> dict[str, object]:
        endpoint = self.endpoint
        entry: dict[str, object] = {
            "network": _V1_NAMES[rail.network],
            "maxAmountRequired": str(endpoint.price.atomic),
            "payTo": rail.pay_to,
            "asset": self._asset(rail),
        }
        if not (endpoint.terse or endpoint.schemeless):
            entry["scheme"] = "exact"
        if not endpoint.terse:
            entry["resource"] = url
            entry["description"] = f"Credits for {self.slug}"
            entry["mimeType"] = "application/json"
            entry["maxTimeoutSeconds"] = TIMEOUT_S
        if rail.fee_payer is not None:
            return entry | {"extra": {"feePayer": rail.fee_payer}}
        return entry | {"extra": {"name": rail.domain_name, "version": DOMAIN_VERSION}}

    def _asset(self, rail: Rail) -> str:
        if rail.fee_payer is not None:
            return rail.asset
        reference = rail.network.removeprefix("eip155:")
        match self.endpoint.asset_form:
            case AssetForm.PLAIN:
                return rail.asset
            case AssetForm.CAIP:
                return f"eip155:{reference}/erc20:{rail.asset}"
            case AssetForm.ALIAS:
                return f"{_V1_NAMES[rail.network].partition('-')[0]}:{reference}/erc20:{rail.asset}"

    def read(self, sent: Sequence[str]) -> tuple[Rail, Tender] | Malformed:
        """The payment, and the rail that it takes."""
        if len(sent) != 1:
            return Malformed(f"{len(sent)} payment headers")
        try:
            raw = base64.b64decode(sent[0].encode("ascii"), validate=True)
            document = read_json(raw)
        except ValueError as error:
            return Malformed(f"the header is not JSON in base64: {error}")
        match document:
            case {
                "x402Version": version,
                "scheme": "exact",
                "network": str(network),
                "payload": payload,
            }:
                pass
            case _:
                return Malformed("not scheme exact, a network and a payload")
        if version != 1 or type(version) is not int or len(document) != 4:
            return Malformed("not the four keys of an x402 v1 payment")
        named = V1_NETWORKS.get(network)
        rail = next((rail for rail in self.rails if rail.network == named), None)
        if rail is None:
            return Malformed(f"network {network!r} is not offered here")
        if rail.fee_payer is None:
            read = read_payment(sent[0], 1)
            if isinstance(read, Malformed):
                return read
            if read.transaction is not None:
                return Malformed("a Solana transaction on an EVM network")
            return rail, EvmTender(read.authorization)
        if base64.b64encode(raw).decode() != sent[0]:
            return Malformed("the header is not canonical base64")
        return self._solana(rail, payload)

    def _solana(self, rail: Rail, payload: object) -> tuple[Rail, Tender] | Malformed:
        match payload:
            case {"transaction": str(transaction), **more} if not more:
                pass
            case _:
                return Malformed("the payload is not one transaction")
        if self.endpoint.solana_bare:
            read = read_transaction(transaction)
            count = 0 if isinstance(read, Refused) else len(instructions_of(read.message))
            if count != SOLANA_INSTRUCTIONS:
                return Malformed(f"{count} instructions, not {SOLANA_INSTRUCTIONS}")
        return rail, SvmTender(transaction)


def shops(premises: Premises, endpoints: Mapping[str, Endpoint]) -> dict[str, Shop]:
    """Every endpoint, open for business on the sandbox's chains."""
    return {slug: Shop(slug, one, _rails(premises, one)) for slug, one in endpoints.items()}


def payer_of(tender: Tender) -> str | None:
    """Who pays: an EVM address in lower case, or a Solana one; None when that cannot be read."""
    if isinstance(tender, EvmTender):
        return tender.authorization.payer.lower()
    transaction = read_transaction(tender.transaction)
    if isinstance(transaction, Refused):
        return None
    return str(transaction.message.account_keys[1])


def _rails(premises: Premises, endpoint: Endpoint) -> tuple[Rail, ...]:
    rails: list[Rail] = []
    for rail in premises.rails:
        if isinstance(rail, SvmRail):
            rails += [rail] if endpoint.solana else []
        elif endpoint.evm:
            pay_to = endpoint.pay_to or rail.pay_to
            rails.append(EvmRail(premises.chain, premises.clock, pay_to))
    return tuple(rails)
