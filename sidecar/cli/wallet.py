"""``sidecar wallet``: make a key, import one, or show an address. No key is ever shown."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

from sidecar.cli.config_file import read_config
from sidecar.cli.keys import address_of, ask_key, ask_password, open_key_file, wallet_addresses
from sidecar.cli.screen import write_json, write_table
from sidecar.clock import SystemEntropy
from sidecar.config.model import Secret
from sidecar.config.private_file import write_private
from sidecar.errors import ConfigError
from sidecar.wallets.keys import keys_of
from sidecar.wallets.keystore import encrypt

KEY_BYTES = 32


def wallet(args: argparse.Namespace) -> int:
    """0 when there is an address to show."""
    match args.action:
        case "new":
            _keep(args, SystemEntropy().token(KEY_BYTES))
        case "import":
            _keep(args, keys_of(args.kind).parse_secret_key(ask_key(args.from_file).reveal()))
        case _:
            _show(args)
    return 0


def _keep(args: argparse.Namespace, private_key: bytes) -> None:
    """Write the key to its file, and show its address."""
    keys = keys_of(args.kind)
    address = keys.make_wallet(private_key, {}).address
    path = Path(args.out)
    _refuse_existing(path)
    content = f"{keys.key_file(private_key)}\n"
    if args.keystore:
        password = ask_password(args.password_file, twice=True)
        # Its ``address`` is an EVM one for either kind: by it a damaged file is known.
        content = json.dumps(encrypt(private_key, password.reveal())) + "\n"
    try:
        made = write_private(path, content.encode())
    except OSError as fault:
        reason = (fault.strerror or "not writable").lower()
        raise ConfigError(f"--out: {path}: {reason}; name a file that can be made") from fault
    if not made:
        _refuse_existing(path)
    _write_address(args, address, path)


def _refuse_existing(path: Path) -> None:
    # A key that is overwritten is money that is gone.
    if path.exists() or path.is_symlink():
        raise ConfigError(f"--out: {path}: there is a file already; name another one")


def _show(args: argparse.Namespace) -> None:
    if args.key_file is not None:
        path = Path(args.key_file)
        key: Secret = open_key_file(
            path, keystore=args.keystore, password_file=args.password_file, environ=os.environ
        )
        _write_address(args, address_of(key, args.kind), path)
        return
    addresses = wallet_addresses(read_config(args), os.environ)
    if args.json:
        write_json([{"name": name, "address": address} for name, address in addresses.items()])
    else:
        write_table(("WALLET", "ADDRESS"), list(addresses.items()))


def _write_address(args: argparse.Namespace, address: str, path: Path) -> None:
    if args.json:
        write_json({"address": address, "file": str(path)})
    else:
        print(address)
