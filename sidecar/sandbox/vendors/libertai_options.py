"""What can be chosen about LibertAI: its models, and how it settles (providers.md 3).

Prices are dollars for a million tokens.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from decimal import Decimal
from enum import StrEnum

from sidecar.sandbox.addresses import is_address
from sidecar.values import dataclass

# Hashes, as the sandbox's own payee is one: nobody holds their keys.
SERVER_WALLET = "0x5c6c2C513453762e34b26a1de559fA018CFF0FF2"
RECIPIENT = "0x4c6Dfd1f0Eb3F59fD3f7b66Ab08fa5cd8cDEa2dB"


class PrimaryType(StrEnum):
    """What a payer is asked to sign."""

    PERMIT = "Permit"
    TRANSFER = "TransferWithAuthorization"


@dataclass(frozen=True, slots=True)
class Model:
    """One model: its prices, and what happens to it."""

    input_usd: Decimal = Decimal("0.25")
    output_usd: Decimal = Decimal("1.50")
    context_tokens: int = 32_768
    primary_type: PrimaryType = PrimaryType.PERMIT
    # Without a word of it in the terms, which means TransferWithAuthorization.
    unnamed: bool = False
    priced: bool = True
    # False: every server that could serve it is down, which shows after the payment was verified.
    served: bool = True


def _models() -> Mapping[str, Model]:
    return {
        "gemma-4-31b-it": Model(),
        "m-permit": Model(),
        "m-twa": Model(primary_type=PrimaryType.TRANSFER),
        "m-default": Model(primary_type=PrimaryType.TRANSFER, unnamed=True),
        "m-down": Model(served=False),
        "m-unpriced": Model(priced=False),
    }


@dataclass(frozen=True, slots=True)
class LibertaiOptions:
    """The models, the wallets, and the time that settling takes."""

    models: Mapping[str, Model] = field(default_factory=_models)
    # Who is named as payTo, and so spends the permit; and whom the money is for.
    server_wallet: str = SERVER_WALLET
    recipient: str = RECIPIENT
    max_timeout_seconds: int = 300
    settle_delay_s: float = 1.0
    # False: usage is never reported, and so nothing ever settled.
    settles: bool = True

    def __post_init__(self) -> None:
        for address in (self.server_wallet, self.recipient):
            if not is_address(address):
                raise ValueError(f"not an address: {address!r}")
        if self.settle_delay_s < 0:
            raise ValueError("settling takes time, not saves it")
