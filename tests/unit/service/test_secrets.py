"""What is behind a config's references: wallets of both kinds, and what a log must not show."""

from __future__ import annotations

from pathlib import Path

import pytest
from solders.keypair import Keypair

from sidecar.chains import SOLANA, usdc_on
from sidecar.clock import SystemEntropy
from sidecar.config.model import Config
from sidecar.config.read import parse_config
from sidecar.errors import ConfigError
from sidecar.http import HttpRequest, HttpResponse
from sidecar.money import Usdc
from sidecar.service.secrets import Opened, open_all
from sidecar.wallets.evm import EvmWallet
from sidecar.wallets.solana import SolanaWallet
from sidecar.x402.types import PaymentRequirements
from tests.unit.cli.commands import write_private
from tests.world.exchanges import answered, hold
from tests.world.fakes import NOON

SEED = bytes(range(32))
PAIR = Keypair.from_seed(SEED)
EVM_KEY = bytes(31) + b"\x07"
PAYS = """
    networks: ["{network}"]
    max_payment: "1.00 USDC"
    budgets: [day]
"""
CONFIG = f"""
version: 1
state_dir: state
auth: none
wallets:
  main: {{kind: evm, key: {{file: evm.key}}}}
  sol: {{kind: solana, key: {{file: id.json}}}}
chains:
  "{SOLANA}": {{rpc: ["https://one.example", "https://two.example"]}}
budgets:
  - {{name: day, limit: "5.00 USDC", window: 1d}}
routes:
  evm:
    provider: pay_per_request
    upstream: https://seller.example
    wallet: main
{PAYS.format(network="eip155:8453")}
  plain:
    provider: pay_per_request
    upstream: https://seller.example
    wallet: sol
{PAYS.format(network=SOLANA)}
  bare:
    provider: x402layer
    upstream: https://api.x402layer.cc/e/weather
    wallet: sol
{PAYS.format(network=SOLANA)}
"""
OFFER = PaymentRequirements(
    scheme="exact",
    network=SOLANA,
    asset=usdc_on(SOLANA).address,
    amount="1000",
    pay_to="8qUL23aSj7mDWdoLMXGHFvnVCT9wd7jXcysiekroADEL",
    max_timeout_seconds=60,
    extra={"feePayer": "BFK9TLC3edb13K6v4YyH3DwPb5DSUpkWvb7XnqCL9b4F"},
    original={},
)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    write_private(tmp_path / "evm.key", EVM_KEY.hex())
    write_private(tmp_path / "id.json", PAIR.to_json())
    return parse_config(CONFIG, {"HOME": str(tmp_path)}, {}, tmp_path)


def opened(config: Config) -> Opened:
    """The config's secrets."""
    return open_all(config, {}, SystemEntropy())


def test_wallets(config: Config) -> None:
    """Each key makes a wallet of its kind, and a route signs with its own wallet."""
    found = opened(config)

    assert [EvmWallet, SolanaWallet] == [type(wallet) for wallet in found.wallets.values()]
    assert str(PAIR.pubkey()) == found.wallets["sol"].address
    assert found.wallets["main"] is found.signers["evm"]
    assert found.wallets["sol"] is found.signers["plain"]


def test_layouts(config: Config) -> None:
    """x402layer's transactions have no memo; a Solana wallet asks its network's first endpoint."""
    signers = opened(config).signers
    asked: list[str] = []

    def answer(request: HttpRequest) -> HttpResponse:
        asked.append(request.url)
        value = {"blockhash": "EkSnNWid2cvwEVnVx9aBqawnmiCNiDgp3gUdkDPTKN1N"}
        return answered({"context": {}, "value": {**value, "lastValidBlockHeight": 1}})

    memos = [
        hold(signers[route].authorize(OFFER, Usdc(1_000), b"\xab" * 32, NOON, 120), answer).fields[
            "memo"
        ]
        for route in ("plain", "bare")
    ]

    assert ["ab" * 16, ""] == memos
    assert {"https://one.example"} == set(asked)


@pytest.mark.parametrize("form", [SEED.hex(), str(PAIR), PAIR.to_json()[1:-1], EVM_KEY.hex()])
def test_redaction_knows_the_keys(config: Config, form: str) -> None:
    """Every form of a key is in what is taken out of the log, and not in what is shown."""
    found = opened(config)

    assert form in found.all
    assert form not in repr(found)


def test_wrong_key(config: Config, tmp_path: Path) -> None:
    """A key of the wrong kind is named by its wallet, and nothing of it is said."""
    write_private(tmp_path / "evm.key", str(PAIR))
    write_private(tmp_path / "id.json", "5e5e5e")

    with pytest.raises(ConfigError) as refused:
        opened(config)
    first, second = refused.value.mistakes
    assert first.startswith("wallets.main.key: not a private key")
    assert second.startswith("wallets.sol.key: not a Solana secret key")
    assert str(PAIR) not in first
    assert "5e5e5e" not in second
