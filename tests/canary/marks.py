"""The marked secrets: one of every kind, where each is kept, and the config that names them.

Nothing else in the world is made of these values, so that a find says which one got out.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from sidecar.wallets.keystore import encrypt
from sidecar.wallets.solana import public_key
from tests.canary.needles import Secret, base58
from tests.world.running import write_private


def marked(name: str) -> bytes:
    """32 bytes that belong to this name."""
    return hashlib.sha256(f"canary: {name}".encode()).digest()


def word(name: str) -> str:
    """A token that belongs to this name."""
    return base64.urlsafe_b64encode(marked(name)).decode().rstrip("=")


EVM_FILE, EVM_ENV, EVM_KEYSTORE = marked("evm file"), marked("evm env"), marked("evm keystore")
SOLANA, SIGNER = marked("solana"), marked("signer")
SOLANA_PAIR = SOLANA + public_key(SOLANA)
# A letter is missing, as after a careless copy: still all but the key.
MALFORMED = marked("malformed").hex()[:-1]
PASSWORD = f"pass word/{word('password')}"
APP_TOKEN, ENV_TOKEN = f"sk-sidecar-{word('app')}", f"sk-sidecar-{word('env app')}"
ADMIN_TOKEN = f"sk-sidecar-{word('admin')}"
# What apps show by mistake: their own vendor's key. Nobody has told the sidecar of it.
WRONG_TOKEN = f"sk-proj-{word('wrong')}"
API_KEY, VENICE_KEY = f"sk-live-{word('api key')}", f"VENICE-{word('venice key')}"
RPC_KEY = marked("rpc").hex()[:40]

ARRAY = json.dumps(list(SOLANA_PAIR), separators=(",", ":"))
SECRETS = (
    Secret.of("evm file", f"0x{EVM_FILE.hex()}"),
    Secret.of("evm env", EVM_ENV.hex()),
    Secret.of("evm keystore", EVM_KEYSTORE.hex()),
    Secret.of("password", PASSWORD),
    Secret.of(
        *("solana", SOLANA.hex(), base58(SOLANA_PAIR), ARRAY[1:-1], ARRAY[1:-1].replace(",", ", ")),
        data=(SOLANA, SOLANA_PAIR),
    ),
    Secret.of("signer", SIGNER.hex()),
    Secret.of("malformed", MALFORMED),
    Secret.of("app token", APP_TOKEN),
    Secret.of("env token", ENV_TOKEN),
    Secret.of("admin token", ADMIN_TOKEN),
    Secret.of("wrong token", WRONG_TOKEN),
    Secret.of("api key", API_KEY),
    Secret.of("venice key", VENICE_KEY),
    Secret.of("rpc key", RPC_KEY),
)
# Every file that may hold a secret, and which. All others are searched for all.
FILES = {
    "evm.key": frozenset({"evm file"}),
    "sol.key": frozenset({"solana"}),
    "app.token": frozenset({"app token"}),
    "venice.key": frozenset({"venice key"}),
    "state/admin.token": frozenset({"admin token"}),
    "wrong.txt": frozenset({"wrong token"}),
    # RPC vendors put their keys into URLs, and URLs stand in the config.
    "sidecar.yaml": frozenset({"rpc key"}),
}
VARIABLES = {
    "CANARY_EVM_KEY": EVM_ENV.hex(),
    "CANARY_PASSWORD": PASSWORD,
    "CANARY_API_KEY": API_KEY,
    "CANARY_TOKEN": ENV_TOKEN,
}

HEAD = """\
version: 1
listen: 127.0.0.1:{port}
admin: 127.0.0.1:{admin_port}
state_dir: state
log: {{level: debug, format: json}}
recovery: {{interval_s: 1}}
balances: {{interval_s: 1}}
limits: {{drain_wait_s: 1}}
wallets:
  main: {{kind: evm, key: {{file: evm.key}}}}
  vars: {{kind: evm, key: {{env: CANARY_EVM_KEY}}}}
  kept:
    kind: evm
    key: {{keystore: {{file: keystore.json, password: {{env: CANARY_PASSWORD}}}}}}
  sol: {{kind: solana, key: {{file: sol.key}}}}
chains:
  "eip155:84532": {{rpc: ["{rpc}/rpc?key={rpc_key}"]}}
  "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1": {{rpc: ["{rpc}/rpc/solana?key={rpc_key}"]}}
