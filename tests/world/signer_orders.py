"""What is asked of a signer: good orders, of this moment, and what can be made of them."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import os
import re
import time
from typing import Any

from sidecar.chains import SOLANA, usdc_on
from sidecar.errors import WalletError
from sidecar.wallets.evm import EvmWallet
from sidecar.wallets.solana import SolanaAccount, SolanaWallet, token_account

KEY = bytes.fromhex("23743fd5295575c10513b10004d6fbdc35365878a5cd99b396629fb5b0e65fd1")
ADDRESS = EvmWallet(KEY).address
SEED = bytes(range(32))
PAYEE = "0x2670B922ef37C7Df47158725C0CC407b5382293F"
THIEF = EvmWallet(b"\x07" * 32).address
BASE = usdc_on("eip155:8453").address
SOL_PAYEE = "8qUL23aSj7mDWdoLMXGHFvnVCT9wd7jXcysiekroADEL"
FEE_PAYER = "BFK9TLC3edb13K6v4YyH3DwPb5DSUpkWvb7XnqCL9b4F"
BLOCKHASH = "EkSnNWid2cvwEVnVx9aBqawnmiCNiDgp3gUdkDPTKN1N"
# An EIP-191 or EIP-712 signature, a Solana transaction or signature: whatever looks like one.
SIGNATURE = re.compile(rb"0x[0-9a-f]{130}|transaction|[1-9A-HJ-NP-Za-km-z]{86,88}")

_numbers = itertools.count(1)


def fresh() -> str:
    """A nonce that no other order has."""
    return "0x" + hashlib.sha256(f"{os.getpid()}:{next(_numbers)}".encode()).hexdigest()


def soon(life_s: float) -> int:
    """That many seconds from now, as the chain counts."""
    return int(time.time() + life_s)


def order(
    life_s: float = 119, network: str = "eip155:8453", identity: str = "", **changed: Any
) -> dict[str, Any]:
    """A good transfer of a cent, or what becomes of it."""
    nonce, expires_at = fresh(), soon(life_s)
    fields: dict[str, Any] = {
        "from_": ADDRESS,
        "to": PAYEE,
        "value": "10000",
        "validAfter": "0",
        "validBefore": str(expires_at),
        "nonce": nonce,
        "asset": BASE,
        **changed,
    }
    fields = {name.rstrip("_"): value for name, value in fields.items() if value is not None}
    said = {
        "network": network,
        "identity": identity or fields.get("nonce", nonce),
        "expires_at": expires_at,
        "fields": fields,
    }
    return {"method": "sign", "authorization": said}


def permit(spender: str = PAYEE, **changed: Any) -> dict[str, Any]:
    """A Permit of a cent, as it has to be written."""
    number = 7
    return order(
        identity=f"permit:{ADDRESS}:{spender}:{number}",
        to=spender,
        nonce=f"0x{number:064x}",
        primaryType="Permit",
        sinceBlock="1",
        **changed,
    )


def solana_order(account: SolanaAccount | None = None, **changed: str) -> dict[str, Any]:
    """A Solana transfer of a cent; a change is made before its message is."""
    payer = account or SolanaAccount(SolanaWallet(SEED, {}).address, {})
    pay_to = changed.get("pay_to", SOL_PAYEE)
    fields = {
        "payer": payer.address,
        "pay_to": pay_to,
        "fee_payer": FEE_PAYER,
        "source": token_account(payer.address, usdc_on(SOLANA).address),
        "destination": token_account(pay_to, usdc_on(SOLANA).address),
        "mint": usdc_on(SOLANA).address,
        "amount": "10000",
        "decimals": "6",
        "memo": fresh()[2:34],
        "blockhash": BLOCKHASH,
        "last_valid_block_height": "",
        "compute_unit_limit": "20000",
        "compute_unit_price": "1",
    }
    fields |= {name: text for name, text in changed.items() if name in fields}
    expires_at = soon(float(changed.get("life_s", "119")))
    network = changed.get("network", SOLANA)
    try:
        message = payer._message(network, fields)
    except WalletError:
        # The proxy's own code would not make it; a thief's sends it all the same.
        message = b"\x80" + bytes(32)
    fields["message"] = base64.b64encode(message).decode()
    said = {
        "network": network,
        "identity": changed.get("identity", hashlib.sha256(message).hexdigest()),
        "expires_at": expires_at,
        "fields": fields,
    }
    return {"method": "sign", "authorization": said}


def sign_in(**changed: object) -> dict[str, Any]:
    """A sign-in at the one place where this key does; None takes a field out."""
    message: dict[str, object] = {
        "domain": "api.seller.example",
        "address": ADDRESS,
        "uri": "https://api.seller.example/auth",
        "network": "eip155:8453",
        "nonce": "abcdefgh12345678",
        "issued_at": "2026-01-02T03:04:05Z",
        **changed,
    }
    said = {name: value for name, value in message.items() if value is not None}
    return {"method": "sign_in", "message": said}


def without(question: dict[str, Any], name: str) -> dict[str, Any]:
    """The order, where the authorization lacks this member."""
    said = {key: value for key, value in question["authorization"].items() if key != name}
    return {**question, "authorization": said}


def with_said(question: dict[str, Any], **changed: object) -> dict[str, Any]:
    """The order, with other members of its authorization."""
    return {**question, "authorization": {**question["authorization"], **changed}}


def signatures(answer: object) -> int:
    """How many came back."""
    return len(SIGNATURE.findall(json.dumps(answer).encode()))
