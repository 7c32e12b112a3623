"""`sidecar wallet`: keys go to files, and only addresses are shown."""

from __future__ import annotations

import json
import re
from pathlib import Path

from solders.keypair import Keypair

from sidecar.wallets.evm import EvmWallet, parse_private_key
from sidecar.wallets.keystore import decrypt, encrypt
from tests.unit.cli.commands import ADDRESS, KEY, Command, write_config, write_private


def test_new(sidecar: Command, tmp_path: Path) -> None:
    """A new key is in a 0600 file, and all that is shown is its address."""
    file = tmp_path / "evm.key"

    ran = sidecar("wallet", "new", "--out", file)

    address = EvmWallet(parse_private_key(file.read_text())).address
    assert (0, f"{address}\n", "") == (ran.status, ran.out, ran.err)
    assert 0o100600 == file.stat().st_mode


def test_never_replaces(sidecar: Command, tmp_path: Path) -> None:
    """A file that is there already is left alone: an overwritten key is money gone."""
    file = write_private(tmp_path / "evm.key", "precious")
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "nowhere")

    assert [
        (2, f"--out: {file}: there is a file already; name another one\n"),
        (2, f"--out: {link}: there is a file already; name another one\n"),
    ] == [
        (ran.status, ran.err)
        for ran in (
            sidecar("wallet", "new", "--out", file),
            sidecar("wallet", "new", "--out", link),
        )
    ]
    assert "precious" == file.read_text()


def test_no_folder(sidecar: Command, tmp_path: Path) -> None:
    """A file that cannot be made is refused in one line."""
    file = tmp_path / "missing" / "evm.key"

    ran = sidecar("wallet", "new", "--out", file)

    assert (
        2,
        f"--out: {file}: no such file or directory; name a file that can be made\n",
    ) == (ran.status, ran.err)


def test_import(sidecar: Command, tmp_path: Path) -> None:
    """A key from a file is written to its new place."""
    source = write_private(tmp_path / "old", KEY.hex())
    file = tmp_path / "evm.key"

    ran = sidecar("wallet", "import", "--from-file", source, "--out", file, "--json")

    assert (0, {"address": ADDRESS, "file": str(file)}) == (ran.status, json.loads(ran.out))
    assert f"0x{KEY.hex()}\n" == file.read_text()


def test_import_of_no_key(sidecar: Command, tmp_path: Path) -> None:
    """What is no key ends in status 6, is not repeated, and leaves no file."""
    source = write_private(tmp_path / "old", "5e5e5e")
    file = tmp_path / "evm.key"

    ran = sidecar("wallet", "import", "--from-file", source, "--out", file)

    assert (
        6,
        "",
        "sidecar: not a private key: it must be 64 hexadecimal digits, 0x before or not\n",
    ) == (ran.status, ran.out, ran.err)
    assert not file.exists()


def test_new_keystore(sidecar: Command, tmp_path: Path) -> None:
    """A keystore holds its key under the password from a file."""
    password = write_private(tmp_path / "password", "correct horse\n")
    file = tmp_path / "keystore.json"

    ran = sidecar(
        "wallet", "new", "--out", file, "--keystore", "--password-file", password, "--json"
    )

    key = decrypt(json.loads(file.read_text()), "correct horse")
    assert {"address": EvmWallet(key).address, "file": str(file)} == json.loads(ran.out)
    assert re.search(key.hex(), file.read_text()) is None


def test_address_of_a_keystore(sidecar: Command, tmp_path: Path) -> None:
    """The address of a keystore is that of the key in it."""
    keystore = encrypt(KEY, "correct horse", kdf="pbkdf2", iterations=2)
    file = write_private(tmp_path / "keystore.json", json.dumps(keystore))
    password = write_private(tmp_path / "password", "correct horse\n")

    ran = sidecar(
        "wallet", "address", "--key-file", file, "--keystore", "--password-file", password
    )

    assert (0, f"{ADDRESS}\n") == (ran.status, ran.out)


