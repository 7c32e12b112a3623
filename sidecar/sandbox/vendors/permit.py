"""Who signed a permit: EIP-712 by eth_account alone, over the token's own domain."""

from __future__ import annotations

from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_keys.exceptions import BadSignature

from sidecar.chains import Asset
from sidecar.sandbox.permits import Permit

_HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
_FIELDS = [
    {"name": "owner", "type": "address"},
    {"name": "spender", "type": "address"},
    {"name": "value", "type": "uint256"},
    {"name": "nonce", "type": "uint256"},
    {"name": "deadline", "type": "uint256"},
]


def permit_signer(asset: Asset, permit: Permit, signature: bytes) -> str | None:
    """Who signed this permit; None when Circle's contract could not tell."""
    # The contract's rules: v is 27 or 28, and only the lower of the two possible s.
    if signature[64] not in (27, 28) or int.from_bytes(signature[32:64]) > _HALF_ORDER:
        return None
    domain = {
        "name": asset.domain_name,
        "version": asset.domain_version,
        "chainId": asset.chain_id,
        "verifyingContract": asset.address,
    }
    message = encode_typed_data(
        domain,
        {"Permit": _FIELDS},
        {
            # Hashed as bytes, so that a spelling does not decide about the signature.
            "owner": bytes.fromhex(permit.owner[2:]),
            "spender": bytes.fromhex(permit.spender[2:]),
            "value": permit.value,
            "nonce": permit.nonce,
            "deadline": permit.deadline,
        },
    )
    try:
        return str(Account.recover_message(message, signature=signature))
    except (BadSignature, ValueError, TypeError):
        return None
