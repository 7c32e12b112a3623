"""Keys of both kinds, from a text to a wallet."""

from __future__ import annotations

import subprocess
import sys

import pytest
from solders.pubkey import Pubkey

from sidecar.chains import SOLANA, usdc_on
from sidecar.wallets import WalletKind
from sidecar.wallets.keys import keys_of, usdc_account

KEY = bytes(range(1, 33))
TOKEN = Pubkey.from_string("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")
ASSOCIATED = Pubkey.from_string("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL")


@pytest.mark.parametrize(
    ("kind", "address"),
    [
        ("evm", "0x6370eF2f4Db3611D657b90667De398a2Cc2a370C"),
        ("solana", "9C6hybhQ6Aycep9jaUnP6uL9ZYvDjUp1aSkFWPUFJtpj"),
    ],
)
def test_wallet(kind: WalletKind, address: str) -> None:
    """A key goes to its file and back, and makes a wallet; every form of it is known."""
    keys = keys_of(kind)

    assert KEY == keys.parse_secret_key(keys.key_file(KEY))
    assert address == keys.make_wallet(KEY, {}).address
    assert KEY.hex() in keys.secret_forms(KEY)


def test_usdc_account() -> None:
    """An EVM wallet holds its USDC itself, a Solana wallet in its token account."""
    evm = keys_of("evm").make_wallet(KEY, {})
    solana = keys_of("solana").make_wallet(KEY, {})
    owner, mint = (Pubkey.from_string(key) for key in (solana.address, usdc_on(SOLANA).address))
    derived, _ = Pubkey.find_program_address([bytes(owner), bytes(TOKEN), bytes(mint)], ASSOCIATED)

    assert evm.address == usdc_account(evm, "eip155:8453")
    assert str(derived) == usdc_account(solana, SOLANA)


def test_solana_is_loaded_when_it_is_wanted() -> None:
    """Who has no Solana key does not carry its libraries."""
    program = (
        "import sys; from sidecar.wallets.keys import keys_of; import sidecar.service.secrets; "
        "keys_of('evm'); print([name for name in ('nacl', 'solders') if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)

    assert b"[]" == ran.stdout.strip()
