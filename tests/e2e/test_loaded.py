"""What a running sidecar has loaded: only what its config needs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.world.processes import ROOT, wait_until

# Half a second and 40 MB for eth_account alone; the rest is smaller, and adds up.
HEAVY = {
    *("eth_account", "eth_abi", "eth_utils", "web3", "x402", "pydantic", "py_ecc"),
    *("structlog", "prometheus_client", "pycparser", "cffi", "sidecar.config.reference"),
    *("solders", "nacl", "coincurve", "Crypto", "rich", "sidecar.cli.job"),
    *("sidecar.sandbox", "sidecar.signer", "sidecar.cli.demo", "sidecar.wallets.keystore"),
    *("sidecar.wallets.evm", "sidecar.wallets.solana", "sidecar.wallets.remote"),
    *("sidecar.providers.venice", "sidecar.providers.nodit", "sidecar.providers.x402layer"),
    *("sidecar.providers.libertai", "sidecar.providers.pay_per_request"),
    *("sidecar.providers.api_key", "sidecar.payments.drift", "sidecar.payments.outflows"),
    *("psycopg", "sidecar.ledger.postgres", "sidecar.ledger.postgres_url"),
    *("sidecar.ledger.slices", "sidecar.ledger.leased", "sidecar.rpc.solana"),
    *("sidecar.payments.solana_evidence", "sidecar.payments.webhooks"),
    *("sidecar.service.warden", "sidecar.service.worker", "sidecar.cli.doctor"),
    *("sidecar.cli.manual", "sidecar.cli.terminal", "unittest", "multiprocessing"),
    # The rest of aiohttp's server, and what only that uses.
    *("aiohttp.web", "aiohttp.web_app", "aiohttp.web_urldispatcher", "aiohttp.web_fileresponse"),
    # The parser of what is typed.
    *("argparse", "sidecar.cli.parser"),
}

COMMON = """\
version: 1
listen: 127.0.0.1:0
admin: 127.0.0.1:0
state_dir: {folder}
callers:
  - {{name: app, token: {{file: {folder}/app.token}}}}
"""
KEY_ROUTE = """\
routes:
  up:
    provider: api_key
    upstream: http://127.0.0.1:9
    api_key: {{file: {folder}/api.key}}
"""
PAYING_ROUTE = """\
wallets:
  main: {{kind: {kind}, key: {{file: {folder}/wallet.key}}}}
budgets:
  - {{name: day, limit: "5.00 USDC", window: 1d}}
routes:
  up:
    provider: pay_per_request
    upstream: http://127.0.0.1:9
    wallet: main
    networks: ["{network}"]
    max_payment: "0.05 USDC"
    budgets: [day]
"""
SOLANA = "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp"


def loaded(folder: Path, config: str) -> set[str]:
    """The heavy modules in a sidecar of this config that serves and has done nothing yet."""
    for name, text in (("app.token", "t" * 32), ("api.key", "k" * 32), ("wallet.key", "1" * 64)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    (folder / "sidecar.yaml").write_text(COMMON.format(folder=folder) + config)
    said = folder / "said.txt"
    with said.open("w") as stderr:
        running = subprocess.Popen(
            [sys.executable, "-X", "importtime", "-m", "sidecar", "run"],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stderr=stderr,
        )
    try:
        serves = re.compile('"event":"serving"')
        wait_until(lambda: serves.search(said.read_text()) is not None, "a start")
    finally:
        running.terminate()
        running.wait()
    modules = re.findall(r"^import time: .*\| +(\S+)$", said.read_text(), re.MULTILINE)
    assert "sidecar.service.service" in modules
    return HEAVY.intersection(modules)


def test_api_key(tmp_path: Path) -> None:
    """Who only serves API keys has no wallet's library, no other vendor and no exposition."""
    assert {"sidecar.providers.api_key"} == loaded(tmp_path, KEY_ROUTE.format(folder=tmp_path))


@pytest.mark.parametrize(
    ("kind", "network", "libraries"),
    [
        ("evm", "eip155:8453", {"sidecar.wallets.evm", "coincurve", "Crypto"}),
        (
            "solana",
            SOLANA,
            {"sidecar.wallets.solana", "sidecar.rpc.solana", "solders", "nacl"},
        ),
    ],
    ids=["evm", "solana"],
)
def test_wallet(tmp_path: Path, kind: str, network: str, libraries: set[str]) -> None:
    """A wallet from a key file brings its own kind's libraries, and never eth_account."""
    config = PAYING_ROUTE.format(folder=tmp_path, kind=kind, network=network)

    assert {*libraries, "sidecar.providers.pay_per_request"} == loaded(tmp_path, config)
