"""Whether a sign-in text holds now, and whether its address signed it.

EIP-191 by eth_account, ed25519 by nacl; nothing of the sidecar's own.
"""

from __future__ import annotations

import base64
import re
from datetime import datetime, timedelta

from eth_account import Account
from eth_account.messages import encode_defunct
from eth_keys.exceptions import BadSignature
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from sidecar.sandbox import signatures
from sidecar.sandbox.vendors.siwx import SignInText, Unfit, base58_bytes

_MOMENT = re.compile(
    r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+-]\d{2}:\d{2})", re.ASCII
)
_HEX_SIGNATURE = re.compile(r"0x[0-9a-fA-F]{130}", re.ASCII)

# secp256k1's order, halved: the contracts and ethers take only the lower s.
_HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0

# eth_account's dependency raises the limit to more than the C stack holds; that module undoes it.
assert signatures.RECURSION_LIMIT <= 1_000


def complaint_about_time(
    found: SignInText, now: datetime, *, age_max_s: int, ahead_max_s: int
) -> Unfit | None:
    """What is wrong with the times of this text, if anything is."""
    issued = _moment(found.issued_at)
    expires = _moment(found.expiration_time)
    begins = _moment(found.not_before)
    for moment in (issued, expires, begins):
        if isinstance(moment, Unfit):
            return moment
    assert isinstance(issued, datetime)
    if issued > now + timedelta(seconds=ahead_max_s):
        return Unfit("FUTURE_TIMESTAMP", f"issued {(issued - now).total_seconds()} s from now")
    if now - issued > timedelta(seconds=age_max_s):
        return Unfit("EXPIRED", f"issued {(now - issued).total_seconds()} s ago")
    if isinstance(expires, datetime) and expires <= now:
        return Unfit("EXPIRED", f"expired at {found.expiration_time}")
    if isinstance(expires, datetime) and expires <= issued:
        return Unfit("INVALID_MESSAGE", "expires before it was issued")
    if isinstance(begins, datetime) and begins > now:
        return Unfit("NOT_BEFORE", f"not before {found.not_before}")
    return None


def moment_of(text: str) -> datetime | None:
    """A time as a sign-in writes it; None when it is not one."""
    if _MOMENT.fullmatch(text) is None:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _moment(text: str | None) -> datetime | Unfit | None:
    if text is None:
        return None
    return moment_of(text) or Unfit("PARSE_ERROR", f"not a time: {text!r}")


def is_signed(found: SignInText, signature: str, *, base64_too: bool) -> bool:
    """Whether the address in the text signed the text.

    ``base64_too``: Solana's signature may be in base64 as well as in base58.
    """
    if found.kind == "Ethereum":
        return _ethereum_signer(found.text, signature) == found.address
    key, signed = base58_bytes(found.address), base58_bytes(signature)
    if base64_too and (signed is None or len(signed) != 64):
        signed = _base64(signature)
    if key is None or signed is None or len(signed) != 64:
        return False
    try:
        VerifyKey(key).verify(found.text.encode(), signed)
    except BadSignatureError:
        return False
    return True


def _ethereum_signer(text: str, signature: str) -> str | None:
    if _HEX_SIGNATURE.fullmatch(signature) is None:
        return None
    raw = bytes.fromhex(signature[2:])
    if raw[64] not in (27, 28) or int.from_bytes(raw[32:64]) > _HALF_ORDER:
        return None
    try:
        return str(Account.recover_message(encode_defunct(text=text), signature=raw))
    except (BadSignature, ValueError, TypeError):
        return None


def _base64(text: str) -> bytes | None:
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError:
        return None
    # Decoding forgives stray bits; encoding again does not.
    return raw if base64.b64encode(raw).decode() == text else None
