"""A head as its handler reads it, kept with what the fast lane knows of it.

Where the lane takes two heads for one, they differ in the digits of their length, and in the lines
that vary. Of one without such lines nothing has to be read again but its length, which is ours to
say anyway.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from sidecar.http import Headers, split_lines
from sidecar.ledger.model import Budget
from sidecar.providers.base import Credential
from sidecar.proxy.framing import HEAD_END
from sidecar.proxy.headers import credential_secrets, request_headers
from sidecar.proxy.outgoing import BegunHead
from sidecar.values import dataclass

if TYPE_CHECKING:
    from sidecar.proxy.calls import Asked


@dataclass(frozen=True, slots=True)
class KnownHead:
    """The app's headers but for their length; where it goes, and how, with this credential.

    ``budgets``: those that what is paid for it draws from.
    """

    headers: Headers = field(repr=False)
    url: str
    credential: Credential = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)  # the credential's
    outgoing: Headers = field(repr=False)
    budgets: tuple[Budget, ...]
    begun: BegunHead | None = field(repr=False)  # of what goes out; None where it is made anew


def read_head(came: bytes, asked: Asked, credential: Credential) -> KnownHead:
    """What the head says that these bytes begin with."""
    known = asked.known
    if known is not None and known.credential is credential:
        return known
    lines = came.partition(HEAD_END)[0].decode("ascii").split("\r\n")
    fields = split_lines(lines[1:])
    headers = tuple([each for each in fields if each[0].lower() != "content-length"])
    call, ours = asked.call, credential.headers
    outgoing = request_headers(headers, ours, call.route.reads_bodies)
    known = KnownHead(
        headers,
        call.url,
        credential,
        credential_secrets(ours),
        outgoing,
        call.route.budgets_with(call.caller.budgets),
        None if asked.varies else BegunHead.of(call.method, call.url, outgoing),
    )
    if not asked.varies:
        asked.known = known
    return known
