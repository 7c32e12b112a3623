"""Two sidecars with one key and no common ledger, in front of the official seller, on one chain.

Both are asked to pay for one Idempotency-Key. What moved is read from the chain's own logs.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.world.chain import NETWORK, Anvil
from tests.world.sellers import PRICE, Seller
from tests.world.sidecar_process import SidecarProcess
from tests.world.signer_process import rules_of, start_signer

CALLS = 3
ATTEMPTS_MAX = 20  # of a call that is told to come again


@dataclass(frozen=True, slots=True)
class Parted:
    """Two sidecars with one wallet, each with its own ledger."""

    first: SidecarProcess
    second: SidecarProcess

    def both(self, idempotency_key: str) -> tuple[int, int]:
        """The statuses of one call that each is asked for at the same moment."""
        with ThreadPoolExecutor(2) as pool:
            first, second = pool.map(
                lambda sidecar: ask(sidecar, idempotency_key), (self.first, self.second)
            )
        return first, second


def ask(sidecar: SidecarProcess, idempotency_key: str) -> int:
    """The status of a call under this key, once what is in doubt has been settled."""
    status = 0
    with sidecar.client() as client:
        for _ in range(ATTEMPTS_MAX):
            try:
                client.chat.completions.create(
                    model="test-model",
                    messages=[{"role": "user", "content": "hello"}],
                    extra_headers={"Idempotency-Key": idempotency_key},
                )
                status = 200
            except openai.APIStatusError as refused:
                status = refused.status_code
            if status != 503:
                break
    return status


def keeper(folder: Path, key: str, kept: str, seller: Seller, stack: ExitStack) -> str:
    """Where a sidecar in this folder has the key from: its own file, or a signer of its own."""
    if kept == "file":
        (folder / "evm.key").write_text(key)
        return f"{{file: {folder}/evm.key}}"
    home = folder / "signer"
    home.mkdir(mode=0o700)
    rules: dict[str, Any] = {"networks": [NETWORK], "pay_to": [seller.pay_to]}
    signer = start_signer(home, key, rules_of(home, **rules))
    stack.callback(signer.stop)
    return f"{{signer: {signer.socket_path}}}"


@pytest.fixture(params=["file", "signer"])
def parted(
    request: pytest.FixtureRequest, tmp_path: Path, chain: Anvil, v2_seller: Seller
) -> Iterator[Parted]:
    """Both of them, with money for every call that either could pay for."""
    with ExitStack() as stack:
        sidecars = []
        key = payer = ""
        for name in ("first", "second"):
            folder = tmp_path / name
            folder.mkdir(mode=0o700)
            sidecar = SidecarProcess(folder, v2_seller.url, chain.url)
            key = key or (folder / "evm.key").read_text()
            sidecar.payer = payer = payer or sidecar.payer
            kept = keeper(folder, key, request.param, v2_seller, stack)
            text = sidecar.config.read_text()
            held = f"key: {{file: {folder}/evm.key}}"
            assert held in text
            sidecar.config.write_text(text.replace(held, f"key: {kept}, nonces: derived"))
            sidecars.append(stack.enter_context(sidecar))
        chain.fund(payer, 4 * CALLS * PRICE)
        yield Parted(*sidecars)


def test_parted_ledgers(parted: Parted, chain: Anvil, v2_seller: Seller) -> None:
    """One key is paid for once, whoever is asked and when; each ledger knows what it paid for."""
    in_turn = (ask(parted.first, "in turn"), ask(parted.second, "in turn"))
    at_once = [parted.both(f"at once {number}") for number in range(CALLS)]
    moved = chain.transfers(parted.first.payer, v2_seller.pay_to)
    recorded = [
        {row["transaction"] for row in sidecar.payments() if row["state"] == "posted"}
        for sidecar in (parted.first, parted.second)
    ]

    assert (200, 502) == in_turn
    assert [[200, 502]] * CALLS == [sorted(statuses) for statuses in at_once]
    assert CALLS + 1 == len(moved)
    assert [{transfer.transaction for transfer in moved}] * 2 == recorded
