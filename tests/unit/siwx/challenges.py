"""A seller's challenge, and what is made of it when some of its fields are others."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sidecar.chains import SOLANA
from sidecar.http import Origin
from sidecar.siwx import SignInMessage
from sidecar.siwx.challenge import read_challenge
from tests.unit.siwx.messages import EVM_ADDRESS

ORIGIN = Origin("https", "seller.example", 443)
NETWORKS = ("eip155:8453", "eip155:84532", SOLANA)
ISSUED_AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
AT = ISSUED_AT + timedelta(seconds=1)
INFO: dict[str, Any] = {
    "domain": "seller.example",
    "uri": "https://seller.example/members",
    "version": "1",
    "nonce": "0123456789abcdef",
    "issuedAt": "2026-01-02T03:04:05.000Z",
}
CHAINS: list[dict[str, Any]] = [
    {"chainId": "eip155:8453", "type": "eip191"},
    {"chainId": SOLANA, "type": "ed25519"},
]


def read(
    *,
    chains: object = CHAINS,
    address: str = EVM_ADDRESS,
    origin: Origin = ORIGIN,
    networks: tuple[str, ...] = NETWORKS,
    at: datetime = AT,
    **changed: Any,
) -> SignInMessage | str:
    """What is made of a challenge whose info has these fields changed."""
    info = {name: value for name, value in (INFO | changed).items() if value is not ...}
    extension = {"info": info, "supportedChains": chains, "schema": {}}
    return read_challenge(
        {"sign-in-with-x": extension}, address=address, origin=origin, networks=networks, at=at
    )
