"""A wallet that has an address and signs nothing: what shadow mode runs with."""

from __future__ import annotations

from datetime import datetime
from typing import NoReturn

from sidecar.errors import WalletError
from sidecar.money import Usdc
from sidecar.siwx import SignInMessage
from sidecar.values import dataclass
from sidecar.x402.types import Authorization, PaymentRequirements


@dataclass(frozen=True, slots=True)
class WatchOnlyWallet:
    """``PaymentSigner`` and ``SignIn`` in form; WalletError from everything but its address."""

    address: str

    def authorize(
        self,
        requirements: PaymentRequirements,
        amount: Usdc,
        nonce: bytes,
        at: datetime,
        validity_s: int,
    ) -> NoReturn:
        raise _no_key()

    async def admit(self, authorization: Authorization) -> NoReturn:
        raise _no_key()

    async def payload(self, authorization: Authorization) -> NoReturn:
        raise _no_key()

    def sign_in(self, message: SignInMessage) -> NoReturn:
        raise _no_key()


def _no_key() -> WalletError:
    return WalletError("this wallet has no key: in shadow mode nothing is signed")
