"""`sidecar balance`: what a chain is asked, and that another chain is not believed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sidecar.chains import SOLANA, SOLANA_DEVNET, usdc_on
from sidecar.cli.balance import balance_of
from sidecar.errors import RemoteProtocolError
from sidecar.http import HttpRequest, HttpResponse
from sidecar.money import Usdc
from tests.world.exchanges import answered, hold, question_in
from tests.world.solana_cluster import GENESIS_HASHES

URL = "https://rpc.example"
EVM_ADDRESS = "0xA78091204F061f5217CDd2318BadA7a5b4066d8b"
OWNER = "FAe4sisG95oZ42w7buUn5qEE4TAnfTTFPiguZUHmhiF"
ACCOUNT = "hkcktF2Akp3vj8pbBVJuxJfk5m41i4t4TSVLx2VoNHT"


def solana(network: str) -> Callable[[HttpRequest], HttpResponse]:
    """A cluster on which one token account holds 1.50 USDC."""

    def answer(request: HttpRequest) -> HttpResponse:
        method, params = question_in(request)
        if method == "getGenesisHash":
            return answered(GENESIS_HASHES[network])
        assert ("getTokenAccountBalance", ACCOUNT) == (method, params[0])
        return answered({"context": {}, "value": {"amount": "1500000", "decimals": 6}})

    return answer


def evm(chain_id: int) -> Callable[[HttpRequest], HttpResponse]:
    """A chain on which everybody holds 2.50 USDC."""

    def answer(request: HttpRequest) -> HttpResponse:
        is_id = question_in(request)[0] == "eth_chainId"
        return answered(hex(chain_id) if is_id else f"0x{2_500_000:064x}")

    return answer


def test_balances() -> None:
    """On EVM the address is asked about, on Solana its token account."""
    assert Usdc(2_500_000) == hold(balance_of(URL, usdc_on("eip155:8453"), EVM_ADDRESS), evm(8453))
    assert Usdc(1_500_000) == hold(balance_of(URL, usdc_on(SOLANA), OWNER), solana(SOLANA))


@pytest.mark.parametrize(
    ("network", "address", "answer"),
    [("eip155:8453", EVM_ADDRESS, evm(84532)), (SOLANA, OWNER, solana(SOLANA_DEVNET))],
)
def test_another_chain(
    network: str, address: str, answer: Callable[[HttpRequest], HttpResponse]
) -> None:
    """An endpoint of another chain says nothing that is true."""
    with pytest.raises(RemoteProtocolError, match="of another chain"):
        hold(balance_of(URL, usdc_on(network), address), answer)
