"""What derived nonces are made with, got from whoever has the wallet's key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sidecar.config.model import Config
from sidecar.errors import WalletError
from sidecar.wallets.keys import Wallet
from sidecar.wallets.nonces import NonceSecret

if TYPE_CHECKING:
    from sidecar.wallets.remote import RemoteWallet


def nonce_secrets(
    config: Config, wallets: Mapping[str, Wallet | RemoteWallet], mistakes: list[str]
) -> dict[str, NonceSecret]:
    """By the wallet's name; a signer that gives none is a mistake."""
    secrets: dict[str, NonceSecret] = {}
    for name, wallet in wallets.items():
        if config.wallets[name].nonces == "random":
            continue
        # Not for those who ask for no such thing: each kind of wallet brings its libraries.
        from sidecar.wallets.evm import EvmWallet  # noqa: PLC0415 - see above
        from sidecar.wallets.remote import RemoteWallet  # noqa: PLC0415 - see above

        assert isinstance(wallet, EvmWallet | RemoteWallet), "the config allows it on EVM only"
        try:
            secrets[name] = wallet.nonce_secret()
        except WalletError as fault:
            mistakes.append(
                f"wallets.{name}.nonces: {fault.diagnostics()}; restart a signer of an older "
                "version, or write nonces: random"
            )
    return secrets
