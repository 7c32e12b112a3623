"""A purchase: what a caller believes is one call."""

from __future__ import annotations

import hashlib

from sidecar.values import dataclass


@dataclass(frozen=True, slots=True)
class Purchase:
    """Known by method, target (path and query) and the hash of the request body."""

    method: str
    path: str
    body_sha256: str

    @classmethod
    def of(cls, method: str, path: str, body: bytes) -> Purchase:
        """The purchase that this request makes."""
        return cls(method, path, hashlib.sha256(body).hexdigest())