budgets:
  - {{name: day, limit: "900.00 USDC", window: 1d}}
  - {{name: little, limit: "0.01 USDC", window: 1d}}
callers:
  - {{name: app, token: {{file: app.token}}}}
  - {{name: other, token: {{env: CANARY_TOKEN}}, budgets: [little]}}
routes:
"""
PAYS = """\
    wallet: {wallet}
    networks: ["{network}"]
    max_payment: "10.00 USDC"
    budgets: [day]
    breaker: {{undelivered_max: 1000, window: 1h}}
"""
SOLANA_DEVNET = "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1"
PRICES = """\
    prices: {m-permit: {input: "0.25", output: "1.50"}, m-twa: {input: "0.25", output: "1.50"}}
"""
TOP_UP = '    top_up: {amount: "%s USDC", max_per_hour: 10, wait_s: 10}\n'


@dataclass(frozen=True, slots=True)
class RouteMark:
    """A route: its provider and path, who pays, and which marked secrets its vendor is to get."""

    provider: str
    path: str
    wallet: str = ""
    more: str = ""
    holds: frozenset[str] = frozenset()

    def text(self, name: str, origin: str) -> str:
        """It in the config."""
        network = SOLANA_DEVNET if self.wallet == "sol" else "eip155:84532"
        text = f"  {name}:\n    provider: {self.provider}\n    upstream: {origin}{self.path}\n"
        text += "    response_wait_s: 1\n"
        if self.wallet:
            text += PAYS.format(wallet=self.wallet, network=network)
        return text + self.more


_KEY_ENV, _KEY_FILE = "    api_key: {env: CANARY_API_KEY}\n", "    api_key: {file: venice.key}\n"
# Behind these is the sandbox, each on an origin of its own.
HONEST = {
    "venice": RouteMark("venice", "/venice/api", "main", TOP_UP % "10.00"),
    "venice-sol": RouteMark("venice", "/venice/api", "sol", TOP_UP % "10.00"),
    "venice-key": RouteMark(
        "venice", "/venice/api", more=_KEY_FILE, holds=frozenset({"venice key"})
    ),
    "nodit": RouteMark("nodit", "/nodit", "vars", TOP_UP % "1.00"),
    "nodit-sol": RouteMark("nodit", "/nodit", "sol", TOP_UP % "1.00"),
    "x402layer": RouteMark("x402layer", "/x402layer", "kept"),
    "libertai": RouteMark("libertai", "/libertai", "main", PRICES),
    "seller": RouteMark("pay_per_request", "", "kept", "    default: true\n"),
    "seller-sol": RouteMark("pay_per_request", "", "sol"),
}
# Behind these is the parrot, which says whatever it is told.
PARROTS = {
    "parrot-key": RouteMark("api_key", "", more=_KEY_ENV, holds=frozenset({"api key"})),
    "parrot-pay": RouteMark("pay_per_request", "", "main"),
    "parrot-nodit": RouteMark("nodit", "/nodit", "main", TOP_UP % "1.00"),
    "parrot-venice": RouteMark("venice", "/venice/api", "main", TOP_UP % "10.00"),
}
ROUTES = {**HONEST, **PARROTS, "dead": RouteMark("pay_per_request", "", "main")}


def write_world(folder: Path, port: int, admin_port: int, origins: dict[str, str]) -> Path:
    """The config, and all that it names; ``origins`` by route, and ``rpc``. The config's path."""
    folder.chmod(0o700)
    (folder / "state").mkdir(mode=0o700)
    keystore = encrypt(EVM_KEYSTORE, PASSWORD, "pbkdf2", 1_000)
    for name, text in (
        ("evm.key", f"0x{EVM_FILE.hex()}"),
        ("sol.key", ARRAY),
        ("keystore.json", json.dumps(keystore)),
        ("app.token", APP_TOKEN),
        ("venice.key", VENICE_KEY),
        ("state/admin.token", ADMIN_TOKEN),
    ):
        write_private(folder / name, text)
    text = HEAD.format(port=port, admin_port=admin_port, rpc=origins["rpc"], rpc_key=RPC_KEY)
    text += "".join(route.text(name, origins[name]) for name, route in ROUTES.items())
    write_private(folder / "sidecar.yaml", text)
    return folder / "sidecar.yaml"
