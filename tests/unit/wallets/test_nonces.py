"""Nonces of purchases: the same for whoever has the key, others for all else."""

from __future__ import annotations

import pytest

from sidecar.errors import WalletError
from sidecar.wallets.evm import EvmWallet
from sidecar.wallets.nonces import NonceSecret

KEY = bytes(range(32))
BASE = "eip155:8453"


def test_golden() -> None:
    """The nonce of a purchase never changes, or replicas of two versions would both pay."""
    nonce = NonceSecret.of(KEY).nonce(BASE, "a purchase", 0, 0)

    assert "90268f9741032e9c91900140134efcd36f1351e6dce4fe3af2c9476c2201de68" == nonce.hex()


def test_each_its_own() -> None:
    """Another key, network, purchase, hour or ordinal makes another nonce."""
    secret = NonceSecret.of(KEY)
    made = {
        secret.nonce(BASE, "a", 0, 0),
        secret.nonce("eip155:84532", "a", 0, 0),
        secret.nonce(BASE, "b", 0, 0),
        secret.nonce(BASE, "a", 3_600, 0),
        secret.nonce(BASE, "a", 0, 1),
        NonceSecret.of(bytes(32)).nonce(BASE, "a", 0, 0),
    }

    assert 6 == len(made)
    assert {32} == {len(nonce) for nonce in made}


def test_said_and_read() -> None:
    """What a signer says of its secret makes the same nonces elsewhere."""
    secret = EvmWallet(KEY).nonce_secret()
    told = NonceSecret.parse(secret.reveal())

    assert secret.nonce(BASE, "a", 0, 0) == told.nonce(BASE, "a", 0, 0)
    assert NonceSecret.of(KEY).reveal() == secret.reveal()


@pytest.mark.parametrize("text", [None, 7, "", "ab" * 31, "AB" * 32, "ab" * 32 + "\n", "zz" * 32])
def test_no_secret(text: object) -> None:
    """What is not 64 digits is no secret, and is not repeated."""
    with pytest.raises(WalletError) as fault:
        NonceSecret.parse(text)

    assert "not a secret for nonces: 64 hexadecimal digits" == fault.value.diagnostics()


def test_it_is_not_shown() -> None:
    """Neither the key nor the secret is in what is printed of it; the secret is not the key."""
    secret = NonceSecret.of(KEY)

    assert "NonceSecret(***)" == repr(secret)
    assert KEY.hex() != secret.reveal()
