"""The sidecar's own rows: its config with every feature on, and its variants."""

from __future__ import annotations

import base64
import dataclasses
import json
import sys
from functools import partial
from pathlib import Path

from bench.machine import free_port
from bench.peers import CHAT, TOKEN, UPSTREAM_KEY, WALLET_KEY, Launch, Peer
from sidecar.chains import usdc_on
from sidecar.config.model import Limits

NETWORK = "eip155:84532"
PAYEE = "0x" + "22" * 20
LIMIT = "1000000.00 USDC"

_CONFIG = """\
version: 1
listen: 127.0.0.1:{port}
admin: 127.0.0.1:{admin}
state_dir: {folder}
ledger: {{sqlite: {ledger}}}
log: {{format: json, level: info}}
{limits}
wallets:
  main: {{kind: evm, key: {{file: {folder}/evm.key}}}}
budgets:
  - {{name: day, limit: "{limit}", window: 1d}}
  - {{name: app, limit: "{limit}", window: 30d}}
callers:
  - {{name: app, token: {{file: {folder}/app.token}}, budgets: [app]}}
{callers}
routes:
  up:
    provider: api_key
    upstream: http://127.0.0.1:{upstream}
    default: true
    api_key: {{file: {folder}/api.key}}
{prices}
  seller:
    provider: pay_per_request
    upstream: http://127.0.0.1:{upstream}/paid
    wallet: main
    networks: ["{network}"]
    max_payment: "0.01 USDC"
    budgets: [day]
  prepaid:
    provider: venice
    upstream: http://127.0.0.1:{upstream}/credit
    wallet: main
    networks: ["{venice}"]
    max_payment: "10.00 USDC"
    budgets: [day]
    top_up: {{amount: "10.00 USDC"}}
{routes}
"""
# Short, for a thousand of each have to fit into the largest config that is read.
_CALLER = "  - {{name: app{number}, token: {{file: app{number}.token}}}}\n"
_ROUTE = """\
  up{number}:
    provider: api_key
    upstream: http://127.0.0.1:{upstream}
    api_key: {{file: api.key}}
"""


def write_config(
    folder: Path,
    port: int,
    upstream: int,
    variant: tuple[str, str] = ("", ""),
    *,
    ledger: str = "ledger.db",
    others: int = 0,
) -> Path:
    """A config with so many ``others`` beside the one caller and the one unpaid route."""
    folder.mkdir(mode=0o700, exist_ok=True)
    secrets = {"app.token": TOKEN, "api.key": UPSTREAM_KEY, "evm.key": WALLET_KEY}
    secrets |= {f"app{number}.token": f"{TOKEN}-other-{number:04}" for number in range(others)}
    for name, text in secrets.items():
        (folder / name).touch(mode=0o600)
        (folder / name).write_text(text)
    config = folder / "sidecar.yaml"
    config.write_text(
        _CONFIG.format(
            folder=folder,
            port=port,
            admin=free_port(),
            upstream=upstream,
            ledger=ledger,
            limits=variant[0],
            prices=variant[1],
            limit=LIMIT,
            network=NETWORK,
            venice="eip155:8453",
            callers="".join(_CALLER.format(number=at) for at in range(others)),
            routes="".join(_ROUTE.format(number=at, upstream=upstream) for at in range(others)),
        )
    )
    return config


def command(config: Path) -> list[str]:
    """The sidecar as it is run, from this tree."""
    return [sys.executable, "-m", "sidecar", "run", "--config", str(config)]


def _start(variant: tuple[str, str], folder: Path, port: int, upstream: int) -> Launch:
    return Launch(command(write_config(folder, port, upstream, variant)))


_PRICES = '    prices: {m: {input: "0.15", output: "0.60"}}'


def _variants() -> dict[str, tuple[str, str]]:
    """Rows by name, each with its limits, and with what it adds to the unpaid route.

    With prices the sidecar reads every answer for what it cost, so that is a row of its own.
    """
    if "fast_lane" not in {field.name for field in dataclasses.fields(Limits)}:
        return {"sidecar": ("", ""), "sidecar with prices": ("", _PRICES)}
    off, on = "limits: {fast_lane: false}", "limits: {fast_lane: true}"
    return {
        "sidecar, lane off": (off, ""),
        "sidecar with prices": (on, _PRICES),
        "sidecar": (on, ""),
    }


VARIANTS = _variants()
SIDECARS = tuple(
    Peer(name, partial(_start, variant), paid="/seller" + CHAT, credit="/prepaid" + CHAT)
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
