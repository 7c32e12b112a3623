"""What an x402 seller asks to be signed, and whether we do.

A seller that relays another one's challenge would be let in there in our name. So three things
are ours and never the seller's: the domain, the origin of every URI, and the chains. A challenge
that differs is not signed, and nothing in it is put right: the seller asked for something else.
Source: x402.md 5.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sidecar.chains import is_evm
from sidecar.document import shown
from sidecar.http import Origin
from sidecar.siwx.envelope import message_of, signature_type
from sidecar.siwx.message import SignInMessage
from sidecar.siwx.times import read_time

EXTENSION = "sign-in-with-x"
# What servers take, whatever the message itself says.
MESSAGE_AGE_MAX = timedelta(minutes=5)
# The seller's clock, by which it judges, may be ahead of ours.
CLOCK_SKEW_MAX = timedelta(minutes=5)


def read_challenge(
    extensions: Mapping[str, Any],
    *,
    address: str,
    origin: Origin,
    networks: tuple[str, ...],
    at: datetime,
) -> SignInMessage | str:
    """The message to sign with the wallet at ``address``, or a sentence why there is none.

    ``origin`` is the upstream's and ``networks`` are the route's, both from config. Of the
    chains that the seller takes, the first that is ours is chosen.
    """
    extension = extensions.get(EXTENSION)
    if extension is None:
        return "the seller offers no sign-in"
    if not isinstance(extension, dict) or not isinstance(extension.get("info"), dict):
        return "the seller's sign-in cannot be read"
    network = _network(extension.get("supportedChains"), address, networks)
    if network is None:
        return "the seller's sign-in is for no network of this route's wallet"
    try:
        message = message_of(extension["info"], address, network)
    except ValueError as fault:
        return f"the seller's sign-in cannot be signed: {fault}"
    return _foreign(message, origin) or _untimely(message, at) or message


def fresh_until(message: SignInMessage) -> datetime:
    """Until when servers take this message."""
    too_old_at = read_time(message.issued_at) + MESSAGE_AGE_MAX
    if message.expiration_time is None:
        return too_old_at
    return min(too_old_at, read_time(message.expiration_time))


def _network(chains: Any, address: str, networks: tuple[str, ...]) -> str | None:
    """The first chain that the seller takes, the route has, and the wallet is of."""
    # Base58 has no zero, so this is how no address on Solana begins.
    evm = address.startswith("0x")
    for chain in chains if isinstance(chains, list) else ():
        network = chain.get("chainId") if isinstance(chain, dict) else None
        # Of other types (eip1271) only contracts can give a signature.
        if (
            network in networks
            and is_evm(network) == evm
            and chain.get("type") == signature_type(network)
        ):
            return str(network)
    return None


def _foreign(message: SignInMessage, origin: Origin) -> str | None:
    """Why this message would speak to somebody else than the upstream; None if it does not."""
    if message.domain != origin.host_header:
        return (
            f"the seller's sign-in is for {shown(message.domain, 80)}, "
            f"and this is {origin.host_header}"
        )
    # Its resources too. Leaving out a foreign one would sign what nobody asked for.
    for uri in (message.uri, *message.resources):
        # By letters: two readers of a URL may disagree on its host, and of its letters not.
        if uri != str(origin) and not uri.startswith((f"{origin}/", f"{origin}?", f"{origin}#")):
            return f"the seller's sign-in names {shown(uri, 80)}, which is not on {origin}"
    return None


def _untimely(message: SignInMessage, at: datetime) -> str | None:
    """Why no server would take this message now; None if one may."""
    latest = at + CLOCK_SKEW_MAX
    if read_time(message.issued_at) > latest:
        return "the seller's sign-in is issued in the future"
    if message.not_before is not None and read_time(message.not_before) > latest:
        return "the seller's sign-in is not valid yet"
    if fresh_until(message) <= at:
        return "the seller's sign-in has expired"
    return None
