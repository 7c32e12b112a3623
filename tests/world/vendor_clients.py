"""The vendors' own published clients, unchanged, each in a Node.js process of its own.

A process is started once and takes orders; see clients/serve.mjs for what an order is.
The sandboxes that they talk to are on Base, the network that they have built in.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeAlias

from sidecar.clock import Clock, SystemEntropy
from sidecar.sandbox import Sandbox, SandboxOptions
from sidecar.wallets.evm import EvmWallet
from tests.world.processes import WORLD, NotInstalledError, installed

SCRIPTS = Path(__file__).parent / "clients"
PACKAGES = WORLD / "clients/node_modules"
ANSWER_WAIT_S = 30.0

KEY = "0x" + "11" * 32
ADDRESS = EvmWallet(bytes.fromhex(KEY[2:])).address
NETWORK = "eip155:8453"

Open: TypeAlias = Callable[..., Awaitable[Sandbox]]  # given some of SandboxOptions
Call: TypeAlias = tuple[object, ...]  # a method's name, and what it is given


@asynccontextmanager
async def sandboxes(clock: Clock) -> AsyncIterator[Open]:
    """Opens sandboxes on Base, which are closed at the end."""
    async with AsyncExitStack() as stack:

        async def start(**options: Any) -> Sandbox:
            chosen = SandboxOptions(network=NETWORK, **options)
            sandbox = Sandbox(chosen, clock, SystemEntropy())
            await sandbox.start()
            stack.push_async_callback(sandbox.stop)
            return sandbox

        yield start


@dataclass(frozen=True, slots=True)
class ClientError:
    """What a client threw."""

    name: str
    message: str
    code: str | None = None
    status: int | None = None
    details: object = None
    cause: str | None = None


class ClientProcess:
    """One client. `package` is what it is in the registry, `script` makes it."""

    def __init__(self, folder: Path, package: str, script: str) -> None:
        node = shutil.which("node")
        if node is None:
            raise NotInstalledError("needs Node.js 20 or later on the PATH")
        installed(PACKAGES / package / "package.json")
        # Node.js looks for packages beside the script, and they are elsewhere.
        (folder / "node_modules").symlink_to(PACKAGES)
        for source in SCRIPTS.glob("*.mjs"):
            shutil.copy(source, folder)
        self._log = folder / "stderr"
        with self._log.open("wb") as log:
            self._popen = subprocess.Popen(
                [node, folder / script],
                cwd=folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )

    def __enter__(self) -> Self:
        self._line()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    async def run(
        self,
        *calls: Call,
        key: str,
        options: Mapping[str, object],
        moved: Mapping[str, str] | None = None,
        at_once: bool = False,
        may_throw: bool = False,
    ) -> list[Any]:
        """What each call came to: its value, or a ClientError where the client may throw."""
        order = {
            "key": key,
            "options": options,
            "moved": moved or {},
            "calls": calls,
            "atOnce": at_once,
        }
        answers = await asyncio.to_thread(self._ask, json.dumps(order))
        values = [_value(answer) for answer in answers]
        assert may_throw or not any(isinstance(value, ClientError) for value in values), values
        return values

    def _ask(self, order: str) -> Sequence[Mapping[str, Any]]:
        assert self._popen.stdin is not None
        self._popen.stdin.write(order.encode() + b"\n")
        self._popen.stdin.flush()
        answers: Sequence[Mapping[str, Any]] = json.loads(self._line())
        return answers

    def _line(self) -> bytes:
        assert self._popen.stdout is not None
        # A line that never comes ends the process, and so the wait for it.
        overdue = threading.Timer(ANSWER_WAIT_S, self._popen.kill)
        overdue.start()
        try:
            line = self._popen.stdout.readline()
        finally:
            overdue.cancel()
        if not line:
            self._end()
        assert line, f"the client ended:\n{self._log.read_text(errors='replace')}"
        return line

    def _end(self) -> None:
        self._popen.kill()
        self._popen.communicate()


def _value(answer: Mapping[str, Any]) -> Any:
    if "error" not in answer:
        return answer["value"]
    return ClientError(**answer["error"])
