"""The token with which x402layer confirms a direct payment: it looks like a JWT under RS256.

Nobody is given a key to check it with; what a client may read are its claims (providers.md 4 (d)).
"""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import datetime

from sidecar.money import ATOMIC_PER_USDC, Usdc

ISSUER = "https://api.x402layer.cc"
AUDIENCE = "x402layer:receipt"
LIFE_S = 300
SIGNATURE_BYTES = 256


def receipt_token(
    slug: str, *, amount: Usdc, payer: str, transaction: str, network: str, at: datetime
) -> str:
    """The token of one payment. It is a pure function of it."""
    issued_at_s = int(at.timestamp())
    whole, fraction = divmod(amount.atomic, ATOMIC_PER_USDC)
    digits = f"{fraction:06d}"
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "iat": issued_at_s,
        "exp": issued_at_s + LIFE_S,
        "jti": hashlib.sha256(transaction.encode()).hexdigest()[:32],
        # Two digits at least, as in "1.00".
        "amount": f"{whole}.{digits[:2]}{digits[2:].rstrip('0')}",
        "currency": "USDC",
        "network": network,
        "payer_wallet": payer,
        "source_slug": slug,
        "tx_hash": transaction,
    }
    head = _part({"alg": "RS256", "kid": "sandbox", "typ": "JWT"}) + "." + _part(claims)
    signature = hashlib.shake_256(head.encode()).digest(SIGNATURE_BYTES)
    return f"{head}.{_base64url(signature)}"


def _part(document: object) -> str:
    return _base64url(json.dumps(document, separators=(",", ":")).encode())


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
