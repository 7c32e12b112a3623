"""What a Solana account remembers: the newest blockhashes, and what must not be paid twice."""

from __future__ import annotations

from dataclasses import field
from datetime import datetime, timedelta

from sidecar.errors import WalletBusyError
from sidecar.values import dataclass

BLOCKHASH_REUSE = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Blockhash:
    """What a transaction is dated by, and until when it is taken."""

    text: str
    last_valid_block_height: str  # "" for a seller's: that is not the seller's to say
    fetched_at: datetime


@dataclass(slots=True)
class Memory:
    """What an account and its copies keep between them."""

    blockhashes: dict[str, Blockhash] = field(default_factory=dict)
    expiries: dict[str, datetime] = field(default_factory=dict)

    def recent_blockhash(self, network: str, at: datetime) -> Blockhash | None:
        """One that was fetched a moment ago, or None."""
        kept = self.blockhashes.get(network)
        # A clock that was set back makes it old, too.
        if kept is not None and timedelta(0) <= at - kept.fetched_at <= BLOCKHASH_REUSE:
            return kept
        return None

    def refuse_twin(self, identity: str, at: datetime, expires_at: datetime) -> None:
        """Note this payment. WalletBusyError while an equal one may settle."""
        for expired in [known for known, end in self.expiries.items() if end <= at]:
            del self.expiries[expired]
        if identity in self.expiries:
            raise WalletBusyError(
                "an equal payment is out under this blockhash, and both would be one transaction"
            )
        self.expiries[identity] = expires_at
