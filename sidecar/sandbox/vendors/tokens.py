"""JSON Web Tokens, HS256, made and read by hmac: one secret, one issuer."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from datetime import timedelta

from sidecar.clock import Clock, Entropy

_TOKEN = re.compile(r"([A-Za-z0-9_-]+\.[A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)", re.ASCII)
_HEADER = {"alg": "HS256", "typ": "JWT"}


class Tokens:
    """Issues tokens, and tells whose a token is."""

    def __init__(self, clock: Clock, entropy: Entropy, *, life_s: int) -> None:
        self._clock = clock
        self._entropy = entropy
        self._life = timedelta(seconds=life_s)
        self._secret = entropy.token(32)
        self._revoked: set[str] = set()

    def issue(self, subject: str) -> str:
        """A token for this subject, good from now on."""
        now = self._clock.now()
        claims = {
            "sub": subject,
            "iat": int(now.timestamp()),
            "exp": int((now + self._life).timestamp()),
            "jti": self._entropy.token(8).hex(),
        }
        signed = f"{_packed(_HEADER)}.{_packed(claims)}"
        return f"{signed}.{self._mac(signed)}"

    def revoke(self, token: str) -> None:
        """From now on this token is no longer good."""
        self._revoked.add(token)

    def subject(self, token: str) -> str | None:
        """Whose token this is; None when it is not good now."""
        found = _TOKEN.fullmatch(token)
        if found is None or not hmac.compare_digest(self._mac(found[1]), found[2]):
            return None
        # Only what was issued here has a mac that fits, so the claims are as they were written.
        claims = json.loads(_bytes(found[1].partition(".")[2]))
        if claims["exp"] <= self._clock.now().timestamp() or token in self._revoked:
            return None
        return str(claims["sub"])

    def _mac(self, signed: str) -> str:
        return _text(hmac.digest(self._secret, signed.encode(), hashlib.sha256))


def _packed(document: object) -> str:
    return _text(json.dumps(document, separators=(",", ":")).encode())


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
