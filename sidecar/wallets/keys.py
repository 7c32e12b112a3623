"""Keys of both kinds: from the text that people keep to a wallet.

Each kind is a module with the functions of ``Keys``, loaded for those who have such a key:
Solana's libraries weigh some 10 MB and a tenth of a second, and EVM's are not free either.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol, TypeAlias

from sidecar.wallets import WalletKind

if TYPE_CHECKING:
    from sidecar.wallets.evm import EvmWallet
    from sidecar.wallets.remote import RemoteWallet
    from sidecar.wallets.solana import SolanaWallet

Wallet: TypeAlias = "EvmWallet | SolanaWallet"


class Keys(Protocol):
    """What is done with a key of one kind. It is 32 bytes of either."""

    def parse_secret_key(self, text: str) -> bytes:
        """The key that this text is; WalletError, which holds none of it, when it is none."""
        ...

    def make_wallet(self, key: bytes, rpc_urls: Mapping[str, str]) -> Wallet:
        """The wallet of this key; ``rpc_urls`` are where it may ask, by network. WalletError."""
        ...

    def key_file(self, key: bytes) -> str:
        """The key as its ecosystem's tools keep it in a file: one line."""
        ...

    def secret_forms(self, key: bytes) -> tuple[str, ...]:
        """Every form in which this key could be printed, for the log's redaction."""
        ...


def keys_of(kind: WalletKind) -> Keys:
    """What is done with keys of this kind."""
    match kind:
        case "evm":
            from sidecar.wallets import evm_keys  # noqa: PLC0415 - see above

            return evm_keys
        case "solana":
            from sidecar.wallets import solana_keys  # noqa: PLC0415 - see above

            return solana_keys


def usdc_account(wallet: Wallet | RemoteWallet, network: str) -> str:
    """Where a chain is asked about this wallet's USDC: an EVM wallet holds it itself."""
    from sidecar.wallets.evm import EvmWallet  # noqa: PLC0415 - see above

    return wallet.address if isinstance(wallet, EvmWallet) else wallet.usdc_account(network)
