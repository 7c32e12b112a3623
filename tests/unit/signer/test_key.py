"""Where the signer's key may be, and that no message holds any of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sidecar.errors import ConfigError
from sidecar.signer.key import InFile, InKeystore, InVariable, KeyPlace, open_wallet
from sidecar.wallets.evm import EvmWallet
from sidecar.wallets.keystore import encrypt
from sidecar.wallets.solana import SolanaWallet

KEY = bytes(range(1, 33))
PASSWORD = "correct horse"


def private(path: Path, content: bytes) -> Path:
    """A file for nobody else."""
    path.write_bytes(content)
    path.chmod(0o600)
    return path


def test_places(tmp_path: Path) -> None:
    """A key is had from a file, from a variable, and from a keystore that a child opens."""
    keystore = json.dumps(encrypt(KEY, PASSWORD, "pbkdf2", 1_000)).encode()
    places: list[KeyPlace] = [
        InFile(private(tmp_path / "key", f"0x{KEY.hex()}\n".encode())),
        InVariable("KEY"),
        InKeystore(
            private(tmp_path / "keystore", keystore),
            InFile(private(tmp_path / "password", PASSWORD.encode())),
        ),
    ]
    for place in places:
        wallet = open_wallet("evm", place, {"KEY": KEY.hex()})

        assert EvmWallet(KEY).address == wallet.address
    solana = open_wallet("solana", InVariable("KEY"), {"KEY": KEY.hex()})
    assert SolanaWallet(KEY, {}).address == solana.address


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"\xff\xfe", "not text"),
        (b"\n\n", "empty or not set"),
        (KEY.hex().encode()[:-2], "not a private key"),
        (KEY.hex().encode() + b"\n" + KEY.hex().encode(), "more than one line"),
        (b"0" * 64, "not a private key"),
    ],
)
def test_no_key(tmp_path: Path, content: bytes, said: str) -> None:
    """What is no key is refused with a sentence, and nothing of it is repeated."""
    place = InFile(private(tmp_path / "key", content))
    with pytest.raises(ConfigError) as caught:
        open_wallet("evm", place, {})

    assert said in str(caught.value)
    assert KEY.hex()[:40] not in str(caught.value)


def test_no_keystore(tmp_path: Path) -> None:
    """A keystore with another password, or that is none, is refused."""
    keystore = json.dumps(encrypt(KEY, PASSWORD, "pbkdf2", 1_000)).encode()
    wrong = InKeystore(private(tmp_path / "one", keystore), InVariable("PASSWORD"))
    none = InKeystore(private(tmp_path / "two", b"[" * 3), InVariable("PASSWORD"))

    with pytest.raises(ConfigError, match="the keystore's password is wrong"):
        open_wallet("evm", wrong, {"PASSWORD": "another"})
    with pytest.raises(ConfigError, match="not JSON"):
        open_wallet("evm", none, {"PASSWORD": "another"})
    with pytest.raises(ConfigError, match="the key's variable: empty"):
        open_wallet("evm", none.password, {})


def test_readable_by_others(tmp_path: Path) -> None:
    """A key that others may read is not used."""
    path = private(tmp_path / "key", KEY.hex().encode())
    path.chmod(0o644)

    with pytest.raises(ConfigError, match="other users may read"):
        open_wallet("evm", InFile(path), {})
