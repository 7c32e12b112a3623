"""A sandbox seller, a sidecar in front of it and a Prometheus that watches: three real processes.

with staged(folder, rules) as stage:
    stage.chat("seller")
    stage.prometheus.query("sidecar_spend_usdc_total")
"""

from __future__ import annotations

import json
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from tests.e2e.shell import sandbox
from tests.world.processes import Process, free_port
from tests.world.prometheus import Prometheus
from tests.world.running import KEY, write_private

CALL_WAIT_S = 60.0
TOKENS = {
    "notebook": "sk-sidecar-a-notebooks-token-of-some-length",
    "agent": "sk-sidecar-an-agents-token-of-some-length",
}

CONFIG = """\
version: 1
listen: 127.0.0.1:{port}
admin: 127.0.0.1:{admin_port}
state_dir: {folder}
log: {{level: error}}
recovery: {{interval_s: 1, reconcile_interval_s: 2}}
balances: {{interval_s: 1}}
wallets:
  main: {{kind: evm, key: {{file: {folder}/evm.key}}}}
chains:
  "eip155:84532": {{rpc: ["{seller}/rpc"]}}
budgets:
  - {{name: day, limit: "{day}", window: 1d}}
  - {{name: agent-day, limit: "{agent_day}", window: 1d}}
callers:
  - {{name: notebook, token: {{file: {folder}/notebook.token}}}}
  - {{name: agent, token: {{file: {folder}/agent.token}}, budgets: [agent-day]}}
routes:
  seller:
    provider: pay_per_request
    upstream: {seller}
    default: true
    wallet: main
    networks: ["eip155:84532"]
    max_payment: "0.10 USDC"
    budgets: [day]
    breaker: {{undelivered_max: 1000, window: 1h}}
  venice:
    provider: venice
    upstream: {seller}/venice/api
    wallet: main
    networks: ["eip155:84532"]
    max_payment: "10.00 USDC"
    budgets: [day]
    top_up: {{amount: "5.00 USDC", max_per_hour: 10}}
  venice-key:
    provider: venice
    upstream: {seller}/venice/api
    api_key: {{file: {folder}/venice.key}}
  openai:
    provider: api_key
    upstream: {seller}
    api_key: {{file: {folder}/openai.key}}
"""


@dataclass
class Stage:
    """What a test talks to."""

    seller: str
    port: int
    admin_port: int
    prometheus: Prometheus
    _number: Iterator[int] = field(default_factory=count)

    def chat(self, route: str, caller: str = "notebook", model: str = "sandbox-small") -> int:
        """One call of an app, unlike all before it; the status that the app got."""
        message = {"role": "user", "content": f"question {next(self._number)}"}
        document = {"model": model, "messages": [message]}
        return self._call(f"/{route}/v1/chat/completions", caller, document)

    def models(self, route: str, caller: str = "notebook") -> int:
        """One call that costs nothing."""
        return self._call(f"/{route}/v1/models", caller)

    def misbehave(self, fault: str, times: int) -> None:
        """From now on the seller has this fault, so many times."""
        with _open(f"{self.seller}/sandbox/faults", {}, {"fault": fault, "times": times}) as answer:
            assert 200 == answer.status

    def behave(self) -> None:
        """The seller is honest again."""
        url = f"{self.seller}/sandbox/faults"
        request = urllib.request.Request(url, method="DELETE")
        with urllib.request.urlopen(request, timeout=CALL_WAIT_S) as answer:
            assert 200 == answer.status

    def settled(self) -> int:
        """How many payments moved on the seller's chain, as the seller counts them."""
        with _open(f"{self.seller}/sandbox/books", {}) as answer:
            return len(json.load(answer)["settlements"])

    def _call(self, path: str, caller: str, document: object = None) -> int:
        headers = {"Authorization": f"Bearer {TOKENS.get(caller, caller)}"}
        try:
            with _open(f"http://127.0.0.1:{self.port}{path}", headers, document) as answer:
                answer.read()
                status: int = answer.status
        except urllib.error.HTTPError as error:
            with error:
                error.read()
            return error.code
        return status


def _open(url: str, headers: dict[str, str], document: object = None) -> Any:
    data = None if document is None else json.dumps(document).encode()
    headers = {"Content-Type": "application/json", **headers}
    request = urllib.request.Request(url, data, headers)
    return urllib.request.urlopen(request, timeout=CALL_WAIT_S)


@contextmanager
def staged(
    folder: Path,
    rules: str,
    *,
    price: str = "0.01 USDC",
    day: str = "100000.00 USDC",
    agent_day: str = "100000.00 USDC",
) -> Iterator[Stage]:
    """All three, started and stopped."""
    port, admin_port = free_port(), free_port()
    write_private(folder / "evm.key", KEY)
    write_private(folder / "openai.key", "sk-a-key-of-nobody")
    write_private(folder / "venice.key", "venice-admin-key")
    for caller, token in TOKENS.items():
        write_private(folder / f"{caller}.token", token)
    config = folder / "sidecar.yaml"
    with sandbox(folder, "--price", price) as seller:
        config.write_text(
            CONFIG.format(
                port=port,
                admin_port=admin_port,
                folder=folder,
                seller=seller.url,
                day=day,
                agent_day=agent_day,
            )
        )
        command: list[str | Path] = [sys.executable, "-m", "sidecar", "run", "--config", config]
        with Process(command, folder / "sidecar.log") as sidecar:
            sidecar.wait_for_port(admin_port)
            with Prometheus(folder / "watch", [f"127.0.0.1:{admin_port}"], rules) as prometheus:
                yield Stage(seller.url, port, admin_port, prometheus)
