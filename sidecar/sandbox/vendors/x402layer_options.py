"""What can be chosen about x402layer: its endpoints, each with a way of its own to ask for money.

Source: providers.md 4. Real endpoints differ in just these ways.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import Enum

from sidecar.money import Usdc
from sidecar.values import dataclass


class AssetForm(Enum):
    """How an endpoint writes the token's address."""

    PLAIN = "0x..."
    CAIP = "eip155:<chain>/erc20:0x..."
    ALIAS = "<network's name>:<chain>/erc20:0x..."


class BalanceForm(Enum):
    """Where an endpoint's balance can be read."""

    BOTH = "both"
    OLD = "/api/credits/balance"
    NEW = "?action=balance"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One seller behind the gateway, at /e/<slug>."""

    # False: it sells packages of credit. True: it is paid by the call.
    direct: bool = False
    # Of the package; or of the call.
    price: Usdc = field(default=Usdc(10_000))
    package_size: int = 69
    credits_per_call: int = 1
    # Empty: whoever is paid at the sandbox.
    pay_to: str = ""
    evm: bool = True
    solana: bool = False
    # Solana: refuse a fourth instruction, a memo too, as the gateway's documents have it.
    solana_bare: bool = False
    asset_form: AssetForm = AssetForm.PLAIN
    balance_form: BalanceForm = BalanceForm.BOTH
    # Without scheme, resource, description and maxTimeoutSeconds in the entries of accepts.
    terse: bool = False
    # Only without the scheme.
    schemeless: bool = False
    # The page for people stands under purchaseUrl, and not under purchase_url.
    camel_case: bool = False

    def __post_init__(self) -> None:
        if not (self.evm or self.solana):
            raise ValueError("an endpoint that takes no money sells nothing")
        if self.package_size < 1 or self.credits_per_call < 1:
            raise ValueError("credits are whole, and at least one")


def _endpoints() -> Mapping[str, Endpoint]:
    return {
        "weather-data": Endpoint(asset_form=AssetForm.CAIP, balance_form=BalanceForm.NEW),
        "plain": Endpoint(camel_case=True, balance_form=BalanceForm.OLD),
        "terse": Endpoint(asset_form=AssetForm.ALIAS, terse=True),
        "schemeless": Endpoint(schemeless=True),
        "solana-pack": Endpoint(evm=False, solana=True),
        "both": Endpoint(solana=True),
        "direct": Endpoint(direct=True),
    }


@dataclass(frozen=True, slots=True)
class X402LayerOptions:
    """Every endpoint by its slug, and the credits that a wallet starts with at each."""

    endpoints: Mapping[str, Endpoint] = field(default_factory=_endpoints)
    starting_credits: int = 0
