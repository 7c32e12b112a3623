"""Wallets that sign as ours do, and remember every signature that they gave."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sidecar.http import HttpRequest, HttpResponse
from sidecar.money import Usdc
from sidecar.siwx import SignInMessage
from sidecar.wallets.evm import EvmWallet
from sidecar.wallets.solana import SolanaWallet
from sidecar.wallets.solana_layout import STANDARD, Layout
from sidecar.x402.types import Authorization, PaymentRequirements

KEY = bytes([7]) * 32
EVM_ADDRESS = EvmWallet(KEY).address
SOLANA_ADDRESS = SolanaWallet(KEY, {}).address


@dataclass(slots=True)
class Signatures:
    """What left a wallet."""

    payments: list[dict[str, Any]] = field(default_factory=list)
    sign_ins: list[tuple[str, str]] = field(default_factory=list)  # the text, the signature


class WitnessedWallet:
    """A real wallet, and a list of what it signed."""

    def __init__(self, wallet: EvmWallet | SolanaWallet) -> None:
        self._wallet = wallet
        self.signatures = Signatures()

    @property
    def address(self) -> str:
        return self._wallet.address

    def authorize(
        self,
        requirements: PaymentRequirements,
        amount: Usdc,
        nonce: bytes,
        at: datetime,
        validity_s: int,
    ) -> Generator[HttpRequest, HttpResponse, Authorization]:
        return (yield from self._wallet.authorize(requirements, amount, nonce, at, validity_s))

    def sign(self, authorization: Authorization) -> dict[str, Any]:
        payload = self._wallet.sign(authorization)
        self.signatures.payments.append(payload)
        return payload

    def sign_in(self, message: SignInMessage) -> str:
        signature = self._wallet.sign_in(message)
        self.signatures.sign_ins.append((message.text(), signature))
        return signature


NOWHERE: Mapping[str, str] = MappingProxyType({})


def evm_wallet(rpc_urls: Mapping[str, str] = NOWHERE) -> WitnessedWallet:
    """A wallet on EVM."""
    return WitnessedWallet(EvmWallet(KEY, rpc_urls))


def solana_wallet(
    rpc_urls: Mapping[str, str] = NOWHERE, layout: Layout = STANDARD
) -> WitnessedWallet:
    """A wallet on Solana."""
    return WitnessedWallet(SolanaWallet(KEY, rpc_urls, layout))
