"""The official x402 SDK as a seller and as a facilitator: real processes in their own venvs."""

from __future__ import annotations

import json
import os
import urllib.request
from enum import IntEnum
from pathlib import Path
from types import TracebackType
from typing import Self

from eth_account import Account

from tests.world.chain import Anvil
from tests.world.processes import WORLD, Process, free_port, installed

SCRIPTS = Path(__file__).parent / "sdk"
HTTP_WAIT_S = 10.0
PRICE = 10_000  # atomic units: 0.01 USDC
FACILITATOR_KEY = "0x" + "fa" * 32


class Protocol(IntEnum):
    """The version of x402 that a seller speaks."""

    V1 = 1
    V2 = 2


class Server:
    """A script that runs in the venv of one SDK and listens on a port of its own."""

    def __init__(
        self, folder: Path, script: str, venv: str, *options: str, env: dict[str, str] | None = None
    ) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        python = installed(WORLD / venv / "bin/python")
        command: list[str | Path] = [
            python,
            str(SCRIPTS / script),
            "--port",
            str(self.port),
            *options,
        ]
        log = folder / f"{script}-{self.port}.log"
        self.process = Process(command, log, os.environ | (env or {}))

    def __enter__(self) -> Self:
        self.process.wait_for_port(self.port)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # Asked to end, it would wait for its last customers, and they for a chain that is gone.
        self.process.kill()


class Facilitator(Server):
    """It settles on the chain and pays the gas.

    ``options`` are the script's own: ``--confirmation-wait-s`` is how long it waits for the chain,
    ``--answer-delay-s`` how long after that for no reason.
    """

    def __init__(self, folder: Path, chain: Anvil, *options: str) -> None:
        chain.give_eth(Account.from_key(FACILITATOR_KEY).address)
        super().__init__(
            folder,
            "facilitator.py",
            "sdk-v2",
            *("--rpc", chain.url),
            *options,
            env={"FACILITATOR_KEY": FACILITATOR_KEY},
        )


class Seller(Server):
    """It sells one call for ``PRICE``. ``pay_to`` goes on the wire as it is given.

    ``options`` are the script's own: ``--fat`` makes the challenge header 30 KB long (v2 only).
    """

    def __init__(
        self,
        folder: Path,
        facilitator: Facilitator,
        protocol: Protocol,
        pay_to: str,
        *options: str,
    ) -> None:
        self.pay_to = pay_to
        super().__init__(
            folder,
            f"seller_v{protocol}.py",
            f"sdk-v{protocol}",
            *("--facilitator", facilitator.url, "--pay-to", pay_to),
            *options,
        )

    def served(self) -> int:
        """How many calls for sale it has served, paid for or not."""
        with urllib.request.urlopen(f"{self.url}/count", timeout=HTTP_WAIT_S) as response:
            counts: dict[str, int] = json.load(response)
        return sum(counts.values())
