"""The sandbox's seller and a sidecar in front of it, each a process, for tools to be run against.

One caller may spend what it likes; the other has a budget that no call fits into. What was asked
and what was paid is read from the seller's books and from the sidecar's counters.
"""

from __future__ import annotations

import json
import sys
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.world.processes import Process, free_port, wait_until
from tests.world.recipes import Kitchen
from tests.world.sidecar_process import HTTP_WAIT_S, TOKEN, SidecarProcess

POOR_TOKEN = "sk-sidecar-a-token-whose-budget-is-spent"
POOR_BUDGET = "pocket-money"

CONFIG = """\
version: 1
listen: 127.0.0.1:{port}
admin: 127.0.0.1:{admin_port}
state_dir: {folder}
recovery: {{interval_s: 1}}
wallets:
  main: {{kind: evm, key: {{file: {folder}/evm.key}}}}
chains:
  "eip155:84532": {{rpc: ["{origin}/rpc"]}}
budgets:
  - {{name: day, limit: "80.00 USDC", window: 1d}}
  - {{name: pocket-money, limit: "0.001 USDC", window: 1d}}
callers:
  - {{name: app, token: {{file: {folder}/app.token}}}}
  - {{name: poor, token: {{file: {folder}/poor.token}}, budgets: [pocket-money]}}
routes:
  seller:
    provider: pay_per_request
    upstream: {origin}
    default: true
{terms}
  venice:
    provider: venice
    upstream: {origin}/venice/api
    top_up: {{amount: "10.00 USDC"}}
{terms}
  x402layer:
    provider: x402layer
    upstream: {origin}/x402layer
{terms}
"""
TERMS = """\
    wallet: main
    networks: ["eip155:84532"]
    max_payment: "10.00 USDC"
    budgets: [day]"""


class ToolStand:
    """Both processes; and what each of them has counted."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        self.folder = folder
        self.origin = f"http://127.0.0.1:{port}"
        self._stack = ExitStack()
        command = [sys.executable, "-m", "sidecar", "sandbox", "--listen", f"127.0.0.1:{port}"]
        self._sandbox = Process(command, folder / "sandbox.log")
        self._sandbox_port = port
        self.sidecar = SidecarProcess(folder, self.origin, f"{self.origin}/rpc")
        poor = folder / "poor.token"
        poor.write_text(POOR_TOKEN)
        poor.chmod(0o600)
        self.sidecar.config.write_text(
            CONFIG.format(
                port=self.sidecar.port,
                admin_port=self.sidecar.admin_port,
                folder=folder,
                origin=self.origin,
                terms=TERMS,
            )
        )

    def __enter__(self) -> Self:
        self._stack.enter_context(self._sandbox)
        try:
            self._sandbox.wait_for_port(self._sandbox_port)
            self._stack.enter_context(self.sidecar)
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def kitchen(self, home: Path, token: str = TOKEN, route: str = "") -> Kitchen:
        """Where a tool is run; behind this route's prefix where one is named."""
        return Kitchen(home, f"127.0.0.1:{self.sidecar.port}{route}", token)

    def settlements(self) -> list[dict[str, Any]]:
        """Every transfer on the seller's chain."""
        found: list[dict[str, Any]] = self._ask("/sandbox/books")["settlements"]
        return found

    def paid(self) -> int:
        """How many transfers there are to the plain seller, and each has its own purchase."""
        return len([one for one in self.settlements() if one["purchase"]["path"].startswith("/v1")])

    def credit(self, vendor: str) -> tuple[int, int]:
        """How often credit was bought at a vendor, and how many calls it has served."""
        accounts = self._ask("/sandbox/vendors")[vendor]["accounts"].values()
        return sum(len(one["top_ups"]) for one in accounts), sum(one["served"] for one in accounts)

    def requests(self, caller: str) -> float:
        """How many requests of this caller the sidecar has answered."""
        return self.sidecar.metric("sidecar_requests_total", caller=caller)

    def answered(self, caller: str) -> list[str]:
        """What each request of this caller asked for and came to, as the log has it, in order."""
        # The log is written a moment later than the answer is sent.
        wait_until(lambda: len(self._lines(caller)) == self.requests(caller), "the log is written")
        return [f"{line['method']} {line['path']} {line['status']}" for line in self._lines(caller)]

    def _lines(self, caller: str) -> list[dict[str, Any]]:
        text = self.sidecar.process.log.read_text()
        lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == "request" and line["caller"] == caller]

    def _ask(self, path: str) -> Any:
        with urllib.request.urlopen(self.origin + path, timeout=HTTP_WAIT_S) as response:
            return json.loads(response.read())
