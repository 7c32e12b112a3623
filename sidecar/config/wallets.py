"""The wallets: a name, a kind, and where the key is kept."""

from __future__ import annotations

from collections.abc import Mapping

from sidecar.config.fields import Field, check_name
from sidecar.config.model import SecretKind, SecretRef, WalletConfig
from sidecar.config.secret_ref import Places, read_secret_ref

# The ecosystem's name: what x402 clients in every language read.
KEY_VARIABLE = "EVM_PRIVATE_KEY"
KEY_WALLET = "main"


def read_wallets(
    field: Field, places: Places, environ: Mapping[str, str]
) -> dict[str, WalletConfig | None]:
    """Every wallet by its name; None for one that is named but wrong.

    Where none is configured, ``EVM_PRIVATE_KEY`` is the wallet ``main``.
    """
    wallets: dict[str, WalletConfig | None] = {}
    for name, entry in field.named():
        check_name(name, entry)
        section = entry.section(("kind", "key"))
        kind = section.at("kind").required("use kind: evm")
        if kind.entry is not None and kind.entry.value == "solana":
            kind.mistake("solana is not available in this version", "use kind: evm")
        else:
            kind.choice(("evm",), "evm")
        key = section.at("key").required("write {file: PATH}, {env: NAME} or {keystore: {...}}")
        ref = read_secret_ref(key, places, keystore=True)
        wallets[name] = None if ref is None else WalletConfig(name, "evm", ref)
    if not wallets and environ.get(KEY_VARIABLE):
        ref = SecretRef(SecretKind.ENV, KEY_VARIABLE, path=f"wallets.{KEY_WALLET}.key")
        wallets[KEY_WALLET] = WalletConfig(KEY_WALLET, "evm", ref)
    return wallets
