"""The wallets: a name, a kind, and where the key is kept."""

from __future__ import annotations

from collections.abc import Mapping

from sidecar.config.fields import Field, check_name
from sidecar.config.model import Nonces, SecretKind, SecretRef, WalletConfig
from sidecar.config.secret_ref import KEY_FIX, Places, read_key_ref
from sidecar.wallets import WalletKind

# The ecosystem's names: what x402 clients in every language read. Each is a wallet of its own.
KEY_VARIABLES: dict[WalletKind, tuple[str, str]] = {
    "evm": ("EVM_PRIVATE_KEY", "main"),
    "solana": ("SVM_PRIVATE_KEY", "solana"),
}


def read_wallets(
    field: Field, places: Places, environ: Mapping[str, str]
) -> dict[str, WalletConfig | None]:
    """Every wallet by its name; None for one that is named but wrong.

    Where none is configured, ``EVM_PRIVATE_KEY`` is the wallet ``main`` and ``SVM_PRIVATE_KEY``
    the wallet ``solana``.
    """
    wallets: dict[str, WalletConfig | None] = {}
    for name, entry in field.named():
        check_name(name, entry)
        section = entry.section(("kind", "key", "nonces"))
        kind = section.at("kind").required("use kind: evm or kind: solana")
        chosen: WalletKind = kind.choice(("evm", "solana"), "evm")
        key = read_key_ref(section.at("key").required(KEY_FIX), places)
        nonces: Nonces = section.at("nonces").choice(("random", "derived"), "random")
        if nonces == "derived" and chosen == "solana":
            section.at("nonces").mistake(
                "Solana takes a second payment with the same memo", "use it on EVM wallets only"
            )
        wallets[name] = None if key is None else WalletConfig(name, chosen, key, nonces)
    if not wallets:
        for kind_of_key, (variable, name) in KEY_VARIABLES.items():
            if environ.get(variable):
                ref = SecretRef(SecretKind.ENV, variable, path=f"wallets.{name}.key")
                wallets[name] = WalletConfig(name, kind_of_key, ref)
    return wallets
