"""The real sidecar as a process of its own, with one route that pays, and its witnesses.

with SidecarProcess(folder, seller.url, chain.url) as sidecar:
    sidecar.client().chat.completions.create(...)
    sidecar.payments()
"""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import openai
from eth_account import Account
from prometheus_client.parser import text_string_to_metric_families

from tests.world.processes import ROOT, Process, free_port, wait_until

TOKEN = "sk-sidecar-an-end-to-end-token-of-some-length"
COMMAND_WAIT_S = 30.0
CLIENT_WAIT_S = 60.0
HTTP_WAIT_S = 10.0

CONFIG = """\
version: 1
listen: 127.0.0.1:{port}
admin: 127.0.0.1:{admin_port}
state_dir: {folder}
recovery: {{interval_s: 1}}
wallets:
  main: {{kind: evm, key: {{file: {folder}/evm.key}}}}
chains:
  "eip155:84532": {{rpc: ["{rpc}"]}}
budgets:
  - {{name: day, limit: "5.00 USDC", window: 1d}}
callers:
  - {{name: app, token: {{file: {folder}/app.token}}}}
routes:
  seller:
    provider: pay_per_request
    upstream: {upstream}
    wallet: main
    default: true
    networks: ["eip155:84532"]
    max_payment: "0.10 USDC"
    budgets: [day]
"""


class SidecarProcess:
    """It has a wallet of its own, made for it, whose address is ``payer``."""

    def __init__(self, folder: Path, upstream: str, rpc: str) -> None:
        account = Account.create()
        self.payer: str = account.address
        self.port, self.admin_port = free_port(), free_port()
        self.folder = folder
        self.config = folder / "sidecar.yaml"
        _write_private(folder / "evm.key", f"0x{account.key.hex().removeprefix('0x')}")
        _write_private(folder / "app.token", TOKEN)
        self.config.write_text(
            CONFIG.format(
                port=self.port,
                admin_port=self.admin_port,
                folder=folder,
                rpc=rpc,
                upstream=upstream,
            )
        )

    @cached_property
    def process(self) -> Process:
        """The process; it is started by the first look."""
        return Process(self._command("run"), self.folder / "sidecar.log")

    def __enter__(self) -> Self:
        self.process.wait_for_port(self.admin_port)
        wait_until(self.is_ready, "the sidecar is ready")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.process.stop()

    def client(self, max_retries: int = 0) -> openai.OpenAI:
        """The stock OpenAI client of an app, told where the sidecar is and nothing else."""
        return openai.OpenAI(
            base_url=f"http://127.0.0.1:{self.port}/v1",
            api_key=TOKEN,
            max_retries=max_retries,
            timeout=CLIENT_WAIT_S,
        )

    def payments(self) -> list[dict[str, Any]]:
        """The rows of its ledger, as its command line shows them."""
        done = subprocess.run(
            [*self._command("payments"), "--json"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=COMMAND_WAIT_S,
            check=False,
        )
        assert 0 == done.returncode, done.stderr
        rows: list[dict[str, Any]] = json.loads(done.stdout)
        return rows

    def status(self) -> dict[str, Any]:
        """What its admin port says of it."""
        status: dict[str, Any] = json.loads(self._admin("/status"))
        return status

    def exposition(self) -> str:
        """Its metrics, as Prometheus scrapes them."""
        return self._admin("/metrics")

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples that have these labels."""
        return sum(
            sample.value
            for family in text_string_to_metric_families(self.exposition())
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    def is_ready(self) -> bool:
        """Whether it says that it can serve."""
        try:
            self._admin("/readyz")
        except urllib.error.HTTPError as error:
            error.close()
            return False
        return True

    def _admin(self, path: str) -> str:
        url = f"http://127.0.0.1:{self.admin_port}{path}"
        request = urllib.request.Request(url, headers={"accept": "text/plain, application/json"})
        with urllib.request.urlopen(request, timeout=HTTP_WAIT_S) as response:
            text: str = response.read().decode()
        return text

    def _command(self, name: str) -> list[str | Path]:
        return [sys.executable, "-m", "sidecar", name, "--config", self.config]


def _write_private(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o600)
