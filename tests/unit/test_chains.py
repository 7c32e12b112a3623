"""The table of networks and tokens: our own, and in agreement with itself."""

from __future__ import annotations

import pytest

from sidecar.base58 import is_public_key
from sidecar.chains import (
    ASSETS,
    NETWORK_NAMES,
    SOLANA,
    SOLANA_DEVNET,
    V1_NETWORKS,
    Asset,
    caip2,
    find_asset,
    is_evm,
    usdc_on,
)
from sidecar.money import DECIMALS
from sidecar.wallets.eip712 import checksum_address, domain_separator

BASE = Asset(
    "eip155:8453",
    "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913",
    domain_name="USD Coin",
    domain_version="2",
    decimals=6,
)

# Each row's EIP-712 domain separator: a slip in a name or an address cannot go unseen. Base's is
# also what its contract answers (providers.md 0); the others were made by eth_account.
SEPARATORS = {
    "eip155:8453": "02fa7265e7c5d81118673727957699e4d68f74cd74b7db77da710fe8a2c7834f",
    "eip155:84532": "71f17a3b2ff373b803d70a5a07c046c1a2bc8e89c09ef722fcb047abe94c9818",
    "eip155:1": "06c37168a7db5138defc7866392bb87a741f9b3d104deb5094588ce041cae335",
    "eip155:137": "caa2ce1a5703ccbe253a34eb3166df60a705c561b44b192061e28f2a985be2ca",
    "eip155:42161": "08d11903f8419e68b1b8721bcbe2e9fc68569122a77ef18c216f10b3b5112c78",
    "eip155:421614": "85944e1292d007732838d6eadfa67589b78ffcededbd4df60488d0af251308bb",
    "eip155:43114": "bbea200329a938bc3438984a49cb0732e66d66d7bd59c127abacc1710e77f7b3",
}


MINT = Asset(
    "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp",
    "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v",
    domain_name="",
    domain_version="",
    decimals=6,
)


@pytest.mark.parametrize("address", [BASE.address, BASE.address.lower(), BASE.address.upper()])
def test_find(address: str) -> None:
    """A token on EVM is found by its address in any case."""
    assert BASE == find_asset("eip155:8453", address)


def test_find_on_solana() -> None:
    """A mint is found by its address in its own case."""
    assert MINT == find_asset(SOLANA, MINT.address)


@pytest.mark.parametrize(
    ("network", "address"),
    [
        ("eip155:84532", BASE.address),
        ("base", BASE.address),
        ("eip155:8453", "0x" + "1" * 40),
        ("eip155:8453", ""),
        ("eip155:8453", MINT.address),
        (SOLANA, MINT.address.lower()),
        (SOLANA, MINT.address.upper()),
        (SOLANA, BASE.address),
        (SOLANA_DEVNET, MINT.address),
        ("solana", MINT.address),
    ],
)
def test_not_found(network: str, address: str) -> None:
    """A token of another network, or of none, is not found."""
    assert find_asset(network, address) is None


@pytest.mark.parametrize("asset", ASSETS, ids=lambda asset: asset.network)
def test_row(asset: Asset) -> None:
    """Every row has a known network, and USDC's decimals."""
    assert asset.network in NETWORK_NAMES
    assert DECIMALS == asset.decimals
    assert asset == usdc_on(asset.network)


@pytest.mark.parametrize(
    "asset",
    [asset for asset in ASSETS if is_evm(asset.network)],
    ids=lambda asset: asset.network,
)
def test_evm_row(asset: Asset) -> None:
    """Every row on EVM has a checksummed address, and its separator."""
    assert asset.address == checksum_address(asset.address)
    assert SEPARATORS[asset.network] == domain_separator(asset).hex()
    assert f"eip155:{asset.chain_id}" == asset.network


@pytest.mark.parametrize("network", [SOLANA, SOLANA_DEVNET])
def test_solana_row(network: str) -> None:
    """Every row on Solana has a mint, and nothing of EIP-712."""
    asset = usdc_on(network)

    assert not is_evm(network)
    assert is_public_key(asset.address)
    assert ("", "") == (asset.domain_name, asset.domain_version)


def test_networks() -> None:
    """Every network that has a name has its USDC."""
    assert set(NETWORK_NAMES) == {asset.network for asset in ASSETS}


@pytest.mark.parametrize(
    ("network", "identifier"),
    [
        ("base", "eip155:8453"),
        ("base-sepolia", "eip155:84532"),
        ("solana", SOLANA),
        ("solana-devnet", SOLANA_DEVNET),
        (SOLANA, SOLANA),
        ("solana-testnet", None),
        ("solana:4uhcVJyU9pJkvQyS88uRDiswHXSCkY3z", None),
        ("eip155:8453", "eip155:8453"),
        ("eip155:1514", None),
        ("story", None),
        ("Base", None),
        ("", None),
    ],
)
def test_caip2(network: str, identifier: str | None) -> None:
    """A network is known by its CAIP-2 id and by v1's name, exactly as they are written."""
    assert identifier == caip2(network)


@pytest.mark.parametrize("name", ["story", "educhain", "skale-base-sepolia"])
def test_disputed_names(name: str) -> None:
    """Names that the official SDKs give to different chains are not known at all."""
    assert name not in V1_NETWORKS


def test_v1_names() -> None:
    """Every v1 name stands for a network that we know."""
    assert set(V1_NETWORKS.values()) <= set(NETWORK_NAMES)
