"""The sign-ins of one route: reused where the vendor allows it, made once for all who wait."""

from __future__ import annotations

import asyncio
from typing import Protocol
from urllib.parse import urlsplit

from sidecar.clock import Clock, Entropy
from sidecar.errors import SidecarError
from sidecar.http import Exchange, Upstream, run_exchange
from sidecar.payments.events import Emit, SignedIn
from sidecar.providers.base import Credential, Occasion

SIGN_IN_WAIT_S = 30.0
SIGN_IN_BYTES_MAX = 256 * 1024
NONCE_BYTES = 32
SCOPES_MAX = 1024


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
        self._kept: Credential | None = None
        self._scoped: dict[str, Credential] = {}
        self._signing = asyncio.Lock()

    def occasion(self) -> Occasion:
        """Now, and a nonce that is used once."""
        return Occasion(self._clock.now(), self._entropy.token(NONCE_BYTES))

    async def get(self, url: str = "") -> Credential:
        """A credential for a request to this URL; a fresh one where each is used once only.

        Raises what the sign-in raises: UpstreamError, RemoteProtocolError, WalletError.
        """
        scoped = self._scoped.get(_scope(url)) if self._scoped else None
        if scoped is not None and self._is_good(scoped):
            return scoped
        kept = self._kept
        if kept is not None and self._is_good(kept):
            return kept
        return await self._renewed(kept)

    async def renew(self, refused: Credential) -> Credential:
        """Another one in place of this, which the vendor refused."""
        return await self._renewed(refused)

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