def test_address_of_a_file(sidecar: Command, tmp_path: Path) -> None:
    """The address of a key file; one that others may read is refused."""
    file = write_private(tmp_path / "evm.key", KEY.hex())

    assert f"{ADDRESS}\n" == sidecar("wallet", "address", "--key-file", file).out
    file.chmod(0o644)
    assert (
        f"{file}: other users may read or change it (mode 0644); chmod 600 {file}\n"
        == sidecar("wallet", "address", "--key-file", file).err
    )


def test_addresses_of_a_config(sidecar: Command, tmp_path: Path) -> None:
    """The address of every wallet in a config."""
    path = write_config(tmp_path, "hosts", to=[])

    assert (
        f"WALLET\tADDRESS\nmain\t{ADDRESS}\n" == sidecar("wallet", "address", "--config", path).out
    )
    assert [{"name": "main", "address": ADDRESS}] == json.loads(
        sidecar("wallet", "address", "--config", path, "--json").out
    )


SOLANA_KEY = Keypair.from_seed(bytes(range(32)))
SOLANA_ADDRESS = "FAe4sisG95oZ42w7buUn5qEE4TAnfTTFPiguZUHmhiF"


def test_new_solana_key(sidecar: Command, tmp_path: Path) -> None:
    """A new Solana key is in a 0600 file as Solana's own tools have it; its address is shown."""
    file = tmp_path / "id.json"

    ran = sidecar("wallet", "new", "--kind", "solana", "--out", file)

    kept = Keypair.from_json(file.read_text())
    assert (0, f"{kept.pubkey()}\n", "") == (ran.status, ran.out, ran.err)
    assert 0o100600 == file.stat().st_mode


def test_import_of_a_solana_key(sidecar: Command, tmp_path: Path) -> None:
    """A key as other wallets export it is written to its new place."""
    source = write_private(tmp_path / "old", str(SOLANA_KEY))
    file = tmp_path / "id.json"

    ran = sidecar("wallet", "import", "--kind", "solana", "--from-file", source, "--out", file)

    assert (0, f"{SOLANA_ADDRESS}\n") == (ran.status, ran.out)
    assert f"{SOLANA_KEY.to_json()}\n" == file.read_text()


def test_import_of_another_kind(sidecar: Command, tmp_path: Path) -> None:
    """A Solana key is no EVM key, and is not repeated."""
    source = write_private(tmp_path / "old", str(SOLANA_KEY))
    file = tmp_path / "evm.key"

    ran = sidecar("wallet", "import", "--from-file", source, "--out", file)

    assert (6, False) == (ran.status, file.exists())
    assert str(SOLANA_KEY) not in ran.err


def test_address_of_a_solana_key(sidecar: Command, tmp_path: Path) -> None:
    """The address of a key file is that of the kind that it is said to be."""
    file = write_private(tmp_path / "id.json", SOLANA_KEY.to_json())

    ran = sidecar("wallet", "address", "--kind", "solana", "--key-file", file)

    assert f"{SOLANA_ADDRESS}\n" == ran.out


def test_solana_keystore(sidecar: Command, tmp_path: Path) -> None:
    """A Solana key goes into a keystore and is found again by its password."""
    password = write_private(tmp_path / "password", "correct horse\n")
    source = write_private(tmp_path / "old", str(SOLANA_KEY))
    file = tmp_path / "keystore.json"
    sealed = ("--keystore", "--password-file", password, "--kind", "solana")
    sidecar("wallet", "import", "--from-file", source, "--out", file, *sealed)

    assert bytes(SOLANA_KEY)[:32] == decrypt(json.loads(file.read_text()), "correct horse")
    assert f"{SOLANA_ADDRESS}\n" == sidecar("wallet", "address", "--key-file", file, *sealed).out


def test_addresses_of_both_kinds(sidecar: Command, tmp_path: Path) -> None:
    """Each wallet of a config has the address of its own kind."""
    write_private(tmp_path / "id.json", SOLANA_KEY.to_json())
    path = write_config(
        tmp_path, "wallets", "sol", to={"kind": "solana", "key": {"file": "id.json"}}
    )

    assert [
        {"name": "main", "address": ADDRESS},
        {"name": "sol", "address": SOLANA_ADDRESS},
    ] == json.loads(sidecar("wallet", "address", "--config", path, "--json").out)
