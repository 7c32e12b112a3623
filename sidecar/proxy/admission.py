"""Who may ask, and for what: loopback is not a trust boundary (threats.md, second table).

Every local program and every web page can reach the port. So the Host must be ours (DNS
rebinding), an Origin must be ours too (CSRF), and the app shows a token.

A Unix socket is reached by no name and from no page: there the kernel's word on the user stands
in for Host and token, and what the app shows as its API key is not looked at.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from dataclasses import field
from hashlib import blake2s
from typing import TypeAlias
from urllib.parse import urlsplit

from sidecar.http import Headers, gather
from sidecar.ledger.model import Budget
from sidecar.proxy.answers import Answer
from sidecar.values import dataclass

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
TARGET_CHARS_MAX = 8_192
DECIDING = frozenset({"host", "origin", "sec-fetch-site", "authorization", "x-api-key", "api-key"})
Shown: TypeAlias = Mapping[str, list[str]]
# A name or an address, as it stands in a Host.
_HOST = re.compile(r"([a-z0-9._~%-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?", re.ASCII | re.IGNORECASE)
# Printable ASCII without backslash and '#'; what else a path may hold is percent-encoded.
_TARGET = re.compile(r"/[!-\"$-\[\]-~]*", re.ASCII)
_ENCODED_SEPARATOR = re.compile(r"%2f|%5c", re.IGNORECASE)
# Java servers drop what follows a semicolon, and see the dots that stood before it.
_DOT_SEGMENT = re.compile(r"/(?:\.|%2e){1,2}(?:[/;]|%3b|$)", re.IGNORECASE)
# An encoded control character, or a '%' that encodes nothing: servers differ on what they mean.
_BAD_ESCAPE = re.compile(r"%(?![2-9a-f][0-9a-f])|%7f", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Caller:
    """A local app, known by its token or its user, and the budgets of its own."""

    name: str
    budgets: tuple[Budget, ...] = ()


@dataclass(frozen=True, slots=True)
class Gate:
    """The rules at the door. ``tokens`` is None where the config turned them off.

    ``users`` is None on a TCP port; elsewhere they are the only ones who are let in. ``hosts`` is
    None where any Host will do: on a Unix socket, unless the config names some, for the browsers
    behind a server that passes on what they ask.
    """

    hosts: frozenset[str] | None
    tokens: Mapping[str, Caller] | None = field(repr=False)
    anonymous: Caller = Caller("anonymous")
    users: Mapping[int, Caller] | None = None
    # By the digest of its token, each token and whose it is.
    _known: Mapping[bytes, tuple[bytes, Caller]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        tokens = ((token.encode(), caller) for token, caller in (self.tokens or {}).items())
        known = {_digest(token): (token, caller) for token, caller in tokens}
        object.__setattr__(self, "_known", known)

    def admit(
        self, method: str, target: str, headers: Headers, user: int | None = None
    ) -> Caller | Answer:
        """The caller behind this request, or why it is not let in; ``user`` is who connected."""
        if self.users is not None and user not in self.users:
            return _refuse(
                403,
                "user",
                f"user {user} is no caller of this sidecar; the config names the users under "
                "callers, and without any only the sidecar's own is let in",
            )
        shown = gather(headers, DECIDING)
        refusal = _check_method(method) or _check_target(target) or self._check_site(shown)
        if refusal is not None:
            return refusal
        if self.users is not None:
            assert user is not None
            return self.users[user]
        return self._identify(shown)

    def _check_site(self, headers: Shown) -> Answer | None:
        hosts = headers.get("host", [])
        if len(hosts) != 1 or not self._is_host(hosts[0].lower()):
            names = "any one name" if self.hosts is None else ", ".join(sorted(self.hosts))
            return _refuse(
                403,
                "host",
                f"this is not {', '.join(hosts) or 'a host'}; call the sidecar by "
                f"one of: {names} (config key hosts adds names)",
            )
        for origin in headers.get("origin", ()):
            if urlsplit(origin).netloc.lower() not in (self.hosts or ()):
                return _refuse(403, "origin", "requests from web pages are refused")
        for site in headers.get("sec-fetch-site", ()):
            if site not in {"none", "same-origin"}:
                return _refuse(403, "origin", "requests from other sites are refused")
        return None

    def _is_host(self, host: str) -> bool:
        return _HOST.fullmatch(host) is not None if self.hosts is None else host in self.hosts

    def _identify(self, headers: Shown) -> Caller | Answer:
        if self.tokens is None:
            return self.anonymous
        shown = _shown_token(headers).encode("latin-1")
        # Looked up by a digest, so that the time taken tells neither which token was close nor
        # how many there are: who guesses half of a token has nothing of its digest.
        found = self._known.get(_digest(shown))
        if found is not None and hmac.compare_digest(found[0], shown):
            return found[1]
        return Answer(
            401,
            "invalid_api_key",
            "this sidecar wants its own token as the API key; the token file is named at start "
            "and by `sidecar check`",
            retry=False,
            rule="token",
        )


def _digest(token: bytes) -> bytes:
    # At half of the price of SHA-256, on the path of every request.
    return blake2s(token).digest()


def _shown_token(headers: Shown) -> str:
    for value in headers.get("authorization", ()):
        scheme, _, token = value.partition(" ")
        if scheme.lower() == "bearer":
            return token.strip()
    for name in ("x-api-key", "api-key"):
        for value in headers.get(name, ()):
            return value
    return ""


def _check_method(method: str) -> Answer | None:
    if method in METHODS:
        return None
    return _refuse(405, "method", f"the method {method[:20]} is not relayed")


def _check_target(target: str) -> Answer | None:
    if len(target) > TARGET_CHARS_MAX:
        message = f"a target of over {TARGET_CHARS_MAX} characters"
        return _refuse(414, "target", message)
    path = target.partition("?")[0]
    if (
        _TARGET.fullmatch(target) is None
        or "//" in path
        or _ENCODED_SEPARATOR.search(path)
        or _DOT_SEGMENT.search(path)
        or _BAD_ESCAPE.search(path)
    ):
        return _refuse(
            400,
            "target",
            "the target must be a plain path: no //, no dot segments, no encoded slash",
        )
    return None


def _refuse(status: int, rule: str, message: str) -> Answer:
    # Who asks so is lost or hostile: nothing more is read from that connection.
    return Answer(status, f"sidecar_{rule}", message, retry=False, rule=rule, closes=True)
