"""What is behind a config's references: wallets of both kinds, and what a log must not show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from solders.keypair import Keypair

from sidecar.chains import SOLANA, usdc_on
from sidecar.clock import SystemEntropy
from sidecar.config.model import Config, PostgresUrl, SecretKind, SecretRef
from sidecar.config.read import parse_config
from sidecar.errors import ConfigError, SignerRefusedError
from sidecar.http import HttpRequest, HttpResponse
from sidecar.money import Usdc
from sidecar.service.nonces import nonce_secrets
from sidecar.service.secrets import Opened, open_all
from sidecar.wallets.evm import EvmWallet
from sidecar.wallets.nonces import NonceSecret
from sidecar.wallets.remote import RemoteWallet, account_of
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


def test_ledger(config: Config) -> None:
    """A ledger's URL and its password are opened, taken out of the environment and of the log."""
    url = "postgresql://sidecar:Hunter%2d2%2dcanary@db.example/books"
    environ = {"BOOKS": url}
    told = PostgresUrl(SecretRef(SecretKind.ENV, "BOOKS"))
    found = open_all(replace(config, ledger=told), environ, SystemEntropy())

    assert found.ledger is not None
    assert ({}, url) == (environ, found.ledger.url)
    assert {url, "Hunter-2-canary"} <= set(found.all)
    assert "canary" not in repr(found)
    assert None is opened(config).ledger


def test_ledger_without_a_password(config: Config) -> None:
    """Where there is no password, nothing but the URL is secret."""
    told = PostgresUrl(SecretRef(SecretKind.ENV, "BOOKS"))
    url = "postgresql://db.example/books"
    found = open_all(replace(config, ledger=told), {"BOOKS": url}, SystemEntropy())

    assert url == found.all[-1]
    assert "" not in found.all


def test_wrong_ledger(config: Config) -> None:
    """A URL that is none is one mistake among those of all secrets."""
    told = PostgresUrl(SecretRef(SecretKind.ENV, "BOOKS", None, "ledger.postgres", 3))

    with pytest.raises(ConfigError) as caught:
        open_all(replace(config, ledger=told), {"BOOKS": "mysql://"}, SystemEntropy())
    assert [each for each in caught.value.mistakes if each.startswith("ledger.postgres: ")] == [
        *caught.value.mistakes
    ]


@pytest.mark.parametrize("form", [SEED.hex(), str(PAIR), PAIR.to_json()[1:-1], EVM_KEY.hex()])
def test_redaction_knows_the_keys(config: Config, form: str) -> None:
    """Every form of a key is in what is taken out of the log, and not in what is shown."""
    found = opened(config)

    assert form in found.all
    assert form not in repr(found)


def test_nonces(config: Config) -> None:
    """What derived nonces come from is known by the wallet's name, and is not shown."""
    derived = replace(config.wallets["main"], nonces="derived")
    found = opened(replace(config, wallets={**config.wallets, "main": derived}))
    secret = NonceSecret.of(EVM_KEY).reveal()

    assert {"main"} == found.nonces.keys()
    assert secret == found.nonces["main"].reveal()
    assert secret in found.all
    assert secret not in repr(found)


def test_signer_without_nonces(config: Config) -> None:
    """A signer that does not know the question is a mistake of the wallet's, with its mending."""

    class Older:
        def ask(self, question: Mapping[str, Any]) -> Any:
            raise SignerRefusedError("the signer refuses (request: not a request)")

        async def answer(self, question: Mapping[str, Any]) -> Any:
            return self.ask(question)

    derived = replace(config.wallets["main"], nonces="derived")
    wallet = RemoteWallet(account_of("evm", EvmWallet(bytes(EVM_KEY)).address, {}), Older())
    mistakes: list[str] = []
    found = nonce_secrets(replace(config, wallets={"main": derived}), {"main": wallet}, mistakes)

    assert {} == found
    assert [
        "wallets.main.nonces: the signer refuses (request: not a request); restart a signer of "
        "an older version, or write nonces: random"
    ] == mistakes


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
