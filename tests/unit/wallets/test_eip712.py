"""What is signed: the digests of transfers and Permits, and what none is made of."""

from __future__ import annotations

from typing import Any

import pytest
from eth_account.messages import _hash_eip191_message, encode_typed_data

from sidecar.chains import ASSETS, Asset, is_evm, usdc_on
from sidecar.errors import WalletError
from sidecar.wallets.eip712 import checksum_address, permit_digest, token_of, transfer_digest

BASE, TESTNET = "eip155:8453", "eip155:84532"
PAYER, PAYEE = checksum_address("0x" + "ab" * 20), checksum_address("0x" + "cd" * 20)
OTHER = checksum_address("0x" + "ef" * 20)
UNTIL = 1_767_323_345
NONCE = bytes(range(32))
EVM = tuple(asset for asset in ASSETS if is_evm(asset.network))


def by_library(asset: Asset, kind: str, names: str, said: dict[str, Any]) -> bytes:
    """The same digest by eth_account, from the message that a wallet would show."""
    fields = [dict(zip(("type", "name"), each.split(), strict=True)) for each in names.split(",")]
    domain = {
        "name": asset.domain_name,
        "version": asset.domain_version,
        "chainId": asset.chain_id,
        "verifyingContract": asset.address,
    }
    return bytes(_hash_eip191_message(encode_typed_data(domain, {kind: fields}, said)))


@pytest.mark.parametrize("asset", EVM, ids=str)
def test_transfer(asset: Asset) -> None:
    """A transfer's digest is the one that eth_account makes, on every network that we know."""
    names = (
        "address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce"
    )
    said = {"from": PAYER, "to": PAYEE, "value": 10_000, "validAfter": 0}
    said |= {"validBefore": UNTIL, "nonce": NONCE}
    expected = by_library(asset, "TransferWithAuthorization", names, said)
    result = transfer_digest(asset.network, asset.address, (PAYER, PAYEE), "10000", UNTIL, NONCE)

    assert expected == result


def test_permit() -> None:
    """A Permit's digest is the one that eth_account makes."""
    asset = usdc_on(BASE)
    names = "address owner,address spender,uint256 value,uint256 nonce,uint256 deadline"
    said = {"owner": PAYER, "spender": PAYEE, "value": 7, "nonce": 3, "deadline": UNTIL}
    number = (3).to_bytes(32, "big")
    result = permit_digest(BASE, asset.address, (PAYER, PAYEE), "7", number, UNTIL)

    assert by_library(asset, "Permit", names, said) == result


def test_each_term_counts() -> None:
    """Whatever came before, another token, payee, amount, end or nonce makes another digest."""
    token = usdc_on(BASE).address
    digests = {
        transfer_digest(BASE, token, (PAYER, PAYEE), "1", UNTIL, NONCE),
        transfer_digest(TESTNET, usdc_on(TESTNET).address, (PAYER, PAYEE), "1", UNTIL, NONCE),
        transfer_digest(BASE, token, (PAYER, OTHER), "1", UNTIL, NONCE),
        transfer_digest(BASE, token, (OTHER, PAYEE), "1", UNTIL, NONCE),
        transfer_digest(BASE, token, (PAYER, PAYEE), "2", UNTIL, NONCE),
        transfer_digest(BASE, token, (PAYER, PAYEE), "1", UNTIL + 1, NONCE),
        transfer_digest(BASE, token, (PAYER, PAYEE), "1", UNTIL, NONCE[::-1]),
    }

    assert 7 == len(digests)


@pytest.mark.parametrize(
    ("network", "token", "payee", "value"),
    [
        (BASE, PAYEE, PAYEE, "1"),
        ("eip155:1514", usdc_on(BASE).address, PAYEE, "1"),
        (BASE, usdc_on(BASE).address, PAYEE.lower(), "1"),
        (BASE, usdc_on(BASE).address, "vitalik.eth", "1"),
        (BASE, usdc_on(BASE).address, PAYEE, "0"),
        (BASE, usdc_on(BASE).address, PAYEE, "1.5"),
    ],
    ids=["token", "network", "case", "no address", "nothing", "no amount"],
)
def test_refused(network: str, token: str, payee: str, value: str) -> None:
    """What is refused is refused each time that it comes."""
    for _ in range(2):
        with pytest.raises(WalletError):
            transfer_digest(network, token, (PAYER, payee), value, UNTIL, NONCE)


def test_solana_token() -> None:
    """Solana's mints are no tokens that a transfer on an EVM chain can name."""
    network = next(asset.network for asset in ASSETS if not is_evm(asset.network))

    with pytest.raises(WalletError, match="no token of ours"):
        token_of(network, usdc_on(network).address)
