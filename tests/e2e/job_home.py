"""Where ``sidecar run -- CMD`` is tried: a folder with a config and a wallet, and its seller."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sidecar.wallets.evm import EvmWallet
from tests.e2e.shell import WAIT_S, Seller, environment, own_terminal, sidecar

CONFIG = """\
version: 1
state_dir: state
limits: {{drain_wait_s: 1}}
wallets: {{main: {{kind: evm, key: {{{key}}}}}}}
chains: {{"eip155:84532": {{rpc: ["{url}/rpc"]}}}}
budgets: [{{name: day, limit: "1.00 USDC", window: 1d}}]
routes:
  seller:
    provider: pay_per_request
    upstream: {url}
    default: true
    wallet: main
    networks: ["eip155:84532"]
    max_payment: "0.05 USDC"
    budgets: [day]
  credit:
    provider: venice
    upstream: {url}/venice/api
    wallet: main
    networks: ["eip155:84532"]
    max_payment: "10.00 USDC"
    budgets: [day]
    top_up: {{amount: "10.00 USDC"}}
"""

# What an app does that knows nothing but its environment; one line for each answer.
APP = """
import json, os, sys, urllib.error, urllib.request

def call(model, base=os.environ["OPENAI_BASE_URL"], key=os.environ["OPENAI_API_KEY"]):
    body = {"model": model, "messages": [{"role": "user", "content": "Say hello"}]}
    headers = {"Authorization": "Bearer " + key, "Content-Type": "application/json"}
    request = urllib.request.Request(
        base + "/chat/completions", json.dumps(body).encode(), headers
    )
    try:
        with urllib.request.urlopen(request) as response:
            response.read()
            print(response.status, flush=True)
    except urllib.error.HTTPError as refusal:
        with refusal:
            print(refusal.code, json.loads(refusal.read())["error"].get("code"), flush=True)

"""
PYTHON = (sys.executable, "-c")


class Home:
    """A folder with a config, and a wallet of its own."""

    def __init__(self, folder: Path, seller: Seller) -> None:
        self.folder = folder
        self.key = os.urandom(32)
        self.payer = EvmWallet(self.key).address
        self.seller = seller
        path = folder / "evm.key"
        path.write_text(f"0x{self.key.hex()}\n")
        path.chmod(0o600)
        self.configure("file: evm.key")

    def configure(self, key: str) -> None:
        text = CONFIG.format(key=key, url=self.seller.url)
        (self.folder / "sidecar.yaml").write_text(text)

    def run(self, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return sidecar(self.folder, "run", *words, environ=environ)

    @contextmanager
    def running(self, *words: str) -> Iterator[subprocess.Popen[str]]:
        process = subprocess.Popen(
            [sys.executable, "-m", "sidecar", "run", *words],
            cwd=self.folder,
            env=environment(self.folder),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate(timeout=WAIT_S)

    def receipt(self, name: str = "receipt.json") -> dict[str, Any]:
        document: dict[str, Any] = json.loads((self.folder / name).read_text())
        return document

    def settled(self) -> list[str]:
        """What this wallet paid, as the seller's books have it."""
        return [row["amount"] for row in self._books("settlements") if self._is_ours(row)]

    def presented(self) -> int:
        """How many payments of this wallet the seller was shown, good or not."""
        return sum(map(self._is_ours, self._books("presentations")))

    def _is_ours(self, row: dict[str, Any]) -> bool:
        return bool(str(row["payer"]).lower() == self.payer.lower())

    def _books(self, kind: str) -> list[dict[str, Any]]:
        with urllib.request.urlopen(f"{self.seller.url}/sandbox/books") as response:
            rows: list[dict[str, Any]] = json.load(response)[kind]
        return rows


def on_terminal(home: Home, typed: bytes, is_time: Callable[[str], bool], *words: str) -> int:
    """Run on a terminal of its own, type this once it is time, and wait for the end."""
    process, ours = own_terminal(home.folder, environment(home.folder), "run", *words)
    shown = ""
    try:
        while True:
            try:
                shown += os.read(ours, 4096).decode()
            except OSError:
                break
            if typed and is_time(shown):
                os.write(ours, typed)
                typed = b""
    finally:
        os.close(ours)
    return process.wait(WAIT_S)
