"""Sign-In-With-X: saying who we are with a wallet's signature (CAIP-122).

    message    the text that is signed, from typed fields and back
    envelope   the header that carries it, in both dialects
    challenge  what an x402 seller asks to be signed, and whether we do
    times      how its times are written

A wallet signs a ``SignInMessage`` and never a text: no server chooses what is signed.
Source: x402.md 5.1 and 5.2.
"""

from __future__ import annotations

from typing import Protocol

from sidecar.siwx.message import SignInMessage

__all__ = ["SignIn", "SignInMessage"]


class SignIn(Protocol):
    """A wallet as a provider sees it: it signs sign-in messages, and nothing else."""

    @property
    def address(self) -> str:
        """As its chain writes it: EIP-55, or base58."""
        ...

    def sign_in(self, message: SignInMessage) -> str:
        """The signature of ``message.text()``: EIP-191 in 0x-hex, or ed25519 in base58.

        WalletError when the message is not this wallet's: another address, or another kind of
        chain.
        """
        ...
