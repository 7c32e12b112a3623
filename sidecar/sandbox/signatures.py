"""Who signed a transfer: EIP-712 by eth_account alone, and nothing of the sidecar's wallets."""

from __future__ import annotations

import sys

from eth_account import Account
from eth_account.messages import SignableMessage, encode_typed_data
from eth_keys.exceptions import BadSignature

from sidecar.chains import Asset
from sidecar.sandbox.payment import Authorization

# eth_account's dependency py_ecc raises the limit to 100,000 when it is imported. That is more
# than the C stack holds: deeply nested JSON would then kill the process instead of raising.
RECURSION_LIMIT = 1_000
sys.setrecursionlimit(RECURSION_LIMIT)

_HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
_FIELDS = [
    {"name": "from", "type": "address"},
    {"name": "to", "type": "address"},
    {"name": "value", "type": "uint256"},
    {"name": "validAfter", "type": "uint256"},
    {"name": "validBefore", "type": "uint256"},
    {"name": "nonce", "type": "bytes32"},
]


def signer_of(asset: Asset, authorization: Authorization) -> str | None:
    """Who signed this over the token's own domain; None when Circle's contract could not tell."""
    s = int.from_bytes(authorization.signature[32:64])
    # The contract's rules: v is 27 or 28, and only the lower of the two possible s.
    if authorization.signature[64] not in (27, 28) or s > _HALF_ORDER:
        return None
    message = _typed(
        asset,
        {"TransferWithAuthorization": _FIELDS},
        {
            # Hashed as bytes, so that a spelling does not decide about the signature.
            "from": bytes.fromhex(authorization.payer[2:]),
            "to": bytes.fromhex(authorization.to[2:]),
            "value": authorization.value,
            "validAfter": authorization.valid_after,
            "validBefore": authorization.valid_before,
            "nonce": bytes.fromhex(authorization.nonce[2:]),
        },
    )
    try:
        return str(Account.recover_message(message, signature=authorization.signature))
    except (BadSignature, ValueError, TypeError):
        return None


def domain_separator(asset: Asset) -> bytes:
    """The hash of the token's EIP-712 domain."""
    return bytes(_typed(asset, {"Nothing": []}, {}).header)


def _typed(
    asset: Asset, types: dict[str, list[dict[str, str]]], message: dict[str, object]
) -> SignableMessage:
    domain = {
        "name": asset.domain_name,
        "version": asset.domain_version,
        "chainId": asset.chain_id,
        "verifyingContract": asset.address,
    }
    return encode_typed_data(domain, types, message)
