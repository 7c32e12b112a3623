"""The sandbox's vendors, and a sidecar that holds no key: two signers sign for it.

Each signer is a process of its own with its own folder, key and rules; it can be killed, and
started there again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sidecar.chains import SOLANA_DEVNET
from sidecar.clock import SystemClock, SystemEntropy
from sidecar.config.read import parse_config
from sidecar.payments.events import Event
from sidecar.sandbox import Sandbox, SandboxOptions
from sidecar.sandbox.options import PAY_TO
from sidecar.sandbox.vendors.options import SOLANA_PAY_TO
from sidecar.service import Ports, Service, open_all
from tests.world.market import SOLANA_SEED, Market, config_text
from tests.world.running import KEY
from tests.world.signer_process import SignerProcess, rules_of, start_signer
from tests.world.switches import SWITCHES

WIDE = {"amount": "200.00 USDC", "payments": 1_000}


@dataclass(frozen=True, slots=True)
class SignedMarket(Market):
    """A market, and who signs for it: by the name of the wallet."""

    signers: dict[str, SignerProcess] = field(default_factory=dict)

    def journaled(self, wallet: str) -> int:
        """How many authorizations this wallet's signer has written down."""
        journal = self.signers[wallet].folder / "signer.journal"
        return journal.read_bytes().count(b"\n")

    def restart(self, wallet: str) -> None:
        """Start a signer anew where one was killed."""
        self.signers[wallet] = SignerProcess(self.signers[wallet].folder)
        self.signers[wallet].wait_until_open()


@asynccontextmanager
async def signed_market(
    folder: Path,
    options: SandboxOptions | None = None,
    ports: Ports | None = None,
    **changed: object,
) -> AsyncIterator[SignedMarket]:
    """All of it, up and listening; ``changed`` are words of the EVM signer's rules."""
    sandbox = Sandbox(options or SandboxOptions(), SystemClock(), SystemEntropy())
    await sandbox.start()
    signers: dict[str, SignerProcess] = {}
    try:
        text = config_text(folder, sandbox.url, 3600, "")
        wide: dict[str, Any] = {
            "max_payment": "10.00 USDC",
            "per_hour": WIDE,
            "per_day": WIDE,
            "sign_in_domains": [sandbox.url.removeprefix("http://")],
        }
        kinds: dict[str, tuple[str, str, dict[str, object]]] = {
            "main": ("evm", KEY, {"networks": ["eip155:84532"], "pay_to": [PAY_TO], **changed}),
            "sol": (
                "solana",
                SOLANA_SEED,
                {"networks": [SOLANA_DEVNET], "pay_to": [SOLANA_PAY_TO]},
            ),
        }
        for name, (kind, key, rules) in kinds.items():
            home = folder / name
            home.mkdir(mode=0o700)
            signers[name] = start_signer(home, key, rules_of(home, kind=kind, **{**wide, **rules}))
            file = folder / f"{kind}.key"
            file.unlink()
            text = text.replace(f"{{file: {file}}}", f"{{signer: {signers[name].socket_path}}}")
        config = parse_config(text, SWITCHES, {}, folder)
        opened = open_all(config, {}, SystemEntropy())
        events: list[Event] = []
        service = await Service.start(config, opened, events.append, ports or Ports())
        try:
            yield SignedMarket(sandbox, service, events, signers)
        finally:
            await service.stop()
    finally:
        for signer in signers.values():
            signer.stop()
        await sandbox.stop()
