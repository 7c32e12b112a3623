"""The sign-ins of one route: reused where the vendor allows it, made once for all who wait."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Protocol
from urllib.parse import urlsplit

from sidecar.clock import Clock, Entropy
from sidecar.errors import SidecarError
from sidecar.http import Exchange, HttpResponse, Upstream, header_values, run_exchange
from sidecar.payments.events import Emit, SignedIn
from sidecar.providers.base import Credential, Occasion

SIGN_IN_WAIT_S = 30.0
SIGN_IN_BYTES_MAX = 256 * 1024
NONCE_BYTES = 32
SCOPES_MAX = 1024
# Below, a Date's whole seconds and the way here explain it; above, nothing that is honest does.
SKEW_MIN, SKEW_MAX = timedelta(seconds=5), timedelta(minutes=10)


class SignsIn(Protocol):
    """The part of a provider that is asked here."""

    def sign_in(self, occasion: Occasion) -> Exchange[Credential]: ...


class Credentials:
    """What lets this route's requests in."""

    def __init__(
        self,
        route: str,
        provider: SignsIn,
        upstream: Upstream,
        ports: tuple[Clock, Entropy, Emit],
    ) -> None:
        self._route = route
        self._provider = provider
        self._upstream = upstream
        self._clock, self._entropy, self._emit = ports
        self._behind = timedelta()
        self._kept: Credential | None = None
        self._scoped: dict[str, Credential] = {}
        self._signing = asyncio.Lock()

    def occasion(self) -> Occasion:
        """Now, by the vendor's clock where that is known to differ; and a nonce, used once."""
        return Occasion(self._clock.now() + self._behind, self._entropy.token(NONCE_BYTES))

    async def get(self, url: str = "") -> Credential:
        """A credential for a request to this URL; a fresh one where each is used once only.

        Raises what the sign-in raises: UpstreamError, RemoteProtocolError, WalletError.
        """
        return self.at_hand(url) or await self._renewed(self._kept)

    def at_hand(self, url: str = "") -> Credential | None:
        """The credential that is kept for this URL; None where there is none, or it is old."""
        scoped = self._scoped.get(_scope(url)) if self._scoped else None
        if scoped is not None and self._is_good(scoped):
            return scoped
        kept = self._kept
        # As most are, which every call asks for.
        if kept is None or (kept.expires_at is None and not kept.single_use):
            return kept
        return kept if self._is_good(kept) else None

    async def renew(self, refused: Credential, refusal: HttpResponse) -> Credential:
        """Another one in place of this, which the vendor refused, by the vendor's own clock."""
        self._behind = self._lag(refusal)
        return await self._renewed(refused)

    def _lag(self, refusal: HttpResponse) -> timedelta:
        """How far our clock is behind the refusal's Date; none where they agree, or it is absurd.

        A sign-in for a time that is far ahead would let whoever reads it in then.
        """
        dates = header_values(refusal.headers, "date")
        try:
            told = parsedate_to_datetime(dates[0]) if len(dates) == 1 else None
        except ValueError:
            told = None
        if told is None or told.tzinfo is None:
            return timedelta()
        lag = told - self._clock.now()
        return lag if SKEW_MIN < abs(lag) < SKEW_MAX else timedelta()

    def remember(self, url: str, credential: Credential) -> None:
        """Use this for the URL's path until it expires: it was let in there."""
        if credential.single_use or credential.expires_at is None:
            return
        if len(self._scoped) >= SCOPES_MAX:
            self._scoped.pop(next(iter(self._scoped)))
        self._scoped[_scope(url)] = credential

    async def _renewed(self, old: Credential | None) -> Credential:
        if old is not None and old.single_use:
            return await self._sign_in()
        async with self._signing:
            kept = self._kept
            # Whoever waited finds what the first one got, unless that serves one request only.
            if kept is not None and kept is not old and self._is_good(kept):
                return kept
            self._kept = await self._sign_in()
            return self._kept

    def _is_good(self, credential: Credential) -> bool:
        if credential.single_use:
            return False
        return credential.expires_at is None or self._clock.now() < credential.expires_at

    async def _sign_in(self) -> Credential:
        exchange = self._provider.sign_in(self.occasion())
        try:
            credential = await run_exchange(
                self._upstream,
                exchange,
                wait_s=SIGN_IN_WAIT_S,
                body_bytes_max=SIGN_IN_BYTES_MAX,
            )
        except SidecarError:
            self._emit(SignedIn(self._route, "failed"))
            raise
        if credential.single_use or credential.expires_at is not None:
            self._emit(SignedIn(self._route, "ok"))
        return credential


def _scope(url: str) -> str:
    """What a server grants by a sign-in: one path, whatever its query."""
    return urlsplit(url).path
