"""The networks and tokens that we know: data, ours, closed.

A seller names a network and an asset; this table says what they are. The EIP-712 domain and the
decimals never come from the wire: a seller's idea of them is how fake tokens get paid.
An asset that has no row here is never paid. Adding one takes a row and its test vector.
Source: x402.md A.1 and A.2; Base USDC's separator equals the on-chain value (providers.md 0).
"""

from __future__ import annotations

from sidecar.values import dataclass


@dataclass(frozen=True, slots=True)
class Asset:
    """One USDC deployment: where it lives, and on EVM what its EIP-712 domain says."""

    network: str
    address: str  # EVM: the contract; Solana: the mint
    domain_name: str
    domain_version: str
    decimals: int

    @property
    def chain_id(self) -> int:
        """The EIP-155 chain id: the reference of the CAIP-2 network."""
        return int(self.network.removeprefix("eip155:"))


def _usdc(network: str, address: str, domain_name: str) -> Asset:
    return Asset(network, address, domain_name, domain_version="2", decimals=6)


def _mint(network: str, address: str) -> Asset:
    return Asset(network, address, domain_name="", domain_version="", decimals=6)


SOLANA = "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp"
SOLANA_DEVNET = "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1"


ASSETS = (
    _usdc("eip155:8453", "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913", "USD Coin"),
    _usdc("eip155:84532", "0x036CbD53842c5426634e7929541eC2318f3dCF7e", "USDC"),
    _usdc("eip155:1", "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48", "USD Coin"),
    _usdc("eip155:137", "0x3c499c542cEF5E3811e1192ce70d8cC03d5c3359", "USD Coin"),
    _usdc("eip155:42161", "0xaf88d065e77c8cC2239327C5EDb3A432268e5831", "USD Coin"),
    _usdc("eip155:421614", "0x75faf114eafb1BDbe2F0316DF893fd58CE46AA4d", "USD Coin"),
    _usdc("eip155:43114", "0xB97EF9Ef8734C71904D8002F8b6Bc66Dd9c48a6E", "USD Coin"),
    # Both mints belong to the classic Token program.
    _mint(SOLANA, "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"),
    _mint(SOLANA_DEVNET, "4zMMC9srt5Ri5X14GAgXhaHii3GnPAEERYPJgZJDncDU"),
)

NETWORK_NAMES = {
    "eip155:8453": "Base",
    "eip155:84532": "Base Sepolia",
    "eip155:1": "Ethereum",
    "eip155:137": "Polygon",
    "eip155:42161": "Arbitrum One",
    "eip155:421614": "Arbitrum Sepolia",
    "eip155:43114": "Avalanche C-Chain",
    SOLANA: "Solana",
    SOLANA_DEVNET: "Solana Devnet",
}

# The names that x402 v1 puts on the wire. Names on which the official SDKs disagree are left out.
V1_NETWORKS = {
    "base": "eip155:8453",
    "base-sepolia": "eip155:84532",
    "ethereum": "eip155:1",
    "polygon": "eip155:137",
    "avalanche": "eip155:43114",
    "solana": SOLANA,
    "solana-devnet": SOLANA_DEVNET,
}


def is_evm(network: str) -> bool:
    """Whether this CAIP-2 network speaks EVM; the others that we know are Solana's."""
    return network.startswith("eip155:")


def _key(network: str, address: str) -> tuple[str, str]:
    # Base58 tells its cases apart; hexadecimal does not.
    return network, address.lower() if is_evm(network) else address


_BY_KEY = {_key(asset.network, asset.address): asset for asset in ASSETS}


def caip2(network: str) -> str | None:
    """The CAIP-2 id of a network named in either style; None when we do not know it."""
    identifier = V1_NETWORKS.get(network, network)
    return identifier if identifier in NETWORK_NAMES else None


def find_asset(network: str, address: str) -> Asset | None:
    """The row for this token on this CAIP-2 network, or None. Hex case does not matter."""
    return _BY_KEY.get(_key(network, address))


def usdc_on(network: str) -> Asset:
    """The USDC row of a network that we know."""
    return next(asset for asset in ASSETS if asset.network == network)
