"""What can be chosen about the vendors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from decimal import Decimal

from sidecar.chains import SOLANA_DEVNET
from sidecar.money import Usdc
from sidecar.sandbox.vendors.libertai_options import LibertaiOptions
from sidecar.sandbox.vendors.x402layer_options import X402LayerOptions
from sidecar.values import dataclass

# A hash that is a point on the curve: nobody holds its key.
SOLANA_PAY_TO = "HNMepwwwjC4uZW9Euf2NUBpCjaU7XnkwU6RxtToHjroV"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A Venice API key: what it may do, and what its owner has. None: the owner has none."""

    admin: bool = False
    usd: Decimal | None = Decimal(10)
    diem: Decimal | None = None
    # What the key may still spend, whatever its owner has.
    spend_limit_usd: Decimal | None = None


def _keys() -> Mapping[str, ApiKey]:
    return {"venice-admin-key": ApiKey(admin=True), "venice-inference-key": ApiKey()}


@dataclass(frozen=True, slots=True)
class VeniceOptions:
    """Source: providers.md 1 and 2."""

    price_usd: Decimal = Decimal("0.001")
    # What a wallet has before it pays anything.
    starting_balance_usd: Decimal = Decimal(0)
    minimum_balance_usd: Decimal = Decimal("0.10")
    top_up_min: Usdc = field(default=Usdc(5_000_000))
    top_up_suggested: Usdc = field(default=Usdc(10_000_000))
    top_up_max: Usdc = field(default=Usdc(10_000_000_000))
    in_flight_max: int = 5
    balance_readings_per_minute: int = 30
    transaction_readings_per_minute: int = 20
    top_ups_per_minute: int = 10
    # A payment that was credited and comes again: True answers as before, False refuses it.
    replays: bool = True
    # Which shapes of a payment it reads: the SDK's flat one, x402 v2's own.
    flat_payments: bool = True
    canonical_payments: bool = True
    # Documented everywhere, and not sent.
    balance_header: bool = False
    # DIEM of a linked account, which is told in the balance and never spent here.
    diem_usd: Decimal | None = None
    keys: Mapping[str, ApiKey] = field(default_factory=_keys)


@dataclass(frozen=True, slots=True)
class NoditOptions:
    """Source: providers.md 5. One credit is one atomic unit of USDC."""

    price: int = 100
    starting_credit: int = 0
    charge_min: Usdc = field(default=Usdc(10_000))
    jwt_life_s: int = 3_600
    # A payment that was credited and comes again: True answers as before, False refuses it.
    replays: bool = False
    pay_per_use_price: Usdc = field(default=Usdc(1_000))
    pay_per_use_timeout_s: int = 60


@dataclass(frozen=True, slots=True)
class VendorOptions:
    """All vendors' options."""

    # CAIP-2. Beside the sandbox's own chain it is the other one that vendors know.
    solana_network: str = SOLANA_DEVNET
    solana_pay_to: str = SOLANA_PAY_TO
    # Names that a sign-in may be for, beside the sandbox's own host and port.
    domains: frozenset[str] = frozenset()
    venice: VeniceOptions = field(default_factory=VeniceOptions)
    nodit: NoditOptions = field(default_factory=NoditOptions)
    x402layer: X402LayerOptions = field(default_factory=X402LayerOptions)
    libertai: LibertaiOptions = field(default_factory=LibertaiOptions)
