"""Wallets: what can sign, and nothing that signs raw bytes.

A provider is handed a ``siwx.SignIn`` and the money path a ``PaymentSigner``; both take typed
values, so no text or digest that a server chose is ever signed.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, Protocol, TypeAlias

from sidecar.http import Exchange
from sidecar.money import Usdc
from sidecar.refusal import Denied
from sidecar.x402.types import Authorization, PaymentRequirements

WalletKind: TypeAlias = Literal["evm", "solana"]


class PaymentSigner(Protocol):
    """Signs transfers from one address: draws one up, has it admitted, and then its payload."""

    @property
    def address(self) -> str:
        """The payer, as its chain writes it (EVM: EIP-55)."""
        ...

    def authorize(
        self,
        requirements: PaymentRequirements,
        amount: Usdc,
        nonce: bytes,
        at: datetime,
        validity_s: int,
    ) -> Exchange[Authorization]:
        """The transfer of ``amount`` to the entry's payee: unsigned, complete, ready to record.

        ``nonce`` is 32 unpredictable bytes; ``at`` is now. An Exchange, because some have to
        ask a chain first (a Solana blockhash, a Permit's nonce); EIP-3009 asks nothing.
        WalletError if the asset has no row; WalletBusyError when an earlier authorization has to
        settle or expire first.
        """
        ...

    async def admit(self, authorization: Authorization) -> Denied | None:
        """Whether its key's keeper will sign this: Denied says why it will not.

        Asked before the writing down, and nothing is signed by it. WalletError when nobody can
        say.
        """
        ...

    async def payload(self, authorization: Authorization) -> dict[str, Any]:
        """The scheme's ``payload``: the same bytes each time for the same authorization.

        WalletError where it is not to be had; whether it was signed is then unknown.
        """
        ...


class KeyHolder(Protocol):
    """The part of a ``PaymentSigner`` that is alike in all who hold their key themselves."""

    __slots__ = ()

    def sign(self, authorization: Authorization) -> dict[str, Any]:
        """The payload, at once. WalletError when the authorization is not ours to sign."""
        ...

    async def admit(self, authorization: Authorization) -> Denied | None:
        """See ``PaymentSigner``: nobody else is asked."""
        return None

    async def payload(self, authorization: Authorization) -> dict[str, Any]:
        """See ``PaymentSigner``."""
        return self.sign(authorization)
