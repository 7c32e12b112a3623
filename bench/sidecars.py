"""The sidecar's own rows: its config with every feature on, and its variants."""

from __future__ import annotations

import base64
import json
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.machine import free_port
from bench.peers import CHAT, TOKEN, UPSTREAM_KEY, WALLET_KEY, Launch, Peer, Upstream
from sidecar.chains import usdc_on

NETWORK = "eip155:84532"
PAYEE = "0x" + "22" * 20
LIMIT = "1000000.00 USDC"

_CONFIG = """\
version: 1
listen: 127.0.0.1:{port}
admin: 127.0.0.1:{admin}
state_dir: {folder}
ledger: {{sqlite: ledger.db}}
log: {{format: json, level: {level}}}
{settings}
wallets:
  main: {{kind: evm, key: {{file: {folder}/evm.key}}}}
budgets:
  - {{name: day, limit: "{limit}", window: 1d}}
  - {{name: app, limit: "{limit}", window: 30d}}
{callers}
routes:
  up:
    provider: api_key
    upstream: {upstream}
    default: true
    api_key: {{file: {folder}/api.key}}
{unpaid}
  seller:
    provider: pay_per_request
    upstream: {upstream}/paid
    wallet: main
    networks: ["{network}"]
    max_payment: "0.01 USDC"
    budgets: [day]
  prepaid:
    provider: venice
    upstream: {upstream}/credit
    wallet: main
    networks: ["{venice}"]
    max_payment: "10.00 USDC"
    budgets: [day]
    top_up: {{amount: "10.00 USDC"}}
{routes}
"""
_APP = """\
callers:
  - {{name: app, token: {{file: {folder}/app.token}}, budgets: [app]}}
"""
# Short, for a thousand of each have to fit into the largest config that is read.
_CALLER = "  - {{name: app{number}, token: {{file: app{number}.token}}}}\n"
_ROUTE = """\
  up{number}:
    provider: api_key
    upstream: {upstream}
    api_key: {{file: api.key}}
"""


@dataclass(frozen=True, slots=True)
class Variant:
    """What a row's config has beside the defaults: lines at the top, and of the unpaid route.

    ``known``: whether apps are known by tokens, and have budgets. ``module``: what is run.
    """

    settings: str = ""
    unpaid: str = ""
    level: str = "info"
    known: bool = True
    module: str = "sidecar"


VARIANTS = {
    "sidecar": Variant(),
    "sidecar, lane off": Variant("limits: {fast_lane: false}"),
    # It reads every answer for what it cost.
    "sidecar with prices": Variant(unpaid='    prices: {m: {input: "0.15", output: "0.60"}}'),
    # What its metrics, log, budgets and token check cost is what this one does not have.
    "sidecar, bare": Variant("auth: none", level="error", known=False, module="bench.bare"),
}


def write_config(
    folder: Path,
    port: int,
    upstream: Upstream,
    variant: Variant,
    *,
    others: int = 0,
) -> Path:
    """A config with so many ``others`` beside the one caller and the one unpaid route."""
    folder.mkdir(mode=0o700, exist_ok=True)
    secrets = {"app.token": TOKEN, "api.key": UPSTREAM_KEY, "evm.key": WALLET_KEY}
    secrets |= {f"app{number}.token": f"{TOKEN}-other-{number:04}" for number in range(others)}
    for name, text in secrets.items():
        (folder / name).touch(mode=0o600)
        (folder / name).write_text(text)
    callers = "".join(_CALLER.format(number=at) for at in range(others))
    callers = _APP.format(folder=folder) + callers
    config = folder / "sidecar.yaml"
    config.write_text(
        _CONFIG.format(
            folder=folder,
            port=port,
            admin=free_port(),
            upstream=upstream.url,
            level=variant.level,
            settings=variant.settings,
            unpaid=variant.unpaid,
            limit=LIMIT,
            network=NETWORK,
            venice="eip155:8453",
            callers=callers if variant.known else "",
            routes="".join(_ROUTE.format(number=at, upstream=upstream.url) for at in range(others)),
        )
    )
    return config


def launch(
    variant: Variant, folder: Path, port: int, upstream: Upstream, *, others: int = 0
) -> Launch:
    """The sidecar as it is run, from this tree."""
    config = write_config(folder, port, upstream, variant, others=others)
    command = [sys.executable, "-m", variant.module, "run", "--config", str(config)]
    return Launch(command, upstream.environment)


SIDECARS = tuple(
    Peer(name, partial(launch, variant), paid="/seller" + CHAT, credit="/prepaid" + CHAT)
    for name, variant in VARIANTS.items()
)


def _header(document: object) -> str:
    return base64.b64encode(json.dumps(document).encode()).decode()


def seller_terms(upstream: int) -> tuple[str, str]:
    """What the upstream says to who has not paid, and to who has: x402 v2, one hundredth of a cent.

    The same receipt for everybody: nobody settles anything, for what is measured is the payer.
    """
    asset = usdc_on(NETWORK)
    offer = {
        "scheme": "exact",
        "network": NETWORK,
        "asset": asset.address,
        "amount": "100",
        "payTo": PAYEE,
        "maxTimeoutSeconds": 120,
        "extra": {"name": asset.domain_name, "version": asset.domain_version},
    }
    challenge = {
        "x402Version": 2,
        "error": "Payment required",
        "resource": {"url": f"http://127.0.0.1:{upstream}{CHAT}", "mimeType": "application/json"},
        "accepts": [offer],
    }
    receipt = {"success": True, "transaction": "0x" + "33" * 32, "network": NETWORK}
    return _header(challenge), _header(receipt)
