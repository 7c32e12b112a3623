"""Keystores: opened with their password, in a process of their own."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from typing import Any

import pytest

from sidecar.errors import WalletError
from sidecar.wallets.keystore import INPUT_BYTES_MAX, decrypt, encrypt, main

KEY = bytes(range(1, 33))
# Work factors of nothing: what is tested is the format, not how long it takes to guess.
KEYSTORE = encrypt(KEY, "password", kdf="pbkdf2", iterations=2)
ADDRESS = "6370ef2f4db3611d657b90667de398a2cc2a370c"


def changed(**crypto: Any) -> dict[str, Any]:
    """The keystore, with these fields of its crypto changed."""
    return {**KEYSTORE, "crypto": {**KEYSTORE["crypto"], **crypto}}


def with_kdf(**params: Any) -> dict[str, Any]:
    """The keystore, with these parameters of its key derivation changed."""
    return changed(kdfparams={**KEYSTORE["crypto"]["kdfparams"], **params})


def run(given: bytes) -> tuple[int, str, str]:
    """The exit status, the key and the complaint of a run with this input."""
    key, complaint = io.StringIO(), io.StringIO()
    return main(io.BytesIO(given), key, complaint), key.getvalue(), complaint.getvalue()


@pytest.mark.parametrize("kdf", ["scrypt", "pbkdf2"])
def test_round_trip(kdf: Any) -> None:
    """What was encrypted with either function is decrypted again."""
    assert KEY == decrypt(encrypt(KEY, "pässword", kdf=kdf, iterations=2), "pässword")


def test_other_spellings() -> None:
    """Older wallets' capital in Crypto, and an address with 0x, are read."""
    older = {"version": 3, "Crypto": KEYSTORE["crypto"], "address": "0x" + ADDRESS.upper()}

    assert KEY == decrypt(older, "password")


def test_no_address() -> None:
    """A keystore need not say its address."""
    assert KEY == decrypt({"version": 3, "crypto": KEYSTORE["crypto"]}, "password")


def test_wrong_password() -> None:
    """A wrong password is told apart from a broken file."""
    with pytest.raises(WalletError, match="the keystore's password is wrong"):
        decrypt(KEYSTORE, "passw0rd")


def test_wrong_key() -> None:
    """A keystore whose key is not its address's is refused: its checksum would not notice."""
    with pytest.raises(WalletError, match="not its address's"):
        decrypt(changed(cipherparams={"iv": "00" * 16}), "password")


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {**KEYSTORE, "version": 4},
        {**KEYSTORE, "crypto": []},
        changed(kdf="argon2"),
        changed(kdf="scrypt"),
        changed(cipher="aes-256-cbc"),
        changed(mac="zz"),
        changed(mac=None),
        changed(ciphertext=7),
        changed(cipherparams={}),
        with_kdf(dklen=10**30),
        with_kdf(prf="hmac-md5"),
        with_kdf(c="2"),
        with_kdf(salt=None),
    ],
)
def test_not_a_keystore(odd: dict[str, Any]) -> None:
    """A file of another format, or a broken one, is refused."""
    with pytest.raises(WalletError, match="not a keystore of version 3"):
        decrypt(odd, "password")


@pytest.mark.parametrize(
    "slow",
    [
        with_kdf(c=10**9),
        changed(kdf="scrypt", kdfparams={"dklen": 32, "n": 2**24, "r": 8, "p": 1, "salt": "00"}),
        changed(kdf="scrypt", kdfparams={"dklen": 32, "n": 2**18, "r": 8, "p": 9, "salt": "00"}),
    ],
)
def test_slow_keystore(slow: dict[str, Any]) -> None:
    """A keystore that would take all memory, or for ever, is refused before it is tried."""
    with pytest.raises(WalletError, match="too long"):
        decrypt(slow, "password")


def test_main() -> None:
    """Given a keystore and its password, it writes the key and nothing else."""
    given = json.dumps({"keystore": KEYSTORE, "password": "password"}).encode()

    assert (0, KEY.hex() + "\n", "") == run(given)


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        (b"", "it must be a JSON object"),
        (b"\xff", "it must be a JSON object"),
        (b"[" * 50_000, "it must be a JSON object"),
        (b'{"keystore": "{}", "password": "s3cret"}', "it must be a JSON object"),
        (b'{"keystore": {}, "password": "s3cret", ', "it must be a JSON object"),
        (b" " * (INPUT_BYTES_MAX + 1), "65536 bytes"),
        (b'{"keystore": {}, "password": "s3cret"}', "version 3"),
    ],
)
def test_complaint(given: bytes, complaint: str) -> None:
    """What cannot be decrypted is one line, without the password, and no key."""
    status, key, said = run(given)

    assert (1, "", 1) == (status, key, said.count("\n"))
    assert complaint in said
    assert "s3cret" not in said


def test_child() -> None:
    """The module runs as a process of its own, and is given everything through its input."""
    done = subprocess.run(
        [sys.executable, "-m", "sidecar.wallets.keystore"],
        input=json.dumps({"keystore": KEYSTORE, "password": "password"}).encode(),
        capture_output=True,
        timeout=60,
        check=False,
    )

    assert (0, KEY.hex() + "\n", "") == (
        done.returncode,
        done.stdout.decode(),
        done.stderr.decode(),
    )
