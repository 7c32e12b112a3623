"""The wallet of shadow mode: an address, and nothing that it would sign."""

from __future__ import annotations

from typing import Any

import pytest

from sidecar.errors import WalletError
from sidecar.money import Usdc
from sidecar.wallets.watch_only import WatchOnlyWallet
from tests.world.fakes import NOON
from tests.world.intents import authorization

WALLET = WatchOnlyWallet("0xwallet")
ANYTHING: Any = None


def test_address() -> None:
    """It has the address that it was given."""
    assert "0xwallet" == WALLET.address


async def test_signs_nothing() -> None:
    """It draws up, admits and signs nothing, neither payments nor sign-ins."""
    with pytest.raises(WalletError, match="nothing is signed"):
        WALLET.authorize(ANYTHING, Usdc(1), bytes(32), NOON, 120)
    with pytest.raises(WalletError, match="nothing is signed"):
        WALLET.sign_in(ANYTHING)
    with pytest.raises(WalletError, match="nothing is signed"):
        await WALLET.admit(authorization("p1"))
    with pytest.raises(WalletError, match="nothing is signed"):
        await WALLET.payload(authorization("p1"))
