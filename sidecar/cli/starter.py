"""The config that ``sidecar init`` writes: small, commented, and one that the reader takes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType

from sidecar.chains import NETWORK_NAMES, SOLANA, SOLANA_DEVNET, is_evm
from sidecar.money import ZERO, Usdc
from sidecar.values import dataclass
from sidecar.wallets import WalletKind

BASE, BASE_SEPOLIA = "eip155:8453", "eip155:84532"
SANDBOX = "sandbox"
DOLLAR, NICKEL = Usdc(1_000_000), Usdc(50_000)

# What each network's own people offer to everybody; Ethereum's offer none.
PUBLIC_RPC: Mapping[str, str] = MappingProxyType(
    {
        BASE: "https://mainnet.base.org",
        BASE_SEPOLIA: "https://sepolia.base.org",
        "eip155:137": "https://polygon-rpc.com",
        "eip155:42161": "https://arb1.arbitrum.io/rpc",
        "eip155:421614": "https://sepolia-rollup.arbitrum.io/rpc",
        "eip155:43114": "https://api.avax.network/ext/bc/C/rpc",
        SOLANA: "https://api.mainnet-beta.solana.com",
        SOLANA_DEVNET: "https://api.devnet.solana.com",
    }
)


@dataclass(frozen=True, slots=True)
class Starter:
    """Something to begin with: a provider, and what is usual there.

    ``networks`` is empty where nothing is ever paid; its first is the usual one.
    """

    what: str  # for the list that is chosen from
    provider: str
    route: str
    upstream: str = ""  # "" where only its user knows
    networks: tuple[str, ...] = ()
    budget: Usdc = DOLLAR
    max_payment: Usdc = NICKEL
    credit_min: Usdc | None = None  # where credit is bought: the least of it


STARTERS: Mapping[str, Starter] = MappingProxyType(
    {
        SANDBOX: Starter(
            "rehearse with play money: sidecar sandbox",
            "pay_per_request",
            SANDBOX,
            "http://127.0.0.1:4020",
            (BASE_SEPOLIA,),
        ),
        "venice": Starter(
            "Venice AI, by prepaid credit",
            "venice",
            "venice",
            "https://api.venice.ai/api",
            (BASE, SOLANA),
            Usdc(20_000_000),
            Usdc(10_000_000),
            credit_min=Usdc(5_000_000),
        ),
        "nodit": Starter(
            "Nodit's blockchain data, by prepaid credit",
            "nodit",
            "nodit",
            "https://x402.nodit.io",
            (BASE, SOLANA),
            Usdc(3_000_000),
            Usdc(1_000_000),
            credit_min=Usdc(10_000),
        ),
        "x402layer": Starter(
            "one endpoint of x402layer, by packages of credits",
            "x402layer",
            "endpoint",
            "",
            (BASE, SOLANA),
            Usdc(3_000_000),
            Usdc(1_000_000),
        ),
        "libertai": Starter(
            "LibertAI, paid for each request",
            "libertai",
            "libertai",
            "https://api.libertai.io",
            (BASE,),
            Usdc(5_000_000),
            Usdc(500_000),
        ),
        "pay_per_request": Starter(
            "any other x402 seller, paid for each request",
            "pay_per_request",
            "seller",
            "",
            (BASE, *(name for name in NETWORK_NAMES if name != BASE)),
        ),
        "api_key": Starter(
            "a vendor with an API key, which the app never sees; nothing is paid",
            "api_key",
            "api",
            "https://api.openai.com",
        ),
    }
)


@dataclass(frozen=True, slots=True)
class Answers:
    """What a person said: about one starter, and about the money where it pays."""

    starter: Starter
    upstream: str
    key_file: str  # as it is to stand in the config
    network: str = ""
    rpc: str = ""
    budget: Usdc = ZERO
    max_payment: Usdc = ZERO

    @property
    def kind(self) -> WalletKind:
        """The kind of wallet that pays on the network."""
        return kind_of(self.network)


def kind_of(network: str) -> WalletKind:
    """The kind of wallet that pays on this network."""
    return "evm" if is_evm(network) else "solana"


def config_text(answers: Answers, schema: str) -> str:
    """The config, in full; ``schema`` is where editors find its JSON Schema."""
    starter = answers.starter
    key = _quoted(answers.key_file)
    lines = [f"# yaml-language-server: $schema={schema}", *_HEAD]
    if starter.route == SANDBOX:
        lines += ["state_dir: sidecar-sandbox      # play money is no part of your real books", ""]
    if starter.networks:
        lines += [
            "wallets:",
            f"  main: {{kind: {answers.kind}, key: {{file: {key}}}}}",
            "",
            *_chains(answers),
            "budgets:                          # what may be spent; starts again at midnight, UTC",
            f'  - {{name: day, limit: "{answers.budget}", window: 1d}}',
            "",
        ]
    lines += [
        "routes:",
        f"  {starter.route}:",
        f"    provider: {starter.provider}",
        f"    upstream: {_quoted(answers.upstream)}",
        "    default: true                 # OPENAI_BASE_URL=http://127.0.0.1:8402/v1",
        *(_money(answers) if starter.networks else [f"    api_key: {{file: {key}}}"]),
    ]
    return "\n".join(lines) + "\n"


_HEAD = (
    "# Editors complete what else there is by the line above. After a change: sidecar check",
    "version: 1",
    "",
)


def _chains(answers: Answers) -> list[str]:
    if not answers.rpc:
        return []
    return [
        "chains:                           # where payments are proved; two URLs are compared",
        f'  "{answers.network}": {{rpc: [{_quoted(answers.rpc)}]}}',
        "",
    ]


def _money(answers: Answers) -> list[str]:
    most = answers.max_payment
    lines = [
        "    wallet: main",
        f'    networks: ["{answers.network}"]',
        f'    max_payment: "{most}"',
        "    budgets: [day]",
    ]
    if answers.starter.credit_min is not None:
        low = Usdc(most.atomic // 5)
        lines.append(f'    top_up: {{amount: "{most}", low_water: "{low}"}}')
    return lines


def _quoted(text: str) -> str:
    # JSON's strings are YAML's, too.
    return json.dumps(text)
