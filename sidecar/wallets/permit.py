"""The numbers of Permits: one is out at a time.

A token takes an owner's Permits by number, one after the other, so of two that are signed for one
number only one can ever settle. A number is asked of the chain, and given out again when the
Permit that had it has expired, or soon, where it was never signed.
Source: EIP-2612, providers.md 3 (h).
"""

from __future__ import annotations

from collections.abc import Generator
from datetime import datetime, timedelta

from sidecar.chains import Asset
from sidecar.errors import WalletBusyError
from sidecar.http import HttpRequest, HttpResponse
from sidecar.rpc import evm

# How far the chain's clock may be behind ours when a Permit expires there.
SKEW = timedelta(seconds=30)
# Between giving a number out and signing for it lies one write into the ledger.
UNSIGNED_MAX = timedelta(seconds=10)


def next_number(
    url: str, asset: Asset, owner: str
) -> Generator[HttpRequest, HttpResponse, tuple[int, int]]:
    """The number that the token takes next, and a block that is before any use of it by us."""
    number = yield from evm.nonces(url, asset.address, owner, "latest")
    # In this order: what made the number what it is stands in this block or before it.
    newest = yield from evm.block(url, "latest")
    return number, newest.number


class PermitNumbers:
    """What one wallet has given out, for each token."""

    __slots__ = ("_given",)

    def __init__(self) -> None:
        self._given: dict[Asset, tuple[int, datetime]] = {}  # the last number, and until when

    def give(self, asset: Asset, number: int, at: datetime) -> None:
        """Give this number out. WalletBusyError while another Permit may settle with it."""
        last, until = self._given.get(asset, (-1, at))
        # Lower than the last is what an endpoint says that is behind.
        if number <= last and at < until:
            raise WalletBusyError(
                f"an earlier Permit (number {last}) has not settled yet; "
                f"it expires by {until:%H:%M:%S} UTC at the latest"
            )
        self._given[asset] = number, at + UNSIGNED_MAX

    def signed(self, asset: Asset, number: int, expires_at: datetime) -> None:
        """This number's Permit may be out from now on."""
        # Also one of before a restart, which is presented again.
        self._given[asset] = max(
            self._given.get(asset, (-1, expires_at)), (number, expires_at + SKEW)
        )
