"""What the exit status of a command means."""

from __future__ import annotations

from sidecar.errors import (
    LedgerError,
    LocalProtocolError,
    RemoteProtocolError,
    SidecarError,
    UpstreamError,
    WalletError,
)

OK = 0
USAGE = 2
POLICY = 3
FUNDS = 4
PROTOCOL = 5
SIGNER = 6
TRANSPORT = 7
IN_DOUBT = 8

MEANINGS = {
    OK: "done",
    USAGE: "usage or config: each mistake is named",
    POLICY: "policy: a rule or a budget refused a payment",
    FUNDS: "funds: a wallet cannot pay",
    PROTOCOL: "protocol: the other side answered nonsense",
    SIGNER: "signer: a key is missing, or is no key",
    TRANSPORT: "transport: upstream, chain, sidecar or ledger cannot be reached or used",
    IN_DOUBT: "in doubt: a payment may or may not have been made",
}


def exit_of(fault: SidecarError) -> int:
    """The status for a fault that ended a command."""
    if isinstance(fault, WalletError):
        return SIGNER
    if isinstance(fault, UpstreamError | LedgerError):
        return TRANSPORT
    if isinstance(fault, RemoteProtocolError | LocalProtocolError):
        return PROTOCOL
    return USAGE


def described() -> str:
    """The table for ``--help``."""
    lines = (f"  {status}  {meaning}" for status, meaning in MEANINGS.items())
    return "\n".join(["exit status:", *lines])
