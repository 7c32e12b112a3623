"""The official x402 SDK on Solana: facilitator, seller and client, real processes in their venv."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.world.processes import WORLD, installed
from tests.world.sellers import SCRIPTS, Server
from tests.world.solana_rpc import SolanaChain

CLIENT_WAIT_S = 60.0


class SolanaFacilitator(Server):
    """It settles on this Solana and pays the fees."""

    def __init__(self, folder: Path, solana: SolanaChain) -> None:
        super().__init__(
            folder,
            "facilitator_svm.py",
            "sdk-v2",
            *("--rpc", solana.url, "--network", solana.network),
            env={"FACILITATOR_KEY": solana.fee_payer_key},
        )


class SolanaSeller(Server):
    """It sells one call for ``sellers.PRICE``.

    ``options`` are the script's own: ``--memo`` wants a memo, ``--rpc`` offers a blockhash.
    """

    def __init__(
        self,
        folder: Path,
        facilitator: SolanaFacilitator,
        solana: SolanaChain,
        pay_to: str,
        *options: str,
    ) -> None:
        self.pay_to = pay_to
        # A facilitator opens no account for a payee.
        solana.fund(pay_to, 0)
        super().__init__(
            folder,
            "seller_svm.py",
            "sdk-v2",
            *("--facilitator", facilitator.url, "--pay-to", pay_to, "--network", solana.network),
            *options,
        )


@dataclass(frozen=True, slots=True)
class Bought:
    """What the SDK's client got, and what it paid with."""

    status: int
    told: dict[str, Any]  # the receipt, or a new challenge
    payment: str


def buy_with_sdk(url: str, solana: SolanaChain, key: str) -> Bought:
    """Buy this with the SDK's own client and this key, in base58."""
    found = subprocess.run(
        [
            installed(WORLD / "sdk-v2/bin/python"),
            str(SCRIPTS / "client_svm.py"),
            *("--url", url, "--rpc", solana.url),
        ],
        env=os.environ | {"CLIENT_KEY": key},
        capture_output=True,
        timeout=CLIENT_WAIT_S,
        check=False,
    )
    assert found.returncode == 0, found.stderr.decode()[-4_000:]
    said = json.loads(found.stdout)
    told = said["receipt"] or said["challenge"]
    return Bought(said["status"], json.loads(base64.b64decode(told)), said["payment"])
